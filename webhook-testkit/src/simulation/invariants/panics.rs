use super::{Judgement, Law};
use crate::simulation::{
    model::Ledger,
    trace::{Came, Happening, What},
};

// Catches `a panic is not caught` in webhook-core/src/engine/exchanger.rs:
// - let outcome = signed_and_sent.catch_unwind().await.unwrap_or_else(|_| panicked());
// + let _ = panicked;
// + let outcome = signed_and_sent.await;
/// A transport that panics ends its attempt, and never its worker.
#[derive(Debug)]
pub(super) struct Panics;

impl Law for Panics {
    fn text(&self) -> (&'static str, &'static str) {
        ("panics", "a transport that panics ends its attempt, and never its worker")
    }

    fn see(&mut self, it: &Happening, _: &Ledger) -> Judgement {
        match &it.what {
            What::Panicked(text) => Judgement::Broken(None, format!("a task panicked: {text}")),
            What::SendEnded { came: Came::Panicked, .. } => Judgement::Held(1),
            _ => Judgement::Silent,
        }
    }
}
