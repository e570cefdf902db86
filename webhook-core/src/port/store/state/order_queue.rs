//! Order queue of one endpoint and ordering key.

use std::collections::VecDeque;

use crate::model::{delivery::DeliveryStatus, id::DeliveryId, order::OrderPolicy};

/// Deliveries to one endpoint of one ordering key, in order. Only the first may be claimed.
///
/// Deliveries of events without a key, and of endpoints without an
/// [`OrderPolicy`](crate::OrderPolicy), belong to no queue:
/// [`Endpoint::keeps_order_of`](crate::Endpoint::keeps_order_of).
///
/// A delivery that is leased or missed when it is stored belongs to no queue either.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct OrderQueue {
    deliveries: VecDeque<DeliveryId>,
}

impl OrderQueue {
    /// Appends a pending delivery, unless it is in the queue already. Returns true if the delivery
    /// is [blocked](super::DeliveryState::blocked) by an earlier one.
    pub fn append(&mut self, id: DeliveryId) -> bool {
        if !self.contains(id) {
            self.deliveries.push_back(id);
        }
        self.first() != Some(id)
    }

    /// Removes a delivery. Returns the first one left, which a store
    /// [unblocks](super::DeliveryState::unblocked).
    pub fn remove(&mut self, id: DeliveryId) -> Option<DeliveryId> {
        self.deliveries.retain(|held| *held != id);
        self.first()
    }

    /// Applies a changed policy of the endpoint. Returns the deliveries to unblock.
    ///
    /// `first_status` is the status of the first delivery. Without a policy the queue is empty
    /// afterwards.
    pub fn reorder(
        &mut self,
        policy: Option<OrderPolicy>,
        first_status: DeliveryStatus,
    ) -> Vec<DeliveryId> {
        if policy.is_none() {
            return self.deliveries.drain(..).collect();
        }
        let first = self.first().filter(|_| leaves_queue(policy, first_status));
        first.and_then(|id| self.remove(id)).into_iter().collect()
    }

    /// The delivery that the others wait for.
    pub fn first(&self) -> Option<DeliveryId> {
        self.deliveries.front().copied()
    }

    /// Returns true if the delivery is in the queue.
    pub fn contains(&self, id: DeliveryId) -> bool {
        self.deliveries.contains(&id)
    }

    /// Returns true if no delivery is in the queue.
    pub fn is_empty(&self) -> bool {
        self.deliveries.is_empty()
    }

    /// Returns true if the delivery blocks the queue: it is first and has ended.
    ///
    /// The queue continues when the delivery is redelivered with success, or skipped.
    pub fn is_blocked_by(&self, id: DeliveryId, status: DeliveryStatus) -> bool {
        status.is_final() && self.first() == Some(id)
    }
}

/// Returns true if a delivery in this status leaves its order queue, by the policy of its endpoint
/// at this moment.
pub fn leaves_queue(policy: Option<OrderPolicy>, status: DeliveryStatus) -> bool {
    policy.is_some_and(|policy| policy.leaves_line(status))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{EndpointId, EventId};
    use proptest::prelude::*;
    use uuid::Uuid;

    fn id(number: u128) -> DeliveryId {
        let endpoint = EndpointId::from_uuid(Uuid::nil());
        DeliveryId::new(EventId::from_uuid(Uuid::from_u128(number)), endpoint)
    }

    fn queue(ids: impl IntoIterator<Item = u128>) -> OrderQueue {
        OrderQueue { deliveries: ids.into_iter().map(id).collect() }
    }

    #[test]
    fn deliveries_behind_the_first_are_blocked() {
        let mut queue = OrderQueue::default();
        assert!(queue.is_empty());
        assert_eq!([1, 2, 3].map(|number| queue.append(id(number))), [false, true, true]);
        assert_eq!(queue.first(), Some(id(1)));
        assert!(queue.contains(id(3)) && !queue.contains(id(4)) && !queue.is_empty());
    }

    #[test]
    fn a_delivery_that_is_appended_again_keeps_its_place() {
        let mut queue = queue([1, 2]);
        assert!(!queue.append(id(1)));
        assert!(queue.append(id(2)));
        assert_eq!(queue, super::tests::queue([1, 2]));
    }

    #[test]
    fn the_removal_of_the_first_unblocks_the_next() {
        let mut queue = queue([1, 2, 3]);
        assert_eq!(queue.remove(id(1)), Some(id(2)));
        assert_eq!(queue.remove(id(3)), Some(id(2)), "the first stays first");
        assert_eq!(queue.remove(id(2)), None);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_changed_policy_unblocks() {
        use DeliveryStatus::{Failed, InFlight, Pending};
        let table = [
            (None, Pending, vec![1, 2, 3], vec![]),
            (None, Failed, vec![1, 2, 3], vec![]),
            (Some(OrderPolicy::Block), Pending, vec![], vec![1, 2, 3]),
            (Some(OrderPolicy::Block), Failed, vec![], vec![1, 2, 3]),
            (Some(OrderPolicy::Skip), InFlight, vec![], vec![1, 2, 3]),
            (Some(OrderPolicy::Skip), Failed, vec![2], vec![2, 3]),
        ];
        for (policy, status, unblocked, left) in table {
            let mut queue = queue([1, 2, 3]);
            let unblocked: Vec<_> = unblocked.into_iter().map(id).collect();
            assert_eq!(queue.reorder(policy, status), unblocked, "{policy:?}, {status}");
            assert_eq!(queue, super::tests::queue(left), "{policy:?}, {status}");
        }
    }

    #[test]
    fn only_the_first_blocks_and_only_after_its_end() {
        for status in DeliveryStatus::ALL {
            let queue = queue([1, 2]);
            assert_eq!(queue.is_blocked_by(id(1), status), status.is_final(), "{status}");
            assert!(!queue.is_blocked_by(id(2), status), "{status}");
        }
    }

    #[test]
    fn without_a_policy_no_delivery_leaves() {
        for status in DeliveryStatus::ALL {
            assert!(!leaves_queue(None, status));
            for policy in [OrderPolicy::Block, OrderPolicy::Skip] {
                assert_eq!(leaves_queue(Some(policy), status), policy.leaves_line(status));
            }
        }
    }

    proptest! {
        #[test]
        fn deliveries_become_first_in_the_order_of_their_append(
            numbers in proptest::collection::vec(0_u128..6, 1..12),
        ) {
            let mut expected: Vec<u128> = Vec::new();
            let mut queue = OrderQueue::default();
            for number in numbers {
                if !expected.contains(&number) {
                    expected.push(number);
                }
                prop_assert_eq!(queue.append(id(number)), expected[0] != number);
            }
            let mut order = Vec::new();
            while let Some(first) = queue.first() {
                order.push(first);
                prop_assert_eq!(queue.remove(first), queue.first());
            }
            prop_assert_eq!(order, expected.into_iter().map(id).collect::<Vec<_>>());
        }
    }
}
