//! A durable store in one file of [redb](https://www.redb.org), an embedded key-value database.
//!
//! - `store_record` makes bytes of endpoints, events, deliveries and attempts;
//! - `store_state` makes each decision, so that [`RedbStore`] only loads and saves;
//! - each call is one transaction, on a thread for blocking work.
//!
//! The store has no maintenance: the file keeps everything that was ever stored.

mod claim;
mod log;
mod tables;
mod work;

use std::{cell::Cell, path::Path, sync::Arc, time::Duration};

use async_trait::async_trait;
use redb::Database;
use tokio::{sync::Mutex, task::spawn_blocking};
use webhook_registry::{
    Clock, Endpoint, EndpointId, Health, StoreError, StoreErrorKind as Kind, TenantId,
    store::{
        Backlog, Capabilities, Capability, ClaimDue, Claimed, ClaimedUnrouted, DeliveryLog,
        Enqueue, Enqueued, Finish, Finished, Lease, Route, Routed, RoutingEntry, RoutingUpdate,
        SecretVault, Store, TenantVersion, Updated,
    },
    store_record::EndpointRecord,
    store_state::edited_endpoint,
};

use crate::tables::{ENDPOINTS, Tables, fault};

type Stored<T> = Result<T, StoreError>;

/// Keeps endpoints, events and deliveries in one file. Clones are the same store.
#[derive(Clone, Debug)]
pub struct RedbStore {
    /// Calls take it one after the other, in the order in which they were made. So a call sees the
    /// work of all earlier ones, including those that were dropped.
    database: Arc<Mutex<Database>>,
    clock: Arc<dyn Clock>,
    vault: Option<Arc<dyn SecretVault>>,
}

impl RedbStore {
    /// Opens a file that is not open yet, or creates it. Due times and leases are those of `clock`.
    /// Without a vault the secrets of endpoints are stored as plain text.
    pub fn open(
        path: impl AsRef<Path>,
        clock: impl Clock,
        vault: Option<Arc<dyn SecretVault>>,
    ) -> Result<Self, StoreError> {
        let database = Arc::new(Mutex::new(Database::create(path).map_err(fault)?));
        Ok(Self { database, clock: Arc::new(clock), vault })
    }

    /// Does the work of a call in one transaction, which is committed if it has changed anything.
    ///
    /// The work ends even if the call is dropped: then its result is lost, and never half of it.
    async fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Tables<'_>) -> Stored<T> + Send + 'static,
    ) -> Stored<T> {
        let database = Arc::clone(&self.database).lock_owned().await;
        let (now, vault) = (self.clock.now(), self.vault.clone());
        let work = spawn_blocking(move || {
            let transaction = database.begin_write().map_err(fault)?;
            let (vault, changed) = (vault.as_deref(), Cell::new(false));
            let tables = Tables { transaction: &transaction, vault, now, changed };
            let result = work(&tables)?;
            if tables.changed.get() {
                // A failed commit may be durable already.
                transaction.commit().map_err(|error| StoreError::because(Kind::Unknown, error))?;
            }
            Ok(result)
        });
        work.await.map_err(|error| StoreError::because(Kind::Unknown, error))?
    }

    /// Makes the same change for each item of a batch, and returns the results in its order.
    async fn each<I: Send + 'static, T: Send + 'static>(
        &self,
        batch: Vec<I>,
        change: fn(&Tables<'_>, I) -> Stored<T>,
    ) -> Stored<Vec<T>> {
        self.call(move |tables| batch.into_iter().map(|item| change(tables, item)).collect()).await
    }
}

#[async_trait]
impl Store for RedbStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE.with(Capability::SharedHealth).with(Capability::Durability)
    }

    fn log(&self) -> Option<&dyn DeliveryLog> {
        Some(self)
    }

    async fn add_endpoint(&self, endpoint: Endpoint) -> Stored<()> {
        self.call(move |tables| {
            let id = endpoint.id.as_uuid();
            if tables.get::<Option<EndpointRecord>>(ENDPOINTS, id.as_bytes())?.is_some() {
                return Err(StoreError::new(Kind::Exists));
            }
            tables.raise_version(&endpoint.tenant)?;
            tables.put_endpoint(&endpoint.with_health(Health::HEALTHY))
        })
        .await
    }

    async fn update_endpoint(&self, endpoint: Endpoint) -> Stored<Updated> {
        self.call(move |tables| {
            match edited_endpoint(tables.endpoint(endpoint.id)?.as_ref(), endpoint) {
                Ok(edited) => {
                    tables.raise_version(&edited.tenant)?;
                    tables.put_endpoint(&edited)?;
                    Ok(Updated::Done(edited.revision))
                }
                Err(result) => Ok(result),
            }
        })
        .await
    }

    async fn remove_endpoint(&self, tenant: &TenantId, id: EndpointId) -> Stored<bool> {
        let tenant = tenant.clone();
        self.call(move |tables| {
            if tables.endpoint(id)?.is_none_or(|endpoint| endpoint.tenant != tenant) {
                return Ok(false);
            }
            tables.raise_version(&tenant)?;
            // The id stays taken.
            tables.put(ENDPOINTS, id.as_uuid().as_bytes(), &None::<EndpointRecord>)?;
            tables.cancel_all(id).map(|()| true)
        })
        .await
    }

    async fn endpoints(&self, ids: &[EndpointId]) -> Stored<Vec<Stored<Option<Endpoint>>>> {
        let ids = ids.to_vec();
        self.call(move |tables| Ok(ids.into_iter().map(|id| tables.endpoint(id)).collect())).await
    }

    async fn routing(&self, tenant: &TenantId, _: Option<TenantVersion>) -> Stored<RoutingUpdate> {
        let tenant = tenant.clone();
        self.call(move |tables| {
            let records = tables.of::<Option<EndpointRecord>>(ENDPOINTS, &[])?.into_iter();
            let all = records.flatten().map(|record| Ok(record.into_endpoint(tables.vault)?));
            let all = all.collect::<Stored<Vec<_>>>()?;
            let its = all.iter().filter(|endpoint| endpoint.tenant == tenant);
            let entries = its.map(RoutingEntry::of).collect();
            Ok(RoutingUpdate::Whole { version: tables.version(&tenant)?, entries })
        })
        .await
    }

    async fn enqueue(&self, batch: Vec<Enqueue>) -> Stored<Vec<Enqueued>> {
        self.each(batch, |tables, item| tables.enqueue(item)).await
    }

    async fn claim_unrouted(&self, limit: usize, lease: Duration) -> Stored<ClaimedUnrouted> {
        self.call(move |tables| tables.claim_unrouted(limit, lease)).await
    }

    async fn route(&self, batch: Vec<Route>) -> Stored<Vec<Routed>> {
        self.each(batch, |tables, item| tables.route(item)).await
    }

    async fn claim_due(&self, claim: ClaimDue) -> Stored<Claimed> {
        self.call(move |tables| tables.claim_due(&claim)).await
    }

    async fn finish(&self, batch: Vec<Finish>) -> Stored<Vec<Finished>> {
        self.each(batch, |tables, item| {
            tables.end_claim(&item, |state| state.finished(&item, tables.now))
        })
        .await
    }

    async fn release(&self, batch: Vec<Lease>) -> Stored<Vec<Finished>> {
        self.each(batch, |tables, lease| {
            tables.end_claim(&Finish::void(lease), |state| state.released(lease, tables.now))
        })
        .await
    }

    async fn backlog(&self) -> Stored<Backlog> {
        self.call(|tables| tables.backlog()).await
    }
}
