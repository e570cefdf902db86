//! Claims of unrouted events.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use crate::model::{
    id::{EventId, TenantId},
    ordering_key::OrderingKey,
    time::Timestamp,
};

/// Part of an unrouted event that a claim needs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnroutedEntry {
    /// Id of the event.
    pub id: EventId,
    /// Tenant and ordering key of the event. Events of one key are routed in order.
    pub key: Option<(TenantId, OrderingKey)>,
    /// Time at which the event was stored.
    pub stored_at: Timestamp,
    /// Time from which a worker may claim the event.
    pub claimable_at: Timestamp,
}

/// Selects up to `limit` unrouted events for a claim at `now`.
///
/// Returns them in the order in which they were stored, and the time until another event may be
/// claimed.
///
/// Events that have waited longest are selected first. An event with an ordering key is selected
/// only together with all earlier ones of its key. It is not selected while another worker has one
/// of them.
pub fn claim_unrouted_first(
    mut entries: Vec<UnroutedEntry>,
    limit: usize,
    now: Timestamp,
) -> (Vec<EventId>, Option<Duration>) {
    entries.sort_by_key(|entry| (entry.stored_at, entry.id));
    let (mut queues, mut held) = (BTreeMap::<_, VecDeque<_>>::new(), BTreeSet::new());
    for entry in &entries {
        let Some(key) = &entry.key else { continue };
        if entry.claimable_at > now || held.contains(key) {
            held.insert(key);
        } else {
            queues.entry(key).or_default().push_back(entry);
        }
    }
    let mut by_wait: Vec<_> = entries.iter().collect();
    by_wait.sort_by_key(|entry| (entry.claimable_at, entry.id));
    let (mut taken, mut waits) = (Vec::new(), Vec::new());
    for entry in by_wait {
        // The first event of the same key takes its place, unless another worker has it.
        let first = match &entry.key {
            Some(key) => queues.get_mut(key).and_then(VecDeque::pop_front),
            None => Some(entry),
        };
        if entry.claimable_at > now {
            waits.push(entry.claimable_at.since(now));
        } else if taken.len() < limit {
            taken.extend(first);
        } else if first.is_some() {
            waits.push(Duration::ZERO);
        }
    }
    taken.sort_by_key(|entry| (entry.stored_at, entry.id));
    (taken.into_iter().map(|entry| entry.id).collect(), waits.into_iter().min())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    const fn at(secs: i64) -> Timestamp {
        Timestamp::from_unix_secs(secs)
    }

    fn id(number: u128) -> EventId {
        EventId::from_uuid(Uuid::from_u128(number))
    }

    fn entry(number: u128, key: &str, stored_at: i64, claimable_at: i64) -> UnroutedEntry {
        let key = key.parse().ok().map(|key: OrderingKey| (TenantId::default(), key));
        let (stored_at, claimable_at) = (at(stored_at), at(claimable_at));
        UnroutedEntry { id: id(number), key, stored_at, claimable_at }
    }

    fn claim(entries: &[UnroutedEntry], limit: usize) -> (Vec<EventId>, Option<u64>) {
        let (taken, wait) = claim_unrouted_first(entries.to_vec(), limit, at(10));
        (taken, wait.map(|wait| wait.as_secs()))
    }

    #[test]
    fn events_that_waited_longest_are_claimed_in_stored_order() {
        let entries = [entry(1, "", 1, 9), entry(2, "", 3, 4), entry(3, "", 2, 5)];
        assert_eq!(claim(&entries, 3), (vec![id(1), id(3), id(2)], None));
        assert_eq!(claim(&entries, 2), (vec![id(3), id(2)], Some(0)));
        assert_eq!(claim(&entries, 0), (vec![], Some(0)));
        assert_eq!(claim(&[], 1), (vec![], None));
    }

    #[test]
    fn events_of_another_worker_are_claimable_after_its_lease() {
        let entries = [entry(1, "", 1, 40), entry(2, "", 2, 25), entry(3, "", 3, 10)];
        assert_eq!(claim(&entries, 3), (vec![id(3)], Some(15)));
    }

    #[test]
    fn events_of_one_key_wait_for_earlier_ones() {
        let entries =
            [entry(1, "a", 1, 5), entry(2, "a", 2, 25), entry(3, "a", 3, 3), entry(4, "b", 4, 4)];
        assert_eq!(claim(&entries, 9), (vec![id(1), id(4)], Some(15)));
        let waited = [entry(1, "a", 1, 5), entry(2, "a", 2, 4)];
        assert_eq!(claim(&waited, 1), (vec![id(1)], Some(0)), "in the place of the second");
    }

    proptest! {
        #[test]
        fn no_event_overtakes_an_earlier_one_of_its_key(
            rows in proptest::collection::vec((0..3_usize, 0..6_i64, 0..20_i64), 0..12),
            limit in 0..6_usize,
        ) {
            let keys = ["", "a", "b"];
            let entries: Vec<_> = (0..).zip(&rows).map(|(number, (key, stored, from))| {
                entry(number, keys.get(*key).copied().unwrap_or_default(), *stored, *from)
            }).collect();
            let (taken, _) = claim(&entries, limit);
            prop_assert!(taken.len() <= limit);
            for entry in entries.iter().filter(|entry| taken.contains(&entry.id)) {
                prop_assert!(entry.claimable_at <= at(10));
                let place = (entry.stored_at, entry.id);
                let same = entries.iter().filter(|other| other.key == entry.key);
                let mut earlier = same.filter(|other| (other.stored_at, other.id) < place);
                let is_in_order = entry.key.is_none() || earlier.all(|other| taken.contains(&other.id));
                prop_assert!(is_in_order, "{entry:?} of {entries:?}");
            }
        }
    }
}
