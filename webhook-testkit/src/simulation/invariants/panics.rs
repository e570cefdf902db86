use super::{Action, Invariant, Model, SendOutcome, TraceEvent, Verdict};

// Catches `a panic is not caught` in webhook-core/src/engine/exchanger.rs:
// - let outcome = signed_and_sent.catch_unwind().await.unwrap_or_else(|_| panicked());
// + let _ = panicked;
// + let outcome = signed_and_sent.await;
/// A panic of the transport ends the attempt, and never the worker.
#[derive(Debug, Default)]
pub(super) struct Panics;

impl Invariant for Panics {
    fn check(&mut self, traced: &TraceEvent, _: &Model) -> Verdict {
        match &traced.action {
            Action::Panicked(text) => Verdict::Violated(None, format!("a task panicked: {text}")),
            Action::SendEnded { outcome: SendOutcome::Panicked, .. } => Verdict::Held(1),
            _ => Verdict::NotApplicable,
        }
    }
}
