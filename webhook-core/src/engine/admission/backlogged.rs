//! Endpoints that are known to be behind: due work of theirs waits in the store.
//!
//! What is published for them goes there too, so that it does not overtake what is older. That is a
//! matter of order alone, and kept roughly: a claim that finds nothing more ends it.

use std::collections::BTreeMap;

use crate::model::id::EndpointId;

/// Endpoints remembered. While there are more, all count as behind.
const MOST: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Behind {
    endpoints: BTreeMap<EndpointId, Mark>,
    /// Claims so far.
    round: u64,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The claim before which it was noted, or during which.
    round: u64,
    max_in_flight: u32,
}

impl Behind {
    /// Nobody.
    pub(crate) const fn new() -> Self {
        Self { endpoints: BTreeMap::new(), round: 0 }
    }

    /// Notes that an endpoint has due work in the store, or may have.
    pub(crate) fn note(&mut self, endpoint: EndpointId, max_in_flight: u32) {
        if self.endpoints.len() < MOST || self.endpoints.contains_key(&endpoint) {
            self.endpoints.insert(endpoint, Mark { round: self.round, max_in_flight });
        }
    }

    /// Whether what is published for it has to stand in line.
    pub(crate) fn has(&self, endpoint: EndpointId) -> bool {
        self.endpoints.len() >= MOST || self.endpoints.contains_key(&endpoint)
    }

    /// A claim begins. What is noted from now on, it may not have seen.
    pub(crate) const fn begin_claim(&mut self) {
        self.round += 1;
    }

    /// A claim has looked at every endpoint that has due work: those that could have had more than
    /// they have `in_flight` now, as it saw them, have no more.
    pub(crate) fn looked(&mut self, in_flight: &BTreeMap<EndpointId, u32>) {
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
    fn a_look_ends_it_unless_the_endpoint_was_full_or_noted_since() {
        // In flight as the claim saw it, noted during it; still behind afterwards?
        let table = [
            (0, false, false),
            (3, false, false),
            (4, false, true),
            (5, false, true),
            (0, true, true),
        ];
        for (in_flight, noted, expected) in table {
            let mut behind = Behind::new();
            behind.note(id(1), 4);
            behind.begin_claim();
            if noted {
                behind.note(id(1), 4);
            }
            behind.looked(&BTreeMap::from([(id(1), in_flight)]));
            assert_eq!(behind.has(id(1)), expected, "{in_flight}, {noted}");
            assert!(!behind.has(id(2)));
        }
    }

    #[test]
    fn memory_is_bounded_by_letting_all_stand_in_line() {
        let mut behind = Behind::new();
        (0..=MOST as u128).for_each(|number| behind.note(id(number), 1));
        assert_eq!(behind.endpoints.len(), MOST);
        assert!(behind.has(id(u128::MAX)));
        behind.begin_claim();
        behind.looked(&BTreeMap::new());
        assert!(!behind.has(id(0)) && !behind.has(id(u128::MAX)));
    }
}
