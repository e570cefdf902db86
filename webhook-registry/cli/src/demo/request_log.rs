//! The requests that a receiver of the demo has seen.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

/// Requests that a receiver has seen, shared with its server.
#[derive(Clone, Debug, Default)]
pub(super) struct RequestLog(Arc<Mutex<RequestCounts>>);

/// Number of requests for each `webhook-id`, and of requests that did not verify.
#[derive(Debug, Default)]
struct RequestCounts {
    seen: BTreeMap<String, u32>,
    unverified: usize,
}

impl RequestLog {
    /// Records a request; returns the number of requests for its event until now.
    pub(super) fn record(&self, id: String, verified: bool) -> u32 {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.unverified += usize::from(!verified);
        let times = counts.seen.entry(id).or_default();
        *times += 1;
        *times
    }

    /// Number of requests for each event.
    pub(super) fn seen(&self) -> BTreeMap<String, u32> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).seen.clone()
    }

    /// Number of requests whose signature did not verify.
    pub(super) fn unverified(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).unverified
    }
}
