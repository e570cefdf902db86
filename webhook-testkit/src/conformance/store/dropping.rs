//! Calls that are given up: the answer is lost, never half of the work.

use webhook_core::{Claim, ClaimDue, DeliveryId, DeliveryStatus, Enqueued};

use super::{
    Ground, StoreHarness,
    ground::{LEASE, success},
};

/// How often a call is polled before it is dropped; each case tries all numbers below.
const POLLS: usize = 12;

/// Polls a call a few times, letting others run in between, and drops it.
async fn give_up<T>(call: impl Future<Output = T>, polls: usize) {
    let mut call = std::pin::pin!(call);
    for _ in 0..polls {
        if futures_util::poll!(call.as_mut()).is_ready() {
            return;
        }
        tokio::task::yield_now().await;
    }
}

// Catches in memory/deliveries.rs:
// - Ok(self.each(batch, State::enqueue))
// + let events: Vec<_> = batch.iter().map(|item| item.event.clone().into()).collect();
// + events.iter().for_each(|event| self.state().keep(event, None));
// + tokio::task::yield_now().await;
// + events.iter().for_each(|event| _ = self.state().events.remove(&event.id));
// + Ok(self.each(batch, State::enqueue))
pub async fn a_dropped_enqueue_stores_all_or_nothing<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    for polls in 0..POLLS {
        let event = ground.event();
        let id = DeliveryId::new(event.id, endpoint);
        let item = ground.routed(event, &[endpoint]).await;
        give_up(ground.store.enqueue(vec![item.clone()]), polls).await;
        let again = ground.enqueue(vec![item]).await;
        let stored = [Enqueued::Routed(1), Enqueued::Duplicate(id.event)];
        assert!(stored.contains(&again[0]), "saying it again is safe, but got {again:?}");
        assert_eq!(ground.claim_one().await.lease.delivery, id, "the event has its delivery");
    }
}

// Catches in memory/row.rs:
// - now.after(lease);
// + now.after(lease * 100);
pub async fn a_dropped_claim_comes_back_after_its_lease<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let id = ground.pending(ground.endpoint().await).await;
    for polls in 0..POLLS {
        give_up(ground.store.claim_due(ClaimDue::new(10, LEASE)), polls).await;
        let claim = comes_back(&ground).await.expect("it is not lost");
        assert_eq!(claim.lease.delivery, id, "it can be claimed again");
        ground.release(claim.lease).await;
    }
}

/// Turns the clock until the delivery can be claimed: a claim that was given up may still be under
/// way. It takes its lease after the first turn, or keeps the row to itself until it is written to
/// the disk, which lasts as long as many looks at a row that is passed over.
async fn comes_back<H: StoreHarness>(ground: &Ground<H>) -> Option<Claim> {
    for _ in 0..1000 {
        ground.advance(LEASE * 2).await;
        if let Some(claim) = ground.claim().await.pop() {
            return Some(claim);
        }
    }
    None
}

// Catches in memory/deliveries.rs:
// - Ok(self.each(batch, State::finish))
// + let rows = std::mem::take(&mut self.state().deliveries);
// + tokio::task::yield_now().await;
// + self.state().deliveries = rows;
// + Ok(self.each(batch, State::finish))
pub async fn a_dropped_finish_writes_all_or_nothing<H: StoreHarness>() {
    let ground = Ground::<H>::fresh().await;
    let endpoint = ground.endpoint().await;
    for polls in 0..POLLS {
        let id = ground.pending(endpoint).await;
        let claim = ground.claim_one().await;
        give_up(ground.store.finish(vec![success(&claim)]), polls).await;
        ground.finish(success(&claim)).await;
        assert_eq!(ground.status(id).await, DeliveryStatus::Success, "saying it again is safe");
        assert_eq!(ground.attempt_numbers(id).await, [1], "the attempt is recorded once");
    }
}
