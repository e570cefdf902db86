//! Reads the snapshot of a tenant, by the difference to a known one if the store can tell it.

use std::sync::Arc;

use crate::{
    model::{id::TenantId, routing::Snapshot},
    port::{Store, StoreError, StoreErrorKind, store::routing_update::RoutingUpdate},
};

impl dyn Store {
    /// Reads the present snapshot of a tenant, whole.
    ///
    /// # Errors
    ///
    /// [`StoreError`] from [`routing`](Store::routing).
    pub async fn snapshot(&self, tenant: &TenantId) -> Result<Arc<Snapshot>, StoreError> {
        read_snapshot(self, tenant, None).await
    }
}

/// Reads the present snapshot of a tenant, by the difference to a known one if the store returns it.
pub(super) async fn read_snapshot(
    store: &dyn Store,
    tenant: &TenantId,
    known: Option<&Arc<Snapshot>>,
) -> Result<Arc<Snapshot>, StoreError> {
    let update = store.routing(tenant, known.map(|known| known.version())).await?;
    updated(tenant, known, update).ok_or_else(|| {
        let reason = "the store returned a difference to a version that was not named";
        StoreError::because(StoreErrorKind::Other, reason)
    })
}

/// Applies an update; `None` if it needs a known snapshot and there is none.
fn updated(
    tenant: &TenantId,
    known: Option<&Arc<Snapshot>>,
    update: RoutingUpdate,
) -> Option<Arc<Snapshot>> {
    match update {
        RoutingUpdate::Same => known.cloned(),
        RoutingUpdate::Changed { version, entries, removed } => {
            known.map(|known| Arc::new(known.changed(version, entries, &removed)))
        }
        RoutingUpdate::Whole { version, entries } => {
            Some(Arc::new(Snapshot::new(tenant.clone(), version, entries)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        id::{EndpointId, TenantVersion},
        routing::RoutingEntry,
    };

    #[test]
    fn an_update_is_applied_to_the_known_snapshot() {
        let tenant = TenantId::default();
        let version = TenantVersion::from_u64;
        let id = |number| EndpointId::from_uuid(uuid::Uuid::from_u128(number));
        let entry = |number| RoutingEntry::new(id(number), Vec::new());
        let known = Arc::new(Snapshot::new(tenant.clone(), version(1), [entry(1), entry(2)]));
        let changed = RoutingUpdate::Changed {
            version: version(2),
            entries: vec![entry(3)],
            removed: vec![id(1)],
        };
        let whole = RoutingUpdate::Whole { version: version(3), entries: vec![entry(4)] };
        let table = [
            (RoutingUpdate::Same, Some(&known), Some((1, vec![id(1), id(2)]))),
            (changed.clone(), Some(&known), Some((2, vec![id(2), id(3)]))),
            (whole.clone(), Some(&known), Some((3, vec![id(4)]))),
            (whole, None, Some((3, vec![id(4)]))),
            (RoutingUpdate::Same, None, None),
            (changed, None, None),
        ];
        for (update, known, expected) in table {
            let found = updated(&tenant, known, update.clone()).map(|snapshot| {
                let ids = snapshot.entries().iter().map(|entry| entry.id).collect();
                (snapshot.version().as_u64(), ids)
            });
            assert_eq!(found, expected, "{update:?}");
        }
    }
}
