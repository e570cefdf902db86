//! One of the two stores under comparison, and its results.

use std::sync::{Arc, Mutex, PoisonError};

use webhook_core::{
    Delivery, DeliveryId, Endpoint, EndpointId, Event, EventId, StoreError, TenantId, Timestamp,
    store::{
        Claim, ClaimCursor, ClaimDue, Claimed, ClaimedUnrouted, Cursor, DeliveryLog as _,
        DeliveryOperations as _, EndpointDirectory as _, Enqueue, FanOut, Lease, Maintenance as _,
        Page, Prune, Pruned, ReplayPage, Replayed, Store, StoreStatus, TrackedDeliveries as _,
        UnroutedEvent,
    },
};

use super::{call::Call, call_result::CallResult};
use crate::{ManualClock, conformance::store::fixture::some_time};

/// Limit above the number of rows that a sequence stores.
const MAX_ROWS: usize = 1_000;

/// Maximum number of calls for one prune. None needs as many.
const MAX_PRUNE_CALLS: usize = 100_000;

/// A store whose results are compared.
pub(super) struct Subject {
    store: Arc<dyn Store>,
    /// Lead of its clock over that of the store in memory, in milliseconds.
    ahead: i64,
    /// Cursor of its last claim, in place of the other store's.
    cursor: Mutex<Option<ClaimCursor>>,
}

impl Subject {
    /// Reads the time of the store from a first delivery.
    pub(super) async fn new(store: Arc<dyn Store>) -> Self {
        let tenant: TenantId = "first".parse().unwrap();
        let (event, endpoint) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
        let url = "https://first.example/".parse().unwrap();
        let endpoint = Endpoint::new(EndpointId::from_uuid(endpoint), url);
        let id = DeliveryId::new(EventId::from_uuid(event), endpoint.id);
        store.add_endpoint(endpoint.with_tenant(tenant.clone())).await.unwrap();
        let version = store.snapshot(&tenant).await.unwrap().version();
        let event = Event::new(id.event, "a".parse().unwrap(), some_time(), "").with_tenant(tenant);
        let item = Enqueue::routed(event, FanOut::pending(version, [id.endpoint]));
        store.enqueue(vec![item]).await.unwrap();
        let created_at = store.delivery(id).await.unwrap().unwrap().created_at;
        let ahead = created_at.as_unix_millis() - ManualClock::START.as_unix_millis();
        Self { store, ahead, cursor: Mutex::default() }
    }

    /// Converts from the time of the store in memory to this store's.
    fn to_own(&self, time: Timestamp) -> Timestamp {
        Timestamp::from_unix_millis(time.as_unix_millis() + self.ahead)
    }

    fn to_common(&self, time: Timestamp) -> Timestamp {
        Timestamp::from_unix_millis(time.as_unix_millis() - self.ahead)
    }

    fn shown(&self, mut delivery: Delivery) -> Delivery {
        delivery.created_at = self.to_common(delivery.created_at);
        delivery.due_at = delivery.due_at.map(|time| self.to_common(time));
        delivery.leased_until = delivery.leased_until.map(|time| self.to_common(time));
        delivery.last_attempt_at = delivery.last_attempt_at.map(|time| self.to_common(time));
        delivery
    }

    fn page(&self, page: Page<Delivery>) -> Page<Delivery> {
        let items = page.items.into_iter().map(|delivery| self.shown(delivery)).collect();
        Page::new(items, page.next.map(|cursor| self.moved(cursor, -self.ahead)))
    }

    fn moved(&self, mut cursor: Cursor, by: i64) -> Cursor {
        let millis = cursor.created_at.as_unix_millis() + by;
        cursor.created_at = Timestamp::from_unix_millis(millis);
        cursor
    }

    fn claimed(&self, mut claimed: Claimed) -> Claimed {
        for claim in &mut claimed.claims {
            let before = claim.previous_claim_at.map(|time| self.to_common(time));
            claim.previous_claim_at = before;
        }
        claimed
    }

    fn status(&self, mut status: StoreStatus) -> StoreStatus {
        for failing in &mut status.failing {
            failing.since = self.to_common(failing.since);
        }
        status
    }

    /// Prunes to the end. The number of calls is not compared.
    async fn prune(&self, mut prune: Prune) -> Result<Pruned, StoreError> {
        let mut all = Pruned::default();
        for _ in 0..MAX_PRUNE_CALLS {
            let some = self.store.prune(prune).await?;
            all = all.and(some);
            let Some(next) = some.next else { return Ok(all) };
            prune = prune.after(next);
        }
        panic!("a prune comes to no end: {prune:?}");
    }

    async fn claim_due(&self, mut ask: ClaimDue) -> Result<Claimed, StoreError> {
        let own = || self.cursor.lock().unwrap_or_else(PoisonError::into_inner);
        ask.cursor = own().clone().filter(|_| ask.cursor.is_some());
        let claimed = self.store.claim_due(ask).await?;
        *own() = claimed.cursor.clone();
        Ok(self.claimed(claimed))
    }

    async fn replay(&self, mut page: ReplayPage) -> Result<Replayed, StoreError> {
        page.replay.since = page.replay.since.map(|at| self.to_own(at));
        let mut some = self.store.replay(page).await?;
        some.began_at = self.to_common(some.began_at);
        if let Some((at, _)) = some.next.as_mut().and_then(|next| next.after.as_mut()) {
            *at = self.to_common(*at);
        }
        Ok(some)
    }

    async fn answer(&self, call: &Call) -> CallResult {
        match self.try_answer(call.clone()).await {
            Ok(answer) => answer,
            Err(error) => CallResult::from_debug(error.kind()),
        }
    }

    async fn try_answer(&self, call: Call) -> Result<CallResult, StoreError> {
        let store = &self.store;
        Ok(match call {
            Call::Enqueue(batch) => CallResult::from_debug(store.enqueue(batch).await?),
            Call::ClaimUnrouted(limit, lease) => {
                CallResult::unrouted(store.claim_unrouted(limit, lease).await?)
            }
            Call::Route(batch) => CallResult::from_debug(store.route(batch).await?),
            Call::ClaimDue(ask) => CallResult::claimed(self.claim_due(ask).await?),
            Call::Finish(batch) => CallResult::from_debug(store.finish(batch).await?),
            Call::Release(batch) => CallResult::from_debug(store.release(batch).await?),
            Call::Backlog => CallResult::from_debug(store.backlog().await?),
            Call::Add(endpoint) => CallResult::from_debug(store.add_endpoint(endpoint).await?),
            Call::Update(endpoint) => {
                CallResult::from_debug(store.update_endpoint(endpoint).await?)
            }
            Call::Remove(tenant, id) => {
                CallResult::from_debug(store.remove_endpoint(&tenant, id).await?)
            }
            Call::Endpoints(ids) => CallResult::endpoints(store.endpoints(&ids).await?),
            Call::Snapshot(tenant) => CallResult::snapshot(&*store.snapshot(&tenant).await?),
            Call::Tenants => CallResult::from_debug(store.tenants(None, MAX_ROWS).await?),
            Call::Event(id) => CallResult::event(store.event(id).await?.as_deref()),
            Call::Delivery(id) => CallResult::from_debug(
                store.delivery(id).await?.map(|delivery| self.shown(delivery)),
            ),
            Call::Deliveries(mut query) => {
                query.cursor = query.cursor.map(|cursor| self.moved(cursor, self.ahead));
                CallResult::Page(self.page(store.deliveries(query).await?))
            }
            Call::Attempts(id) => {
                let attempts = store.attempts(id).await?;
                let bodies: Vec<_> =
                    attempts.iter().map(|attempt| attempt.response_body.clone()).collect();
                CallResult::from_debug((attempts, bodies))
            }
            Call::Stats(endpoint, window) => {
                CallResult::from_debug(store.endpoint_stats(endpoint, window).await?)
            }
            Call::FirstInLine(id) => CallResult::from_debug(
                store.first_in_line(id).await?.map(|delivery| self.shown(delivery)),
            ),
            Call::OpenTracked(event, mut delivery) => {
                delivery.created_at = self.to_own(delivery.created_at);
                CallResult::from_debug(store.open_tracked(&event, delivery).await?)
            }
            Call::RecordTracked(id, attempt, status) => {
                CallResult::from_debug(store.record_tracked(id, attempt, status).await?)
            }
            Call::Redeliver(batch) => CallResult::from_debug(store.redeliver(batch).await?),
            Call::Replay(page) => CallResult::from_debug(self.replay(page).await?),
            Call::Cancel(batch) => CallResult::from_debug(store.cancel(batch).await?),
            Call::Skip(batch) => CallResult::from_debug(store.skip(batch).await?),
            Call::Status => CallResult::from_debug(self.status(store.status().await?)),
            Call::Prune(prune) => CallResult::from_debug(self.prune(prune).await?),
            Call::Advance(_) => CallResult::from_debug(()),
        })
    }
}

/// Makes the call on both stores. Returns their result, or the difference as text.
pub(super) async fn compare(
    call: &Call,
    expected: &Subject,
    tested: &Subject,
) -> Result<CallResult, String> {
    let (one, other) = (expected.answer(call).await, tested.answer(call).await);
    let (one, other) = match (one, other) {
        (CallResult::Claimed(one), CallResult::Claimed(other)) if took_others(&one, &other) => (
            CallResult::claimed(expected.claim_rest(call, one).await),
            CallResult::claimed(tested.claim_rest(call, other).await),
        ),
        (CallResult::Unrouted(one), CallResult::Unrouted(other))
            if took_other_events(&one, &other) =>
        {
            (
                CallResult::unrouted(expected.claim_other_events(call, one).await),
                CallResult::unrouted(tested.claim_other_events(call, other).await),
            )
        }
        answers => answers,
    };
    let (told, told_other) = (one.to_text(), other.to_text());
    if told == told_other {
        Ok(one)
    } else {
        Err(format!("      in memory: {told}\n      tested:    {told_other}\n"))
    }
}

/// Returns true if both stores claimed as many deliveries, but not the same. The order of
/// deliveries that are due at the same time is not defined.
fn took_others(one: &Claimed, other: &Claimed) -> bool {
    let leases = |claimed: &Claimed| -> Vec<Lease> {
        let mut leases: Vec<_> = claimed.claims.iter().map(|claim| claim.lease).collect();
        leases.sort_unstable();
        leases
    };
    one.claims.len() == other.claims.len() && leases(one) != leases(other)
}

fn took_other_events(one: &ClaimedUnrouted, other: &ClaimedUnrouted) -> bool {
    let ids = |claimed: &ClaimedUnrouted| -> Vec<EventId> {
        let mut ids: Vec<_> = claimed.events.iter().map(|event| event.id).collect();
        ids.sort_unstable();
        ids
    };
    one.events.len() == other.events.len() && ids(one) != ids(other)
}

impl Subject {
    /// Claims all remaining deliveries, so that their order no longer matters.
    async fn claim_rest(&self, call: &Call, first: Claimed) -> Claimed {
        let mut claims: Vec<Claim> = first.claims;
        let Call::ClaimDue(ask) = call else { return Claimed::new(claims, None, None) };
        loop {
            let rest = self.store.claim_due(ClaimDue::new(MAX_ROWS, ask.lease)).await.unwrap();
            let rest = self.claimed(rest);
            if rest.claims.is_empty() {
                return Claimed::new(claims, None, rest.next_due);
            }
            claims.extend(rest.claims);
        }
    }

    async fn claim_other_events(&self, call: &Call, first: ClaimedUnrouted) -> ClaimedUnrouted {
        let mut events: Vec<UnroutedEvent> = first.events;
        let Call::ClaimUnrouted(_, lease) = call else { return ClaimedUnrouted::default() };
        let rest = self.store.claim_unrouted(MAX_ROWS, *lease).await.unwrap();
        events.extend(rest.events);
        ClaimedUnrouted::new(events, rest.next_due)
    }
}
