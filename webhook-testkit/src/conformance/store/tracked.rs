//! The record of sending within a call.

use std::collections::BTreeSet;

use webhook_core::{
    Delivery, DeliveryId, DeliveryStatus, EndpointId, Event, EventId, StoreErrorKind,
    store::{
        Backlog, DeliveryLog as _, DeliveryQuery, Enqueue, Enqueued, Route, Routed,
        TrackedDeliveries as _,
    },
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, SECOND, accepted, refused, some_time, success},
};

impl<H: StoreHarness> Fixture<H> {
    /// An event and the record of sending it, not stored yet.
    fn new_tracked(&self) -> (Event, Delivery) {
        self.new_tracked_at(self.ids.endpoint())
    }

    fn new_tracked_at(&self, endpoint: EndpointId) -> (Event, Delivery) {
        let event = self.event_of(&"acme".parse().unwrap());
        let id = DeliveryId::new(event.id, endpoint);
        let url = "https://once.example/hooks?token=t0ken".parse().unwrap();
        let (tenant, event_type) = (event.tenant.clone(), event.event_type.clone());
        (event, Delivery::new(id, tenant, event_type, url, some_time()))
    }

    async fn open(&self, (event, delivery): &(Event, Delivery)) -> u32 {
        let opened = self.store.open_tracked(event, delivery.clone()).await;
        opened.expect("a record can be opened")
    }

    /// Opens the record of sending a new event; its id, and that of its event.
    pub(super) async fn tracked_record(&self) -> (DeliveryId, EventId) {
        self.tracked_record_at(self.ids.endpoint()).await
    }

    /// The same, at an endpoint of this id.
    pub(super) async fn tracked_record_at(&self, endpoint: EndpointId) -> (DeliveryId, EventId) {
        let tracked = self.new_tracked_at(endpoint);
        self.open(&tracked).await;
        (tracked.1.id, tracked.0.id)
    }

    /// A record of this durable delivery cannot be opened, and trying changes nothing.
    async fn assert_not_tracked(&self, id: DeliveryId, why: &str) {
        let before = self.delivery(id).await;
        let event = self.stored_event(id.event).await;
        let opened = self.store.open_tracked(&event, before.clone()).await;
        assert_eq!(opened.expect_err(why).kind(), StoreErrorKind::Exists, "{why}");
        assert_eq!(self.delivery(id).await, before, "it stays as it is: {why}");
    }

    pub(super) async fn record(&self, id: DeliveryId, number: u32, status: DeliveryStatus) {
        let attempt =
            if status == DeliveryStatus::Success { accepted(number) } else { refused(number) };
        let recorded = self.store.record_tracked(id, attempt, status).await;
        recorded.expect("an attempt can be recorded");
    }
}

// Catches in webhook-testkit/src/memory/log.rs:
// - self.store_event(&Arc::new(self.without_taken_key(event)), None);
pub async fn a_tracked_delivery_is_on_record_before_its_first_attempt<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let tracked = fixture.new_tracked();
    assert_eq!(fixture.open(&tracked).await, 0, "a new record has no attempts");
    let (event, delivery) = tracked;
    let stored = fixture.delivery(delivery.id).await;
    assert_eq!(stored.status, DeliveryStatus::Pending, "it is pending");
    assert_eq!((stored.attempts, stored.last_error), (0, None), "nothing has happened yet");
    assert_eq!(stored.url.as_str(), delivery.url.as_str(), "the whole URL is kept");
    assert_eq!(stored.tenant, delivery.tenant, "its tenant is kept");
    assert_eq!(*fixture.stored_event(event.id).await, event, "its event is stored with it");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - attempts: self.attempts.max(attempt.number),
pub async fn a_tracked_delivery_keeps_the_true_number_of_attempts<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let tracked = fixture.new_tracked();
    let id = tracked.1.id;
    fixture.open(&tracked).await;
    fixture.record(id, 1, DeliveryStatus::Pending).await;
    let pending = fixture.delivery(id).await;
    assert_eq!((pending.status, pending.attempts), (DeliveryStatus::Pending, 1), "one so far");
    assert_eq!(pending.last_error.as_deref(), Some("could not connect"), "it says what is wrong");
    assert!(pending.last_attempt_at.is_some(), "it says when that was");
    fixture.record(id, 2, DeliveryStatus::Success).await;
    let done = fixture.delivery(id).await;
    assert_eq!((done.status, done.attempts), (DeliveryStatus::Success, 2), "two in the end");
    assert_eq!(fixture.attempts(id).await, [refused(1), accepted(2)], "each is on record");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - row.state = row.state.recorded(&attempt, status, now);
// + row.state = row.state.recorded(&attempt, row.state.status, now);
pub async fn a_tracked_delivery_may_fail<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let tracked = fixture.new_tracked();
    fixture.open(&tracked).await;
    fixture.record(tracked.1.id, 1, DeliveryStatus::Failed).await;
    let failed = DeliveryQuery::new().status(DeliveryStatus::Failed);
    let listed = fixture.store.deliveries(failed).await.unwrap().items;
    assert_eq!(listed, [fixture.delivery(tracked.1.id).await], "it is among those that failed");
    assert_eq!(listed[0].last_error.as_deref(), Some("could not connect"), "it says why");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - Ok(row.state.attempts)
// + Ok(0)
pub async fn a_record_opened_again_goes_on_counting<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let tracked = fixture.new_tracked();
    let id = tracked.1.id;
    fixture.open(&tracked).await;
    fixture.record(id, 1, DeliveryStatus::Pending).await;
    fixture.record(id, 2, DeliveryStatus::Failed).await;
    assert_eq!(fixture.open(&tracked).await, 2, "an earlier call has made two");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Pending, "it is pending again");
    fixture.record(id, 3, DeliveryStatus::Success).await;
    assert_eq!(fixture.attempt_numbers(id).await, [1, 2, 3], "numbers go on");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - !self.tracked && !self.status.is_final()
// + !self.status.is_final()
pub async fn a_tracked_delivery_is_never_claimed<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let mut tracked = fixture.new_tracked();
    // Even to an endpoint that is registered.
    tracked.1.id.endpoint = fixture.endpoint().await;
    fixture.open(&tracked).await;
    fixture.record(tracked.1.id, 1, DeliveryStatus::Pending).await;
    fixture.advance(DEFAULT_LEASE * 10).await;
    fixture.assert_nothing_to_claim("its sender has it").await;
    let unrouted = fixture.store.claim_unrouted(10, DEFAULT_LEASE).await.unwrap();
    assert!(unrouted.events.is_empty(), "its event is not routed to anybody");
    let backlog = fixture.store.backlog().await.unwrap();
    assert_eq!(backlog, Backlog::default(), "it is nothing that a dispatcher has left to do");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - matches(query, **id, row));
// + row.tracked_url.is_none() && matches(query, **id, row));
pub async fn tracked_and_stored_deliveries_are_listed_together<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let stored = fixture.pending(fixture.endpoint().await).await;
    fixture.advance(SECOND).await;
    let tracked = fixture.new_tracked();
    fixture.open(&tracked).await;
    let page = fixture.store.deliveries(DeliveryQuery::new()).await.unwrap();
    let ids: BTreeSet<_> = page.items.iter().map(|delivery| delivery.id).collect();
    assert_eq!(ids, BTreeSet::from([stored, tracked.1.id]), "one log holds both");
    let mine = DeliveryQuery::new().tenant("acme".parse().unwrap()).event(tracked.0.id);
    let page = fixture.store.deliveries(mine).await.unwrap();
    assert_eq!(page.items.len(), 1, "a tracked one is found by tenant and event");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.events.get(&id);
// + self.events.get(&id).filter(|row| row.unrouted_from.is_some());
pub async fn an_event_on_record_is_not_enqueued_again<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let tracked = fixture.new_tracked();
    fixture.open(&tracked).await;
    let answers = fixture.enqueue(vec![Enqueue::unrouted(tracked.0.clone())]).await;
    assert_eq!(answers, [Enqueued::Duplicate(tracked.0.id)], "its id is taken");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - self.store_event(&Arc::new(self.without_taken_key(event)), None);
// + self.store_event(&Arc::new(event.clone()), None);
pub async fn a_tracked_event_leaves_a_taken_key_to_the_first<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (mut event, delivery) = fixture.new_tracked();
    event.key = Some("invoice-42".parse().unwrap());
    let mut first = fixture.event_of(&event.tenant);
    first.key.clone_from(&event.key);
    fixture.publish(first.clone(), &[]).await;
    fixture.open(&(event.clone(), delivery)).await;
    let stored = fixture.stored_event(event.id).await;
    assert_eq!(*stored, event.with_key(None), "it is on record without the key");
    assert_eq!(*fixture.stored_event(first.id).await, first, "the first one has it");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - if self.deliveries.get(&delivery.id).is_some_and(|row| !row.state.tracked) {
// + if self.deliveries.keys().any(|id| id.event == event.id) {
pub async fn one_event_may_be_tracked_to_many_receivers<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let first = fixture.new_tracked();
    let mut second = first.clone();
    second.1.id.endpoint = fixture.ids.endpoint();
    assert_eq!(fixture.open(&first).await, 0, "the first record is new");
    fixture.record(first.1.id, 1, DeliveryStatus::Success).await;
    assert_eq!(fixture.open(&second).await, 0, "the second record is new");
    assert!(fixture.attempts(second.1.id).await.is_empty(), "each has its own attempts");
}

// Catches in webhook-testkit/src/memory/log.rs:
// - if self.deliveries.get(&delivery.id).is_some_and(|row| !row.state.tracked) {
// + if false {
pub async fn what_was_published_durably_is_not_tracked<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let id = fixture.pending(endpoint).await;
    fixture.assert_not_tracked(id, "a dispatcher shall send it").await;
    let claim = fixture.claim_one().await;
    fixture.assert_not_tracked(id, "a dispatcher has it").await;
    fixture.finish(success(&claim)).await;
    fixture.assert_not_tracked(id, "a dispatcher has sent it").await;
    let cancelled = fixture.pending(endpoint).await;
    fixture.remove(endpoint).await;
    fixture.assert_not_tracked(cancelled, "a dispatcher should have sent it").await;
}

// Catches in webhook-testkit/src/memory/log.rs:
// - self.deliveries.get_mut(&id).filter(|row| row.state.tracked);
// + self.deliveries.get_mut(&id);
pub async fn an_attempt_is_recorded_of_tracked_deliveries_alone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let before = fixture.delivery(id).await;
    for id in [id, fixture.new_tracked().1.id] {
        let recorded = fixture.store.record_tracked(id, accepted(1), DeliveryStatus::Success).await;
        assert!(recorded.is_err(), "nobody has opened its record");
        assert!(fixture.attempts(id).await.is_empty(), "nothing is recorded");
    }
    assert_eq!(fixture.delivery(id).await, before, "what a dispatcher has to do stays as it is");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - if let Entry::Vacant(vacant) = self.deliveries.entry(id) {
// + self.deliveries.remove(&id);
// + if let Entry::Vacant(vacant) = self.deliveries.entry(id) {
pub async fn routing_leaves_a_tracked_delivery_to_its_sender<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let event = fixture.event();
    fixture.enqueue(vec![Enqueue::unrouted(event.clone())]).await;
    let (_, mut delivery) = fixture.new_tracked();
    delivery.id = DeliveryId::new(event.id, endpoint);
    fixture.open(&(event.clone(), delivery.clone())).await;
    fixture.record(delivery.id, 1, DeliveryStatus::Success).await;
    let before = fixture.delivery(delivery.id).await;
    let route = Route::new(event.id, fixture.version().await, vec![endpoint]);
    assert_eq!(fixture.store.route(vec![route]).await.unwrap(), [Routed::Done], "it is routed");
    assert_eq!(fixture.delivery(delivery.id).await, before, "its record stays as it is");
    fixture.assert_nothing_to_claim("there is one delivery, and its sender has it").await;
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - delivery.last_attempt_at = self.claimed_at;
// + delivery.last_attempt_at = self.claimed_at.or(Some(self.created_at));
pub async fn optional_fields_of_records_may_be_empty_in_one_and_set_in_another<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let pending = fixture.pending(fixture.endpoint().await).await;
    let (untried, failed) = (fixture.new_tracked(), fixture.new_tracked());
    fixture.open(&untried).await;
    fixture.open(&failed).await;
    fixture.record(failed.1.id, 1, DeliveryStatus::Failed).await;
    let page = fixture.store.deliveries(DeliveryQuery::new()).await.unwrap();
    let told = |id: DeliveryId| {
        let found = page.items.iter().find(|delivery| delivery.id == id).unwrap();
        (found.due_at.is_some(), found.last_attempt_at.is_some(), found.last_error.is_some())
    };
    assert_eq!(told(pending), (true, false, false), "due, and never tried");
    assert_eq!(told(untried.1.id), (false, false, false), "never due, and never tried");
    assert_eq!(told(failed.1.id), (false, true, true), "tried, and what went wrong");
}
