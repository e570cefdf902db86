//! Secrets that must not turn up in the log.
//!
//! A test looks at the log of its own steps. This looks at all that is logged, at every level and by
//! every crate, while the tests of a whole program run.

use std::{
    env, fmt,
    fmt::Write as _,
    io::Write as _,
    process::abort,
    sync::{
        Once,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::set_global_default,
};

/// The variable that lists them, separated by commas.
///
/// With it set, a test program that uses a [`TestReceiver`](crate::TestReceiver) or one of the
/// conformance suites ends at once, with a line that says where, when one of them is logged, down to
/// `TRACE`: `WEBHOOK_TEST_FORBIDDEN=t0ken,hunter2 cargo test`. Programs with a global subscriber of their
/// own are not watched.
pub const FORBIDDEN_IN_LOG: &str = "WEBHOOK_TEST_FORBIDDEN";

/// Watches the log of this process from now on, if it is asked to.
pub(crate) fn watch_if_asked() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let listed = env::var(FORBIDDEN_IN_LOG).unwrap_or_default();
        let secrets = listed.split(',').filter(|secret| !secret.is_empty());
        let secrets: Vec<_> = secrets.map(str::to_owned).collect();
        if !secrets.is_empty() {
            let _ = set_global_default(LogWatcher::over(secrets, end));
        }
    });
}

/// Ends this process. What it says goes past whatever captures the output of tests.
fn end(secret: &str, place: &str) {
    let _ = writeln!(std::io::stderr(), "forbidden in the log ({place}): {secret}");
    abort();
}

/// A subscriber that scans all log records for secrets.
struct LogWatcher<F> {
    secrets: Vec<String>,
    /// What to do with a secret that was found, and where.
    found: F,
    spans: AtomicU64,
}

impl<F: Fn(&str, &str)> LogWatcher<F> {
    fn over(secrets: Vec<String>, found: F) -> Self {
        Self { secrets, found, spans: AtomicU64::new(0) }
    }

    /// Scans the fields that `record` writes.
    fn scan(&self, place: &str, record: impl FnOnce(&mut Fields)) {
        let mut fields = Fields::default();
        record(&mut fields);
        if let Some(secret) = self.secrets.iter().find(|secret| fields.0.contains(*secret)) {
            (self.found)(secret, place);
        }
    }
}

/// The fields of an event or a span, one after the other.
#[derive(Default)]
struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = write!(self.0, "{field}={value:?} ");
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }
}

impl<F: Fn(&str, &str) + 'static> Subscriber for LogWatcher<F> {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        self.scan(attributes.metadata().target(), |fields| attributes.record(fields));
        Id::from_u64(self.spans.fetch_add(1, Relaxed).saturating_add(1))
    }

    fn record(&self, _span: &Id, values: &Record<'_>) {
        self.scan("a span", |fields| values.record(fields));
    }

    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.scan(event.metadata().target(), |fields| event.record(fields));
    }

    fn enter(&self, _span: &Id) {}

    fn exit(&self, _span: &Id) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn whatever_is_logged_in_whatever_field_is_looked_at() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = Arc::clone(&told);
        let note = move |secret: &str, _: &str| tell.lock().unwrap().push(secret.to_owned());
        tracing::subscriber::with_default(LogWatcher::over(vec!["t0ken".into()], note), || {
            tracing::info!("nothing");
            tracing::trace!("Bearer t0ken");
            tracing::debug!(header = "Bearer t0ken", "sent");
            tracing::warn!(header = ?["t0ken"], "sent");
            let span = tracing::trace_span!("send", url = %"https://a.example/?t0ken", later = tracing::field::Empty);
            span.record("later", "t0ken");
        });
        assert_eq!(*told.lock().unwrap(), ["t0ken"; 5]);
    }
}
