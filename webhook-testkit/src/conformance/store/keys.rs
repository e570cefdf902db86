//! Events under an id or key that is taken.

use std::collections::BTreeSet;

use bytes::Bytes;
use webhook_core::{
    Event, EventId, TenantId,
    store::{DeliveryLog as _, Enqueue, Enqueued},
};

use super::{Fixture, StoreHarness};

fn keyed(event: Event, key: &str) -> Event {
    event.with_key(Some(key.parse().unwrap()))
}

fn other_body(mut event: Event) -> Event {
    event.body = Bytes::from_static(b"{\"other\":true}");
    event
}

fn other_type(mut event: Event) -> Event {
    event.event_type = "invoice.voided".parse().unwrap();
    event
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - { Enqueued::Duplicate(first.id) }
// + { Enqueued::Conflict(first.id) }
pub async fn the_same_id_and_body_is_the_same_event<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let event = fixture.event();
    fixture.publish(event.clone(), &[endpoint]).await;
    let again = fixture.routed(event.clone(), &[endpoint]).await;
    let answers = fixture.enqueue(vec![again]).await;
    assert_eq!(answers, [Enqueued::Duplicate(event.id)], "it is stored already");
    assert_eq!(fixture.claim().await.len(), 1, "it is not delivered a second time");
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - && first.body == second.body
pub async fn the_same_id_with_another_body_is_a_conflict<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let event = fixture.event();
    fixture.publish(event.clone(), &[]).await;
    let answers = fixture.enqueue(vec![Enqueue::unrouted(other_body(event.clone()))]).await;
    assert_eq!(answers, [Enqueued::Conflict(event.id)], "the id is taken");
    assert_eq!(*fixture.stored_event(event.id).await, event, "the first one stays as it is");
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - && first.event_type == second.event_type
pub async fn the_same_id_of_another_type_is_a_conflict<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let event = fixture.event();
    fixture.publish(event.clone(), &[]).await;
    let answers = fixture.enqueue(vec![Enqueue::unrouted(other_type(event.clone()))]).await;
    assert_eq!(answers, [Enqueued::Conflict(event.id)], "something else has happened");
    assert_eq!(*fixture.stored_event(event.id).await, event, "the first one stays as it is");
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - first.tenant == second.tenant
// + true
pub async fn the_same_id_of_another_tenant_is_a_conflict<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (ours, new) = (fixture.event(), fixture.event());
    fixture.publish(ours.clone(), &[]).await;
    let of_acme = |event: &Event| event.clone().with_tenant("acme".parse().unwrap());
    let batch = [of_acme(&ours), new.clone(), of_acme(&new)].map(Enqueue::unrouted);
    let expected = [Enqueued::Conflict(ours.id), Enqueued::Later, Enqueued::Conflict(new.id)];
    assert_eq!(fixture.enqueue(batch.into()).await, expected, "ids are unique among all tenants");
    assert_eq!(*fixture.stored_event(ours.id).await, ours, "the first one stays as it is");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - .or_else(|| by_key().and_then(by_id))
pub async fn the_same_key_and_body_names_the_first_event<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let first = keyed(fixture.event(), "invoice-42");
    let second = keyed(fixture.event(), "invoice-42");
    fixture.publish(first.clone(), &[]).await;
    let answers = fixture.enqueue(vec![Enqueue::unrouted(second.clone())]).await;
    assert_eq!(answers, [Enqueued::Duplicate(first.id)], "the key is remembered");
    assert_eq!(fixture.store.event(second.id).await.unwrap(), None, "the second is not stored");
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - { Enqueued::Conflict(first.id) }
// + { Enqueued::Conflict(second.id) }
pub async fn the_same_key_with_another_body_is_a_conflict_naming_the_first<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let first = keyed(fixture.event(), "invoice-42");
    let second = other_body(keyed(fixture.event(), "invoice-42"));
    fixture.publish(first.clone(), &[]).await;
    let answers = fixture.enqueue(vec![Enqueue::unrouted(second.clone())]).await;
    assert_eq!(answers, [Enqueued::Conflict(first.id)], "the key stands for another body");
    assert_eq!(fixture.store.event(second.id).await.unwrap(), None, "the second is not stored");
}

// Catches in webhook-core/src/port/store/state/event_rules.rs:
// - && first.event_type == second.event_type
pub async fn the_same_key_of_another_type_is_a_conflict_naming_the_first<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let first = keyed(fixture.event(), "invoice-42");
    let second = other_type(keyed(fixture.event(), "invoice-42"));
    fixture.publish(first.clone(), &[]).await;
    let answers = fixture.enqueue(vec![Enqueue::unrouted(second)]).await;
    assert_eq!(answers, [Enqueued::Conflict(first.id)], "the key stands for another type");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.keys.get(&(event.tenant.clone(), key.clone())).copied()
// + self.keys.iter().find(|((_, taken), _)| taken == key).map(|(_, id)| *id)
pub async fn a_key_belongs_to_its_tenant<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let acme: TenantId = "acme".parse().unwrap();
    let ours = keyed(fixture.event(), "invoice-42");
    let theirs = other_body(keyed(fixture.event_of(&acme), "invoice-42"));
    let batch = vec![Enqueue::unrouted(ours), Enqueue::unrouted(theirs)];
    let answers = fixture.enqueue(batch).await;
    assert_eq!(answers, [Enqueued::Later, Enqueued::Later], "tenants do not share keys");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.keys.get(&(event.tenant.clone(), key.clone())).copied()
// + let same = |one: &str| one.eq_ignore_ascii_case(key.as_str());
// + self.keys.iter().find(|((_, taken), _)| same(taken.as_str())).map(|(_, id)| *id)
pub async fn keys_differ_by_case<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let batch = ["Invoice-42", "invoice-42"]
        .map(|key| Enqueue::unrouted(other_body(keyed(fixture.event(), key))));
    let answers = fixture.enqueue(batch.into()).await;
    assert_eq!(answers, [Enqueued::Later, Enqueued::Later], "a key is compared byte for byte");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.keys.entry((event.tenant.clone(), key.clone())).or_insert(event.id);
pub async fn a_key_used_twice_in_one_batch_counts_once<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let first = keyed(fixture.event(), "invoice-42");
    let same = keyed(fixture.event(), "invoice-42");
    let other = other_body(keyed(fixture.event(), "invoice-42"));
    let batch = [first.clone(), same, other].map(Enqueue::unrouted);
    let expected = [Enqueued::Later, Enqueued::Duplicate(first.id), Enqueued::Conflict(first.id)];
    assert_eq!(fixture.enqueue(batch.into()).await, expected, "the first of the batch has the key");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - by_id(event.id).or_else(|| by_key().and_then(by_id))
// + by_key().and_then(by_id)
pub async fn an_id_used_twice_in_one_batch_counts_once<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let event = fixture.event();
    let once = fixture.routed(event.clone(), &[endpoint]).await;
    let answers = fixture.enqueue(vec![once.clone(), once]).await;
    let expected = [Enqueued::Routed(1), Enqueued::Duplicate(event.id)];
    assert_eq!(answers, expected, "the first of the batch has the id");
    assert_eq!(fixture.claim().await.len(), 1, "there is one delivery");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - let key = event.key.as_ref()?;
// + let Some(key) = event.key.as_ref() else {
// + return self.events.values().find(|row| row.event.key.is_none()).map(EventRow::id);
// + };
pub async fn events_without_a_key_never_collide<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let batch = vec![Enqueue::unrouted(fixture.event()), Enqueue::unrouted(fixture.event())];
    let answers = fixture.enqueue(batch).await;
    assert_eq!(answers, [Enqueued::Later, Enqueued::Later], "no key is no key in common");
}

// Catches in webhook-testkit/src/memory/ports.rs:
// - Ok(self.each(batch, State::enqueue))
// + let keys = self.state().keys.clone();
// + tokio::task::yield_now().await;
// + self.state().keys = keys;
// + Ok(self.each(batch, State::enqueue))
pub async fn publishers_at_once_store_a_key_once<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let publisher = || fixture.enqueue(vec![Enqueue::unrouted(keyed(fixture.event(), "k"))]);
    let (one, two, three) = tokio::join!(publisher(), publisher(), publisher());
    let answers = [one, two, three].concat();
    let stored = answers.iter().filter(|answer| **answer == Enqueued::Later).count();
    assert_eq!(stored, 1, "one of them has the key: {answers:?}");
    let same: BTreeSet<_> = answers.iter().filter_map(first_of).collect();
    assert_eq!(same.len(), 1, "the others are told the same first event: {answers:?}");
}

fn first_of(answer: &Enqueued) -> Option<EventId> {
    if let Enqueued::Duplicate(first) = answer { Some(*first) } else { None }
}
