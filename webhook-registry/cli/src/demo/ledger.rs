//! The requests that a receiver of the demo has seen.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// What a receiver got.
#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Arc<Mutex<Page>>);

/// By `webhook-id`, how often; and how many requests did not verify.
#[derive(Debug, Default)]
struct Page {
    seen: BTreeMap<String, u32>,
    unverified: usize,
}

impl Ledger {
    /// Writes a request down, and says the how many-th of its event it is.
    pub(super) fn note(&self, id: String, verified: bool) -> u32 {
        let mut page = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        page.unverified += usize::from(!verified);
        let times = page.seen.entry(id).or_default();
        *times += 1;
        *times
    }

    /// Requests by event.
    pub(super) fn seen(&self) -> BTreeMap<String, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seen.clone()
    }

    /// Requests whose signature did not verify.
    pub(super) fn unverified(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unverified
    }
}
