//! Routing: unrouted events get their deliveries, by the same pure fan-out as in a publisher.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use crate::{
    model::{id::TenantId, routing::Snapshot},
    policy::fan_out::fan_out,
    port::{
        Store, StoreError,
        store::intake::{Route, Routed, UnroutedEvent},
    },
};

/// Maximum number of events that are routed in one batch.
const ROUTE_BATCH: usize = 100;

/// Lease of the events of a batch. After it, another worker routes those that are left.
const ROUTE_LEASE: Duration = Duration::from_secs(30);

/// Maximum number of times that an event is routed while its tenant's endpoints are being edited.
/// After that it is routed when its lease has expired.
const MAX_ROUTE_ROUNDS: usize = 5;

/// What a round of routing came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Routing {
    /// Events that got their deliveries.
    pub(super) routed: usize,
    /// Whether there may be more at once.
    pub(super) more: bool,
    /// When others' leases run out.
    pub(super) next_due: Option<Duration>,
}

/// Routes one batch of unrouted events.
pub(super) async fn route_unrouted(store: &dyn Store) -> Result<Routing, StoreError> {
    let claimed = store.claim_unrouted(ROUTE_BATCH, ROUTE_LEASE).await?;
    let more = claimed.events.len() == ROUTE_BATCH;
    let (mut left, mut routed) = (claimed.events, 0);
    for _ in 0..MAX_ROUTE_ROUNDS {
        if left.is_empty() {
            break;
        }
        let (done, stale) = route_once(store, left).await?;
        routed += done;
        left = stale;
    }
    Ok(Routing { routed, more, next_due: claimed.next_due })
}

/// Routes `events` by fresh snapshots; answers how many are done, and those whose tenant was edited
/// meanwhile.
async fn route_once(
    store: &dyn Store,
    events: Vec<UnroutedEvent>,
) -> Result<(usize, Vec<UnroutedEvent>), StoreError> {
    let snapshots = load_snapshots(store, &events).await?;
    // Events of a tenant whose endpoints cannot be read keep their lease, and come back after it.
    let events: Vec<_> =
        events.into_iter().filter(|event| snapshots.contains_key(&event.tenant)).collect();
    let routes = events
        .iter()
        .filter_map(|event| Some(route(event, snapshots.get(&event.tenant)?)))
        .collect();
    let answers = store.route(routes).await?;
    let done = answers.iter().filter(|answer| **answer == Routed::Done).count();
    let answered = events.into_iter().zip(answers);
    Ok((
        done,
        answered.filter(|(_, answer)| *answer == Routed::Stale).map(|(event, _)| event).collect(),
    ))
}

async fn load_snapshots(
    store: &dyn Store,
    events: &[UnroutedEvent],
) -> Result<BTreeMap<TenantId, Arc<Snapshot>>, StoreError> {
    let mut snapshots = BTreeMap::new();
    for event in events {
        if snapshots.contains_key(&event.tenant) {
            continue;
        }
        match store.snapshot(&event.tenant).await {
            Ok(snapshot) => drop(snapshots.insert(event.tenant.clone(), snapshot)),
            Err(error) if error.kind().may_concern_one_item() => {
                let cause = error.cause();
                tracing::error!(tenant = %event.tenant, %error, cause, "events cannot be routed");
            }
            Err(error) => return Err(error),
        }
    }
    Ok(snapshots)
}

fn route(event: &UnroutedEvent, snapshot: &Snapshot) -> Route {
    Route::by(event.id, snapshot.version(), fan_out(snapshot, &event.event_type))
}
