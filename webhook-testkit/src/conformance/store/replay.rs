//! Replays: what was failed or missed is made due again, a page at a time.

use std::collections::BTreeSet;

use webhook_core::{
    DeliveryId, DeliveryStatus, EndpointState, Include, Replay, Trigger,
    store::{DeliveryOperations as _, ReplayPage, ReplayState, Replayed},
};

use super::{
    Fixture, StoreHarness,
    fixture::{DEFAULT_RETRY_WAIT, SECOND, deliveries, failure, retry, sorted, success},
};

impl<H: StoreHarness> Fixture<H> {
    async fn replay(&self, page: ReplayPage) -> Replayed {
        self.store.replay(page).await.expect("deliveries can be replayed")
    }

    /// Does the whole replay, so many deliveries at a time. Answers how many were made due.
    async fn replay_all(&self, replay: Replay, limit: usize) -> u64 {
        let begun = self.replay(ReplayPage::first(replay.clone()).dry_run()).await;
        let mut state = ReplayState::new(replay, begun.began_at);
        while let Some(page) = ReplayPage::next(&state) {
            let some = self.replay(page.limit(limit)).await;
            (state.next, state.done) = (some.next, state.done + some.count);
        }
        state.done
    }

    /// One delivery of each status to this endpoint, the newest one pending.
    async fn one_of_each(&self, endpoint: webhook_core::EndpointId) -> Vec<DeliveryId> {
        let missed = self.missed(endpoint).await;
        let failed = self.failed_at(endpoint).await;
        let cancelled = self.pending(endpoint).await;
        self.cancel(cancelled).await;
        let delivered = self.pending(endpoint).await;
        let claim = self.claim_one().await;
        self.finish(success(&claim)).await;
        let in_flight = self.pending(endpoint).await;
        self.claim_one().await;
        let pending = self.pending(endpoint).await;
        vec![missed, failed, cancelled, delivered, in_flight, pending]
    }
}

// Catches in webhook-testkit/src/memory/replay.rs:
// - Redeliver::new(*id).with_cause(Trigger::Replay);
// + Redeliver::new(*id);
pub async fn a_replay_makes_what_was_missed_due_again<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.disabled().await;
    let id = fixture.missed(endpoint).await;
    fixture.set_state(endpoint, EndpointState::Active).await;
    fixture.advance(SECOND).await;
    assert_eq!(
        fixture.replay_all(Replay::new(endpoint, Include::Missed), 10).await,
        1,
        "it is due"
    );
    let claim = fixture.claim_one().await;
    assert_eq!((claim.lease.delivery, claim.trigger()), (id, Trigger::Replay), "by a replay");
    fixture.finish(retry(&claim, DEFAULT_RETRY_WAIT)).await;
    fixture.advance(DEFAULT_RETRY_WAIT).await;
    let claim = fixture.claim_one().await;
    assert_eq!(claim.trigger(), Trigger::Replay, "and so are the attempts that follow");
}

// Catches in webhook-testkit/src/memory/replay.rs:
// - Replayed::new(began_at, count, page.cursor.next(page.replay.include, last))
// + Replayed::new(began_at, count, page.cursor.next(webhook_core::Include::Missed, last))
pub async fn a_replay_takes_what_is_included_and_nothing_else<H: StoreHarness>() {
    use DeliveryStatus::{Failed, Missed, Success};
    let of = [
        (Include::Failed, vec![Failed]),
        (Include::Missed, vec![Missed]),
        (Include::All, vec![Missed, Failed, Success]),
    ];
    for (include, statuses) in of {
        let fixture = Fixture::<H>::fresh().await;
        let endpoint = fixture.endpoint().await;
        let ids = fixture.one_of_each(endpoint).await;
        fixture.tracked_record().await;
        fixture.advance(SECOND).await;
        let mut before = Vec::new();
        for id in &ids {
            before.push((*id, fixture.status(*id).await));
        }
        let count = fixture.replay_all(Replay::new(endpoint, include), 2).await;
        assert_eq!(count, u64::try_from(statuses.len()).unwrap(), "{include}");
        for (id, status) in before {
            let after = if statuses.contains(&status) { DeliveryStatus::Pending } else { status };
            assert_eq!(fixture.status(id).await, after, "{include}: what was {status}");
        }
    }
}

// Catches in webhook-testkit/src/memory/replay.rs:
// - let batch: Vec<_> = taken.iter().map(item).collect();
// + let mut batch: Vec<_> = taken.iter().map(item).collect();
// + let its = self.deliveries.keys().filter(|it| taken.iter().any(|id| id.event == it.event));
// + batch.extend(its.map(|id| Redeliver::new(*id)));
pub async fn a_replay_leaves_other_endpoints_alone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let (other, endpoint) = (fixture.disabled().await, fixture.disabled().await);
    let both = [other, endpoint];
    let event = fixture.event();
    let missed = both.map(webhook_core::store::NewDelivery::missed).to_vec();
    let fan_out = webhook_core::store::FanOut::by(fixture.version().await, missed);
    fixture.enqueue(vec![webhook_core::store::Enqueue::routed(event.clone(), fan_out)]).await;
    fixture.missed(other).await;
    fixture.advance(SECOND).await;
    assert_eq!(fixture.replay_all(Replay::new(endpoint, Include::All), 10).await, 1, "one is its");
    let id = DeliveryId::new(event.id, other);
    assert_eq!(fixture.status(id).await, DeliveryStatus::Missed, "the other's stays");
}

// Catches in webhook-testkit/src/memory/replay.rs:
// - page.replay.since.is_none_or(|since| *at >= since)
// + page.replay.since.is_none_or(|since| *at > since)
pub async fn a_replay_stays_in_its_window_and_types<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.disabled().await;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(fixture.missed(endpoint).await);
        fixture.advance(SECOND).await;
    }
    let mut at = Vec::new();
    for id in &ids {
        at.push(fixture.delivery(*id).await.created_at);
    }
    let window = Replay::new(endpoint, Include::Missed).since(at[1]).until(at[3]);
    let none = window.clone().types(["order.*".parse().unwrap()]);
    assert_eq!(fixture.replay_all(none, 10).await, 0, "there is no such event");
    let some = window.types(["order.*".parse().unwrap(), "invoice.*".parse().unwrap()]);
    assert_eq!(fixture.replay_all(some, 1).await, 2, "from the one moment to before the other");
    let mut pending = Vec::new();
    for id in &ids {
        pending.push(fixture.status(*id).await == DeliveryStatus::Pending);
    }
    assert_eq!(pending, [false, true, true, false], "these two");
}

// Catches in webhook-testkit/src/memory/replay.rs:
// - page.cursor.after.is_none_or(|after| *place > after)
// + page.cursor.after.is_none_or(|(after, _)| place.0 > after)
pub async fn a_replay_goes_page_by_page_the_oldest_first<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.disabled().await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        // Two of one moment.
        ids.extend([fixture.missed(endpoint).await, fixture.missed(endpoint).await]);
        fixture.advance(SECOND).await;
    }
    fixture.set_state(endpoint, EndpointState::Active).await;
    let replay = Replay::new(endpoint, Include::Missed);
    let mut state = ReplayState::new(replay, fixture.replay_start(endpoint).await);
    let mut claimed = BTreeSet::new();
    for page in 1..=2 {
        let ask = ReplayPage::next(&state).expect("there is more").limit(3);
        let some = fixture.replay(ask).await;
        assert_eq!(some.count, 3, "page {page} is full");
        let claims = fixture.claim().await;
        let expected: BTreeSet<_> = ids[3 * page - 3..3 * page].iter().copied().collect();
        assert_eq!(deliveries(&claims).into_iter().collect::<BTreeSet<_>>(), expected, "by age");
        claimed.extend(expected);
        state.next = some.next;
    }
    let rest = ReplayPage::next(&state).map(|page| page.limit(3));
    if let Some(rest) = rest {
        let some = fixture.replay(rest).await;
        assert_eq!((some.count, some.next), (0, None), "nothing is left");
    }
    assert_eq!(claimed.len(), ids.len(), "none was forgotten");
}

// Catches in webhook-testkit/src/memory/replay.rs:
// - row.is_some_and(|row| page.replay.takes(&candidate(row), began_at))
// + row.is_some()
pub async fn a_page_done_twice_sends_nothing_twice<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let ids = [fixture.failed_at(endpoint).await, fixture.failed_at(endpoint).await];
    fixture.advance(SECOND).await;
    let began_at = fixture.replay_start(endpoint).await;
    let state = ReplayState::new(Replay::new(endpoint, Include::All), began_at);
    let page = || ReplayPage::next(&state).unwrap();
    assert_eq!(fixture.replay(page()).await.count, 2, "both are due");
    assert_eq!(fixture.replay(page()).await.count, 0, "what is open is left alone");
    let claims = fixture.claim().await;
    assert_eq!(sorted(&claims), ids, "each once");
    // One ends as it was, the other otherwise; in the very moment and later.
    fixture.finish(failure(&claims[0])).await;
    assert_eq!(fixture.replay(page()).await.count, 0, "it has failed once more since");
    fixture.advance(SECOND).await;
    fixture.finish(success(&claims[1])).await;
    let mut state = state;
    while let Some(page) = ReplayPage::next(&state) {
        let some = fixture.replay(page).await;
        assert_eq!(some.count, 0, "neither is sent again");
        state.next = some.next;
    }
    fixture.assert_nothing_to_claim("each was sent once").await;
}

// Catches in webhook-testkit/src/memory/replay.rs:
// - finished_at: row.state.finished_at,
// + finished_at: Some(row.state.created_at),
pub async fn what_has_failed_once_more_since_the_replay_began_is_left_alone<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let id = fixture.failed_at(endpoint).await;
    fixture.advance(SECOND).await;
    let began_at = fixture.replay_start(endpoint).await;
    fixture.redeliver(id).await;
    fixture.advance(SECOND).await;
    let claim = fixture.claim_one().await;
    fixture.finish(failure(&claim)).await;
    let state = ReplayState::new(Replay::new(endpoint, Include::Failed), began_at);
    let some = fixture.replay(ReplayPage::next(&state).unwrap()).await;
    assert_eq!(some.count, 0, "somebody has sent it again meanwhile");
    assert_eq!(fixture.status(id).await, DeliveryStatus::Failed, "it stays as it is");
    assert_eq!(fixture.replay_all(Replay::new(endpoint, Include::Failed), 10).await, 0, "so soon");
    fixture.advance(SECOND).await;
    let anew = fixture.replay_all(Replay::new(endpoint, Include::Failed), 10).await;
    assert_eq!(anew, 1, "a replay that begins later takes it");
}

// Catches in webhook-testkit/src/memory/replay.rs:
// - let count = if page.dry_run {
// + let count = if false {
pub async fn an_estimate_counts_and_changes_nothing<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.endpoint().await;
    let ids = fixture.one_of_each(endpoint).await;
    fixture.advance(SECOND).await;
    let page = ReplayPage::first(Replay::new(endpoint, Include::Missed)).dry_run();
    let estimate = fixture.replay(page).await;
    assert_eq!((estimate.count, estimate.next), (1, None), "one was missed");
    let created_at = fixture.delivery(ids[0]).await.created_at;
    assert_eq!(estimate.began_at, created_at.after(SECOND), "by the clock of the store");
    assert_eq!(fixture.status(ids[0]).await, DeliveryStatus::Missed, "it stays as it is");
}

// Catches in webhook-testkit/src/memory/replay.rs:
// - return Replayed::gone(began_at);
// + return Replayed::new(began_at, 0, None);
pub async fn a_replay_to_an_endpoint_that_is_gone_says_so<H: StoreHarness>() {
    let fixture = Fixture::<H>::fresh().await;
    let endpoint = fixture.disabled().await;
    let id = fixture.missed(endpoint).await;
    fixture.remove(endpoint).await;
    fixture.advance(SECOND).await;
    for endpoint in [endpoint, fixture.ids.endpoint()] {
        let page = ReplayPage::first(Replay::new(endpoint, Include::Missed));
        let answers = [fixture.replay(page.clone()).await, fixture.replay(page.dry_run()).await];
        for answer in answers {
            assert!(answer.endpoint_gone && answer.next.is_none(), "there is no way to go");
            assert_eq!(answer.count, 0, "nothing was done");
        }
    }
    assert_eq!(fixture.status(id).await, DeliveryStatus::Missed, "it stays as it is");
}

impl<H: StoreHarness> Fixture<H> {
    /// The moment at which a replay begins now.
    async fn replay_start(&self, endpoint: webhook_core::EndpointId) -> webhook_core::Timestamp {
        let page = ReplayPage::first(Replay::new(endpoint, Include::All)).dry_run().limit(1);
        self.replay(page).await.began_at
    }
}
