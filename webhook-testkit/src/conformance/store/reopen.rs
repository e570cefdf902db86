//! What was answered is there for whoever comes after a crash, a restart, or from elsewhere.

use webhook_core::{
    DeliveryStatus,
    store::{Enqueue, Enqueued, Finished},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_LEASE, DEFAULT_RETRY_WAIT, retry, success},
};

// Catches in webhook-testkit/src/memory/finish.rs:
// - item.attempts.iter().for_each
// + item.attempts.iter().skip(1).for_each
pub async fn what_was_answered_is_there_when_the_store_is_opened_anew<H: StoreHarness>() {
    let mut fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let (done, waits) = (fixture.pending(endpoint).await, fixture.event());
    let claim = fixture.claim_one().await;
    assert_eq!(fixture.finish(success(&claim)).await, Finished::Recorded, "it is finished");
    fixture.publish(waits.clone(), &[endpoint]).await;
    fixture.reopen().await;
    assert_eq!(fixture.stored(endpoint).await.id, endpoint, "an endpoint that was added is there");
    assert_eq!(*fixture.stored_event(waits.id).await, waits, "an event that was stored is there");
    assert_eq!(fixture.status(done).await, DeliveryStatus::Success, "what was finished is final");
    assert_eq!(fixture.attempt_numbers(done).await, [1], "its attempt is on record");
    let answers = fixture.enqueue(vec![fixture.routed(waits.clone(), &[endpoint]).await]).await;
    assert_eq!(answers, [Enqueued::Duplicate(waits.id)], "an id that is taken stays taken");
    let claims = fixture.claim().await;
    let ids: Vec<_> = claims.iter().map(|claim| claim.event.id).collect();
    assert_eq!(ids, [waits.id], "what was pending can be claimed, and nothing else");
}

// Catches in webhook-core/src/port/store/state/delivery_state.rs:
// - epoch: self.epoch.next(),
// + epoch: if self.held { self.epoch } else { self.epoch.next() },
pub async fn a_lease_holds_when_the_store_is_opened_anew<H: StoreHarness>() {
    let mut fixture = Fixture::<H>::fresh().await;
    let id = fixture.pending(fixture.endpoint().await).await;
    let late = fixture.claim_one().await;
    fixture.reopen().await;
    fixture.assert_nothing_to_claim("its lease holds, whoever looks").await;
    fixture.advance(DEFAULT_LEASE).await;
    let present = fixture.claim_one().await;
    assert_eq!(present.lease.epoch, late.lease.epoch.next(), "each claim raises the epoch");
    fixture.reopen().await;
    assert_eq!(
        fixture.finish(retry(&late, DEFAULT_RETRY_WAIT)).await,
        Finished::LeaseLost,
        "its epoch has passed"
    );
    assert_eq!(fixture.finish(success(&present)).await, Finished::Recorded, "this one's has not");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Success, "it is written");
}

// Catches in webhook-testkit/src/memory/enqueue.rs:
// - self.store_event(&event, Some(now));
// + self.store_event(&event, None);
pub async fn an_unrouted_event_is_there_when_the_store_is_opened_anew<H: StoreHarness>() {
    let mut fixture = Fixture::<H>::fresh().await;
    let event = fixture.event();
    let answers = fixture.enqueue(vec![Enqueue::unrouted(event.clone())]).await;
    assert_eq!(answers, [Enqueued::Later], "it is stored for later");
    fixture.reopen().await;
    let claimed =
        fixture.store.claim_unrouted(10, DEFAULT_LEASE).await.expect("events can be claimed");
    let ids: Vec<_> = claimed.events.iter().map(|unrouted| unrouted.id).collect();
    assert_eq!(ids, [event.id], "an event that was stored unrouted can be routed");
}
