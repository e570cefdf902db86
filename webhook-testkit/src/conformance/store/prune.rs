//! Removing what is over and old.

use webhook_core::{
    DeliveryId, DeliveryStatus,
    store::{
        DeliveryLog as _, DeliveryQuery, Enqueue, Enqueued, Finished, Maintenance as _, Prune,
        PruneCursor, Pruned, Redelivered,
    },
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, SECOND, failure, retry, success},
};
use crate::units::DAY;

impl<H: StoreHarness> Fixture<H> {
    /// Prunes to the end.
    pub(super) async fn prune_all(&self, prune: Prune) -> Pruned {
        let mut all = Pruned::default();
        let mut prune = prune;
        for calls in 0.. {
            assert!(calls < 100, "a prune comes to an end");
            let some = self.store.prune(prune).await.expect("a store can be pruned");
            all = all.and(some);
            let Some(next) = some.next else { break };
            prune = prune.after(next);
        }
        all
    }

    /// Prunes what was over for a day.
    async fn prune(&self) -> Pruned {
        self.prune_all(Prune::older_than(DAY)).await
    }

    async fn is_there(&self, id: DeliveryId) -> bool {
        self.store.delivery(id).await.expect("a delivery can be read").is_some()
    }
}

/// So many of each.
fn pruned(deliveries: u64, attempts: u64, events: u64, endpoints: u64) -> Pruned {
    let pruned = Pruned::default().with_deliveries(deliveries, attempts);
    pruned.with_events(events).with_endpoints(endpoints)
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - self.remove_events(&events);
// + return pruned;
pub async fn what_is_over_and_old_is_pruned<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let ids = fixture.pendings(fixture.endpoint().await, 3).await;
    fixture.cancel(ids[0]).await;
    let claims = fixture.claim().await;
    fixture.finish(success(&claims[0])).await;
    fixture.finish(failure(&claims[1])).await;
    fixture.advance(DAY + SECOND).await;
    assert_eq!(fixture.prune().await, pruned(3, 2, 3, 0), "with attempts and events");
    for id in ids {
        assert!(!fixture.is_there(id).await, "the delivery is gone");
        assert!(fixture.attempts(id).await.is_empty(), "and so are its attempts");
        assert_eq!(fixture.store.event(id.event).await.unwrap(), None, "and its event");
    }
    let listed = fixture.store.deliveries(DeliveryQuery::new()).await.unwrap();
    assert!(listed.items.is_empty(), "nothing of it is listed");
    assert_eq!(fixture.prune().await, Pruned::default(), "there is nothing left to prune");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - self.finished_at.is_some_and(|at| at < cutoff)
// + self.finished_at.is_some()
pub async fn what_was_finished_after_the_cut_is_kept<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    fixture.advance(DAY).await;
    let claim = fixture.claim_one().await;
    fixture.finish(success(&claim)).await;
    fixture.advance(DAY).await;
    assert_eq!(fixture.prune().await, Pruned::default(), "it was over for a day, and not longer");
    assert!(fixture.is_there(id).await, "it stays");
    fixture.advance(SECOND / 1000).await;
    assert_eq!(fixture.prune().await, pruned(1, 1, 1, 0), "now it was over for longer");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - self.created_at < cutoff && self.finished_at
// + self.created_at < cutoff && self.claimed_at
pub async fn what_is_not_final_is_never_pruned<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let ids = fixture.pendings(endpoint, 2).await;
    for claim in fixture.claim().await {
        fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    }
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    fixture.claim().await;
    let again = fixture.pending(endpoint).await;
    let claim = fixture.claim_one().await;
    fixture.finish(failure(&claim)).await;
    fixture.advance(DAY * 2).await;
    fixture.redeliver(again).await;
    assert_eq!(fixture.prune().await, Pruned::default(), "in flight and pending");
    assert_eq!(fixture.attempts(ids[0]).await.len(), 1, "attempts of theirs stay");
    assert_eq!(fixture.claim().await.len(), 3, "all of them go on");
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - id.event == event && !except.contains(id)
// + id.event == event && except.contains(id)
pub async fn an_event_stays_as_long_as_one_of_its_deliveries<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (one, other) = (fixture.endpoint().await, fixture.endpoint().await);
    let event = fixture.event();
    fixture.publish(event.clone(), &[one, other]).await;
    let left = DeliveryId::new(event.id, other);
    fixture.cancel(DeliveryId::new(event.id, one)).await;
    fixture.advance(DAY + SECOND).await;
    assert_eq!(fixture.prune().await, pruned(1, 0, 0, 0), "the other one needs it");
    assert_eq!(fixture.claim_one().await.lease.delivery, left, "it can still be sent");
    fixture.cancel(left).await;
    fixture.advance(DAY + SECOND).await;
    assert_eq!(fixture.prune().await, pruned(1, 0, 1, 0), "nobody needs it any more");
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - filter(|row| row.unrouted_from.is_none());
// + filter(|_| true);
pub async fn an_event_for_nobody_is_pruned_once_it_is_routed<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    fixture.publish(fixture.event(), &[]).await;
    let unrouted = fixture.event();
    fixture.enqueue(vec![Enqueue::unrouted(unrouted.clone())]).await;
    fixture.advance(DAY + SECOND).await;
    fixture.publish(fixture.event(), &[]).await;
    assert_eq!(fixture.prune().await, pruned(0, 0, 1, 0), "one is unrouted, one is new");
    let events = fixture.store.claim_unrouted(10, DEFAULT_RETRY_WAIT).await.unwrap().events;
    assert_eq!(events.len(), 1, "it can still be routed");
    assert_eq!(events[0].id, unrouted.id, "as it was given");
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - self.stored_at.get(id) < Some(&cut)
// + self.stored_at.get(id) <= Some(&cut)
pub async fn a_key_is_remembered_as_long_as_its_event<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let keyed = || fixture.event().with_key(Some("invoice-42".parse().unwrap()));
    let first = keyed();
    fixture.publish(first.clone(), &[]).await;
    fixture.advance(DAY).await;
    fixture.prune().await;
    let answers = fixture.enqueue(vec![Enqueue::unrouted(keyed())]).await;
    assert_eq!(answers, [Enqueued::Duplicate(first.id)], "the event is there");
    fixture.advance(SECOND).await;
    fixture.prune().await;
    let answers = fixture.enqueue(vec![Enqueue::unrouted(keyed())]).await;
    assert_eq!(answers, [Enqueued::Later], "the event is gone, and its key is free");
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - let deliveries = self.old_deliveries(cut, most);
// + let deliveries = self.old_deliveries(cut, most);
// + if prune.dry_run { self.deliveries.clear(); }
pub async fn a_dry_run_counts_and_removes_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (left, gone) = (fixture.endpoint().await, fixture.endpoint().await);
    let event = fixture.event();
    fixture.publish(event.clone(), &[left, gone]).await;
    for claim in fixture.claim().await {
        fixture.finish(failure(&claim)).await;
    }
    fixture.pending(left).await;
    fixture.publish(fixture.event(), &[]).await;
    fixture.remove(gone).await;
    fixture.advance(DAY + SECOND).await;
    let expected = pruned(2, 2, 2, 1);
    for limit in [1, 100] {
        let dry = Prune::older_than(DAY).dry_run().limit(limit);
        assert_eq!(fixture.prune_all(dry).await, expected, "counted, in pages of {limit}");
    }
    assert!(fixture.is_there(DeliveryId::new(event.id, gone)).await, "nothing is removed");
    assert_eq!(fixture.prune().await, expected, "and this is what is");
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - .with_endpoints(count(self.unused_endpoints(cut, most, &deliveries).len()))
// + .with_endpoints(count(self.endpoints.values().filter(|row| row.removed_at < Some(cut)).count()))
pub async fn a_dry_run_leaves_a_removed_endpoint_with_what_ended_later<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let gone = fixture.endpoint().await;
    let (id, _) = fixture.tracked_record_at(gone).await;
    fixture.remove(gone).await;
    fixture.advance(DAY).await;
    fixture.record(id, 1, DeliveryStatus::Success).await;
    fixture.advance(SECOND).await;
    let dry = fixture.prune_all(Prune::older_than(DAY).dry_run()).await;
    assert_eq!(dry, Pruned::default(), "its sender has just come to an end");
    assert_eq!(fixture.prune().await, dry, "and this is what goes");
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - let most = if prune.dry_run { usize::MAX } else { prune.limit };
// + let most = usize::MAX;
pub async fn a_prune_stops_at_its_limit_and_can_go_on<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let ids = fixture.pendings(fixture.endpoint().await, 5).await;
    fixture.cancel_all(ids).await;
    fixture.advance(DAY + SECOND).await;
    let few = Prune::older_than(DAY).limit(2);
    let cancelled = PruneCursor::Deliveries(DeliveryStatus::Cancelled, None);
    let some = fixture.store.prune(few.after(cancelled)).await.unwrap();
    assert_eq!((some.deliveries, some.next.is_some()), (2, true), "no more than were asked for");
    assert_eq!(fixture.prune_all(few).await, pruned(3, 0, 5, 0), "the rest, from the beginning");
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - filter(|(_, row)| row.removed_at.is_some_and(|at| at < cut));
// + filter(|(_, row)| row.removed);
pub async fn a_removed_endpoint_is_pruned_after_its_deliveries<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (gone, left) = (fixture.endpoint().await, fixture.endpoint().await);
    let (unused, recent) = (fixture.endpoint().await, fixture.endpoint().await);
    let id = fixture.pending(gone).await;
    let before = fixture.stored(gone).await;
    fixture.remove(unused).await;
    fixture.advance(DAY).await;
    fixture.remove(gone).await;
    fixture.remove(recent).await;
    fixture.advance(SECOND).await;
    assert_eq!(fixture.prune().await, pruned(0, 0, 0, 1), "the old one without deliveries");
    assert_eq!(fixture.delivery(id).await.url, before.url, "the log needs the other one");
    fixture.advance(DAY).await;
    assert_eq!(fixture.prune().await, pruned(1, 0, 1, 2), "with its last delivery");
    fixture.stored(left).await;
    fixture.store.add_endpoint(before).await.expect("nothing is left of it");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - finished_at: status.is_final().then_some(now),
pub async fn tracked_deliveries_are_pruned_like_others<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (id, _) = fixture.tracked_record().await;
    fixture.advance(DAY * 2).await;
    assert_eq!(fixture.prune().await, Pruned::default(), "its sender still has it");
    fixture.record(id, 1, DeliveryStatus::Failed).await;
    fixture.advance(DAY + SECOND).await;
    assert_eq!(fixture.prune().await, pruned(1, 1, 1, 0), "it is over");
}

// Catches in webhook-testkit/src/memory/prune.rs:
// - deliveries.iter().for_each(|id| drop(self.deliveries.remove(id)));
// + return pruned;
pub async fn what_was_pruned_is_answered_as_not_there<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let late = fixture.claim_one().await;
    fixture.cancel(id).await;
    fixture.advance(DAY + DEFAULT_LEASE).await;
    fixture.prune().await;
    assert_eq!(fixture.redeliver(id).await, Redelivered::NotFound, "it is gone");
    assert_eq!(fixture.finish(success(&late)).await, Finished::LeaseLost, "for its worker, too");
    assert!(!fixture.is_there(id).await, "and stays so");
}
