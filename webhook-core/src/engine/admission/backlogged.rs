//! Backlogged endpoints: the store has, or may have, due work of theirs.
//!
//! New deliveries for them are stored pending as well, so that they do not overtake older ones.
//! This order is approximate: a claim that finds no more work of an endpoint clears its mark.

use std::collections::BTreeMap;

use crate::model::id::EndpointId;

/// Maximum number of marked endpoints. When it is reached, all endpoints count as backlogged.
const MAX_BACKLOGGED_ENDPOINTS: usize = 10_000;

/// Set of backlogged endpoints.
#[derive(Debug)]
pub(crate) struct Backlogged {
    endpoints: BTreeMap<EndpointId, BacklogMark>,
    /// Number of claims until now.
    round: u64,
}

#[derive(Clone, Copy, Debug)]
struct BacklogMark {
    /// Number of claims that had begun when the endpoint was marked.
    round: u64,
    max_in_flight: u32,
}

impl Backlogged {
    /// Creates an empty set.
    pub(crate) const fn new() -> Self {
        Self { endpoints: BTreeMap::new(), round: 0 }
    }

    /// Marks an endpoint as backlogged.
    pub(crate) fn mark(&mut self, endpoint: EndpointId, max_in_flight: u32) {
        let has_room = self.endpoints.len() < MAX_BACKLOGGED_ENDPOINTS;
        if has_room || self.endpoints.contains_key(&endpoint) {
            self.endpoints.insert(endpoint, BacklogMark { round: self.round, max_in_flight });
        }
    }

    /// Returns true if new deliveries of the endpoint must be claimed.
    pub(crate) fn contains(&self, endpoint: EndpointId) -> bool {
        self.endpoints.len() >= MAX_BACKLOGGED_ENDPOINTS || self.endpoints.contains_key(&endpoint)
    }

    /// Records the start of a claim. Endpoints that are marked later keep their mark after it.
    pub(crate) const fn begin_claim(&mut self) {
        self.round += 1;
    }

    /// Clears marks after a claim that left no due work, except of endpoints that were full.
    /// `in_flight` is as the claim saw it.
    pub(crate) fn claim_finished(&mut self, in_flight: &BTreeMap<EndpointId, u32>) {
        self.endpoints.retain(|id, mark| {
            let full = in_flight.get(id).is_some_and(|count| *count >= mark.max_in_flight);
            full || mark.round >= self.round
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn id(number: u128) -> EndpointId {
        EndpointId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn a_claim_clears_marks_unless_full_or_marked_since() {
        // In flight as the claim saw it, marked during it; still backlogged afterwards?
        let table = [
            (0, false, false),
            (3, false, false),
            (4, false, true),
            (5, false, true),
            (0, true, true),
        ];
        for (in_flight, marked, expected) in table {
            let mut backlogged = Backlogged::new();
            backlogged.mark(id(1), 4);
            backlogged.begin_claim();
            if marked {
                backlogged.mark(id(1), 4);
            }
            backlogged.claim_finished(&BTreeMap::from([(id(1), in_flight)]));
            assert_eq!(backlogged.contains(id(1)), expected, "{in_flight}, {marked}");
            assert!(!backlogged.contains(id(2)));
        }
    }

    #[test]
    fn memory_is_bounded_by_marking_all_endpoints() {
        let mut backlogged = Backlogged::new();
        (0..=MAX_BACKLOGGED_ENDPOINTS as u128).for_each(|number| backlogged.mark(id(number), 1));
        assert_eq!(backlogged.endpoints.len(), MAX_BACKLOGGED_ENDPOINTS);
        assert!(backlogged.contains(id(u128::MAX)));
        backlogged.begin_claim();
        backlogged.claim_finished(&BTreeMap::new());
        assert!(!backlogged.contains(id(0)) && !backlogged.contains(id(u128::MAX)));
    }
}
