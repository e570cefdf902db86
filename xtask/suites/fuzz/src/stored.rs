//! Whatever a column holds, read through the store.

mod damage;
mod place;

use webhook_core::{
    EndpointUrl, StoreError, StoreErrorKind, TenantId,
    store::{
        ClaimDue, DeliveryLog as _, DeliveryQuery, EndpointDirectory as _, Maintenance as _,
        NoticeQueue as _, Store,
    },
    view::{AttemptView, DeliveryView, EndpointView, EventView},
};
use webhook_store_seaorm::SeaOrmStore;

use self::{
    damage::{Damage, damages},
    place::{ACME, Place, SECRET, WELL, delivery, endpoint, event},
};

const MINUTE: std::time::Duration = std::time::Duration::from_secs(60);

/// Values for columns of one customer's rows: reading them answers or fails as damaged, shows no
/// secret, and never stands in another customer's way.
pub fn stored(data: &[u8]) {
    let damages: Vec<Damage<'_>> = damages(data).collect();
    if damages.is_empty() {
        return;
    }
    Place::with(async |place| {
        place.restore().await;
        for damage in &damages {
            place.apply(damage).await;
        }
        let mut tables: Vec<_> = damages.iter().map(|damage| damage.table).collect();
        tables.sort_unstable();
        tables.dedup();
        for table in tables {
            is_read_or_refused(&place.store, table).await;
        }
        leaves_others_alone(place).await;
    });
}

/// Whoever reads this table finds something or says that it cannot be read.
async fn is_read_or_refused(store: &SeaOrmStore, table: &str) {
    match table {
        "tenants" => {
            read(store.tenants(None, 100).await);
            read((store as &dyn Store).snapshot(&tenant(ACME)).await);
        }
        "endpoints" => read_endpoint(store).await,
        "events" => {
            if let Some(event) = read(store.event(event(1)).await).flatten() {
                shows_no_secret(&[&event, &EventView::of(&event)]);
            }
        }
        "deliveries" => read_delivery(store).await,
        "attempts" => {
            for attempt in read(store.attempts(delivery(1)).await).unwrap_or_default() {
                shows_no_secret(&[&attempt, &AttemptView::of(&attempt)]);
            }
            read(store.endpoint_stats(endpoint(1), MINUTE).await);
        }
        _ => _ = read(store.notices(10).await),
    }
}

async fn read_endpoint(store: &SeaOrmStore) {
    let found = read(store.endpoints(&[endpoint(1)]).await).unwrap_or_default();
    for found in found.into_iter().filter_map(|found| read(found).flatten()) {
        let again = found.url.as_str().parse::<EndpointUrl>();
        assert_eq!(again.as_ref(), Ok(&found.url));
        shows_no_secret(&[&found, &EndpointView::of(&found)]);
    }
    if let Some(snapshot) = read((store as &dyn Store).snapshot(&tenant(ACME)).await) {
        shows_no_secret(&[&snapshot]);
    }
    read(store.delivery(delivery(1)).await);
    read(store.status().await);
}

async fn read_delivery(store: &SeaOrmStore) {
    if let Some(delivery) = read(store.delivery(delivery(1)).await).flatten() {
        shows_no_secret(&[&delivery, &DeliveryView::of(&delivery)]);
    }
    read(store.deliveries(DeliveryQuery::new().endpoint(endpoint(1))).await);
    read(store.first_in_line(delivery(1)).await);
    read(store.status().await);
    read(store.backlog().await);
}

/// The other customer has a delivery that is due, and an event to be routed.
async fn leaves_others_alone(place: &Place) {
    let store = &place.store;
    let listed = store.deliveries(DeliveryQuery::new().tenant(tenant(WELL))).await;
    assert_eq!(listed.map(|page| page.items.len()).ok(), Some(1), "another's listing");
    let claimed = store.claim_due(ClaimDue::new(10, MINUTE)).await.expect("a claim");
    let due = |id| claimed.claims.iter().any(|claim| claim.lease.delivery == id);
    assert!(due(delivery(2)), "another's delivery waits");
    let unrouted = store.claim_unrouted(10, MINUTE).await.expect("a claim of events");
    assert!(unrouted.events.iter().any(|one| one.id == event(4)), "another's event waits");
}

fn tenant(name: &str) -> TenantId {
    name.parse().expect("a tenant")
}

/// The only thing that may be wrong is the row.
fn read<T>(answer: Result<T, StoreError>) -> Option<T> {
    match answer {
        Ok(found) => Some(found),
        Err(error) => {
            assert_eq!(error.kind(), StoreErrorKind::Corrupt, "{error:?}");
            shows_no_secret(&[&error]);
            None
        }
    }
}

fn shows_no_secret(shown: &[&dyn std::fmt::Debug]) {
    for one in shown {
        assert!(!format!("{one:?}").contains(SECRET), "a secret shows");
    }
}
