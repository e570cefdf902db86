//! What attempts leave in the log.
//!
//! A program of its own, with one test: which events of the log anybody listens to is decided for a
//! whole process, by whichever test comes first.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use webhook_core::{Publisher, RetryPolicy};
use webhook_testkit::{ManualClock, PlainSigner, ScriptedTransport, SequenceIds, sample, status};

#[tokio::test]
async fn each_attempt_is_one_line_in_the_log_and_no_secret_is_in_it() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone());
    subscriber.with_ansi(false).without_time().init();

    let (clock, ids, transport) =
        (ManualClock::new(), SequenceIds::new(), ScriptedTransport::new());
    transport.answers([status(503)]);
    let url = "https://billing.example/hooks?token=t0ken".parse().unwrap();
    let signer = Arc::new(PlainSigner::new());
    let event = sample::event("invoice.paid").into_event(|| ids.event(), ManualClock::START);
    let at_once = RetryPolicy::list([Duration::ZERO]).unwrap();
    let publisher =
        Publisher::new(ids.endpoint(), url, Arc::new(transport), signer, Arc::new(clock))
            .retry(at_once);
    publisher.publish(&event).await.unwrap();

    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    assert_eq!(lines.len(), 2, "{text}");
    let fields = "url=https://billing.example/hooks event_type=invoice.paid attempt=";
    assert!(lines[0].starts_with("WARN"), "{text}");
    assert!(lines[0].ends_with(&format!("{fields}1 error=status 503")), "{text}");
    assert!(lines[1].starts_with("INFO") && lines[1].ends_with(&format!("{fields}2")), "{text}");
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> tracing_subscriber::fmt::MakeWriter<'w> for Log {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}
