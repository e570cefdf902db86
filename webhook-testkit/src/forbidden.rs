//! Secrets that must not turn up in the log.
//!
//! A test looks at the log of its own steps. This looks at all that is logged, at every level and by
//! every crate, while the tests of a whole program run.

use std::{
    env, fmt,
    io::Write as _,
    process::abort,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
    span::{Attributes, Id, Record},
    subscriber::set_global_default,
};

/// The variable that lists them, separated by commas.
///
/// With it set, a test program that uses a [`TestReceiver`](crate::TestReceiver) or one of the
/// conformance suites ends at once, with a line that says where, when one of them is logged, down to
/// `TRACE`: `WEBHOOK_TEST_FORBIDDEN=t0ken,hunter2 cargo test`. Programs with a global subscriber of their
/// own are not watched.
pub const FORBIDDEN: &str = "WEBHOOK_TEST_FORBIDDEN";

/// Watches the log of this process from now on, if it is asked to.
pub(crate) fn watch_if_asked() {
    static WATCHES: OnceLock<()> = OnceLock::new();
    WATCHES.get_or_init(|| {
        let listed = env::var(FORBIDDEN).unwrap_or_default();
        let secrets: Vec<String> = listed.split(',').map(str::to_owned).collect();
        let secrets: Vec<_> = secrets.into_iter().filter(|secret| !secret.is_empty()).collect();
        if !secrets.is_empty() {
            let _ = set_global_default(Watch { secrets, spans: AtomicU64::new(0) });
        }
    });
}

/// Takes everything that is logged, and keeps nothing.
struct Watch {
    secrets: Vec<String>,
    spans: AtomicU64,
}

impl Watch {
    /// What is found in these fields, if it is forbidden.
    fn found(&self, fields: &str) -> Option<&str> {
        self.secrets.iter().find(|secret| fields.contains(*secret)).map(String::as_str)
    }

    fn look(&self, metadata: &Metadata<'_>, fields: &Fields) {
        if let Some(secret) = self.found(&fields.0) {
            let place = format!("{} {}", metadata.level(), metadata.target());
            // Past whatever captures the output of tests.
            let _ = writeln!(std::io::stderr(), "forbidden in the log ({place}): {secret}");
            abort();
        }
    }
}

/// The fields of an event or a span, one after the other.
#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        use fmt::Write as _;
        let _ = write!(self.0, "{field}={value:?} ");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl Subscriber for Watch {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        self.look(attributes.metadata(), &fields);
        Id::from_u64(self.spans.fetch_add(1, Relaxed).saturating_add(1))
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        let mut fields = Fields::default();
        values.record(&mut fields);
        if self.found(&fields.0).is_some() {
            let _ = writeln!(std::io::stderr(), "forbidden in the log (a span): {}", fields.0);
            abort();
        }
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        self.look(event.metadata(), &fields);
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// Hands each event's fields to the watch, and keeps what it finds instead of ending the process.
    struct Told(Watch, Mutex<Vec<String>>);

    impl Told {
        fn take(&self, fields: &Fields) {
            let found = self.0.found(&fields.0).map(str::to_owned);
            self.1.lock().unwrap().extend(found);
        }
    }

    impl Subscriber for &'static Told {
        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            self.0.enabled(metadata)
        }

        fn new_span(&self, attributes: &Attributes<'_>) -> Id {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            self.take(&fields);
            Id::from_u64(1)
        }

        fn record(&self, _span: &Id, _values: &Record<'_>) {}

        fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut fields = Fields::default();
            event.record(&mut fields);
            self.take(&fields);
        }

        fn enter(&self, _span: &Id) {}

        fn exit(&self, _span: &Id) {}
    }

    #[test]
    fn whatever_is_logged_in_whatever_field_is_looked_at() {
        let watch = Watch { secrets: vec!["t0ken".into()], spans: AtomicU64::new(0) };
        let told: &'static Told = Box::leak(Box::new(Told(watch, Mutex::default())));
        tracing::subscriber::with_default(told, || {
            tracing::info!("nothing");
            tracing::trace!("Bearer t0ken");
            tracing::debug!(header = "Bearer t0ken", "sent");
            tracing::warn!(header = ?["t0ken"], "sent");
            let _span = tracing::trace_span!("send", url = %"https://a.example/?t0ken");
        });
        assert_eq!(told.1.lock().unwrap().len(), 4);
    }
}
