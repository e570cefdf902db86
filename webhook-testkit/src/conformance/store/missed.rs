//! What an endpoint misses while it is disabled; and events that go straight to one endpoint.

use webhook_core::{
    DeliveryId, DeliveryStatus, DisabledReason, EndpointId, EndpointState, TenantId, Trigger,
    store::{
        Cancelled, DeliveryLog as _, Enqueue, Enqueued, FanOut, NewDelivery, Prune, Redelivered,
        Route, Routed,
    },
};

use super::{Fixture, StoreHarness, fixture::SECOND};

const DISABLED: EndpointState = EndpointState::Disabled(DisabledReason::ByHand);

impl<H: StoreHarness> Fixture<H> {
    /// An endpoint that is disabled.
    pub(super) async fn disabled(&self) -> EndpointId {
        self.add(self.new_endpoint().with_state(DISABLED)).await
    }

    /// A new event that this endpoint misses.
    pub(super) async fn missed(&self, endpoint: EndpointId) -> DeliveryId {
        let event = self.event();
        let id = DeliveryId::new(event.id, endpoint);
        let fan_out = FanOut::by(self.version().await, vec![NewDelivery::missed(endpoint)]);
        let answers = self.enqueue(vec![Enqueue::routed(event, fan_out)]).await;
        assert_eq!(answers, [Enqueued::Routed(0)], "what is missed does not count");
        id
    }
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - state.status = DeliveryStatus::Missed;
pub async fn what_a_disabled_endpoint_misses_is_on_record_and_never_claimed<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.disabled().await;
    let id = fixture.missed(endpoint).await;
    let delivery = fixture.delivery(id).await;
    assert_eq!(delivery.status, DeliveryStatus::Missed, "it is on record");
    assert_eq!((delivery.attempts, delivery.due_at), (0, None), "and never tried");
    fixture.set_state(endpoint, EndpointState::Active).await;
    fixture.advance(SECOND).await;
    fixture.assert_nothing_to_claim("what was missed waits to be asked for").await;
    let left = fixture.store.backlog().await.unwrap();
    assert_eq!((left.pending, left.waiting), (0, 0), "nobody has to do with it");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - count += usize::from(!new.missed);
// + count += 1;
pub async fn what_is_missed_is_stored_with_the_rest_of_an_event<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (well, disabled) = (fixture.endpoint().await, fixture.disabled().await);
    let event = fixture.event();
    let ids = [well, disabled].map(|endpoint| DeliveryId::new(event.id, endpoint));
    let both = vec![NewDelivery::pending(well), NewDelivery::missed(disabled)];
    let fan_out = FanOut::by(fixture.version().await, both);
    let answers = fixture.enqueue(vec![Enqueue::routed(event, fan_out)]).await;
    assert_eq!(answers, [Enqueued::Routed(1)], "what is missed does not count");
    assert_eq!(fixture.status(ids[0]).await, DeliveryStatus::Pending, "one is to be sent");
    assert_eq!(fixture.status(ids[1]).await, DeliveryStatus::Missed, "the other is missed");
    assert_eq!(fixture.claim_one().await.lease.delivery, ids[0], "and only the one is claimed");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.add_deliveries(&event, item.deliveries, now);
// + let real = item.deliveries.into_iter().filter(|new| !new.missed).collect();
// + self.add_deliveries(&event, real, now);
pub async fn an_event_routed_later_is_missed_too<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (well, disabled) = (fixture.endpoint().await, fixture.disabled().await);
    let event = fixture.event();
    let ids = [well, disabled].map(|endpoint| DeliveryId::new(event.id, endpoint));
    let route = vec![NewDelivery::pending(well), NewDelivery::missed(disabled)];
    let route = Route::by(event.id, fixture.version().await, route);
    fixture.enqueue(vec![Enqueue::unrouted(event)]).await;
    assert_eq!(fixture.store.route(vec![route]).await.unwrap(), [Routed::Done], "it is routed");
    assert_eq!(fixture.status(ids[0]).await, DeliveryStatus::Pending, "one is to be sent");
    assert_eq!(fixture.status(ids[1]).await, DeliveryStatus::Missed, "the other is missed");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if !self.status.is_final() || item
// + if !self.status.is_final() || self.status == DeliveryStatus::Missed || item
pub async fn what_was_missed_can_be_redelivered<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.disabled().await;
    let id = fixture.missed(endpoint).await;
    assert_eq!(fixture.redeliver(id).await, Redelivered::Done, "it is to be sent now");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Pending, "it waits");
    fixture.assert_nothing_to_claim("its endpoint is still disabled").await;
    fixture.set_state(endpoint, EndpointState::Active).await;
    let claim = fixture.claim_one().await;
    assert_eq!((claim.lease.delivery, claim.progress.attempt), (id, 1), "its first attempt");
    assert_eq!(claim.trigger(), Trigger::Manual, "made by hand");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if self.status.is_final() {
// + if self.status.is_final() && self.status != DeliveryStatus::Missed {
pub async fn what_was_missed_is_not_cancelled<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.missed(fixture.disabled().await).await;
    let unchanged = Cancelled::Unchanged(DeliveryStatus::Missed);
    assert_eq!(fixture.cancel(id).await, unchanged, "it is final");
}

// Catches in webhook-core/src/port/store/state/transition.rs:
// - if self.status.is_final() {
// + if matches!(self.status, DeliveryStatus::Success | DeliveryStatus::Failed) {
pub async fn what_was_missed_stays_when_its_endpoint_is_removed<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.missed(fixture.disabled().await).await;
    fixture.remove(id.endpoint).await;
    assert_eq!(fixture.status(id).await, DeliveryStatus::Missed, "the record stays");
    assert_eq!(fixture.redeliver(id).await, Redelivered::EndpointGone, "there is no way to go");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - state.finished_at = Some(now);
pub async fn what_was_missed_is_pruned_like_others<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.missed(fixture.disabled().await).await;
    fixture.advance(SECOND * 2).await;
    let pruned = fixture.prune_all(Prune::older_than(SECOND)).await;
    assert_eq!((pruned.deliveries, pruned.events), (1, 1), "it is over and old");
    assert_eq!(fixture.store.delivery(id).await.unwrap(), None, "and gone");
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - if has_all { Intake::Routed }
// + if has_all { Intake::Unrouted }
pub async fn an_event_may_go_straight_to_one_endpoint<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (to, other) = (fixture.endpoint().await, fixture.endpoint().await);
    let event = fixture.event();
    let (id, elsewhere) = (DeliveryId::new(event.id, to), DeliveryId::new(event.id, other));
    let directly = FanOut::directly(NewDelivery::pending(to).with_cause(Trigger::Test));
    let answers = fixture.enqueue(vec![Enqueue::routed(event, directly)]).await;
    assert_eq!(answers, [Enqueued::Routed(1)], "whatever the version");
    let unrouted = fixture.store.claim_unrouted(9, SECOND).await.unwrap();
    assert!(unrouted.events.is_empty(), "nobody routes it to others");
    let claim = fixture.claim_one().await;
    assert_eq!((claim.lease.delivery, claim.trigger()), (id, Trigger::Test), "it goes there");
    assert_eq!(fixture.store.delivery(elsewhere).await.unwrap(), None, "and nowhere else");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - let endpoint = |id| self.endpoint(id).map(|endpoint| &**endpoint);
// + let endpoint = |id| self.endpoints.get(&id).map(|row| &*row.endpoint);
pub async fn an_event_for_an_endpoint_that_is_gone_is_not_stored<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (gone, there) = (fixture.endpoint().await, fixture.endpoint().await);
    fixture.remove(gone).await;
    let event = fixture.event();
    let of_other = fixture.event_of(&"acme".parse::<TenantId>().unwrap());
    let to = |event: &webhook_core::Event, endpoint| {
        let directly = FanOut::directly(NewDelivery::pending(endpoint));
        Enqueue::routed(event.clone(), directly)
    };
    let unknown = fixture.ids.endpoint();
    for (event, endpoint) in [(&event, gone), (&event, unknown), (&of_other, there)] {
        let answers = fixture.enqueue(vec![to(event, endpoint)]).await;
        assert_eq!(answers, [Enqueued::EndpointGone], "there is no such endpoint");
        assert_eq!(fixture.store.event(event.id).await.unwrap(), None, "nothing is stored");
    }
    let twice = fixture.enqueue(vec![to(&event, gone), to(&event, there)]).await;
    assert_eq!(twice, [Enqueued::EndpointGone, Enqueued::Routed(1)], "each of a batch by itself");
}
