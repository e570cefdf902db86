//! The tables: each maps bytes of ids to a value as JSON.

use std::cell::Cell;

use redb::{ReadableTable, TableDefinition, WriteTransaction};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use webhook_registry::{
    DeliveryId, DeliveryStatus, Endpoint, EndpointId, EndpointUrl, Event, EventId, StoreError,
    StoreErrorKind, TenantId, Timestamp,
    store::{SecretVault, TenantVersion},
    store_record::{DeliveryRecord, EndpointRecord, EventRecord, record_from_json},
    store_state::DeliveryState,
};

use crate::Stored;

type Rows = TableDefinition<'static, &'static [u8], &'static [u8]>;
type Keys<'k> = [&'k [u8]; 2];

const VERSIONS: Rows = TableDefinition::new("versions");
/// Endpoints; `null` for those that were removed.
pub(super) const ENDPOINTS: Rows = TableDefinition::new("endpoints");
pub(super) const EVENTS: Rows = TableDefinition::new("events");
/// Ids of events by tenant and key.
pub(super) const EVENT_KEYS: Rows = TableDefinition::new("event_keys");
pub(super) const UNROUTED: Rows = TableDefinition::new("unrouted");
pub(super) const DELIVERIES: Rows = TableDefinition::new("deliveries");
/// Index of the open deliveries by endpoint, due time or end of the lease, and event.
const DUE: Rows = TableDefinition::new("due");
/// Attempts by event, endpoint and number.
pub(super) const ATTEMPTS: Rows = TableDefinition::new("attempts");

/// The tables of one transaction.
pub(super) struct Tables<'t> {
    pub(super) transaction: &'t WriteTransaction,
    pub(super) vault: Option<&'t dyn SecretVault>,
    pub(super) now: Timestamp,
    /// True if the transaction must be committed.
    pub(super) changed: Cell<bool>,
}

/// A stored delivery.
pub(super) type DeliveryRow = (DeliveryId, EndpointUrl, DeliveryState);

/// Entry of the index of open deliveries.
#[derive(Deserialize, Serialize)]
pub(super) struct DueEntry {
    pub(super) id: DeliveryId,
    pub(super) at: Timestamp,
    pub(super) in_flight: bool,
}

impl Tables<'_> {
    pub(super) fn get<R: DeserializeOwned>(&self, table: Rows, key: &[u8]) -> Stored<Option<R>> {
        let table = self.transaction.open_table(table).map_err(fault)?;
        let stored = table.get(key).map_err(fault)?;
        Ok(stored.map(|json| record_from_json(json.value())).transpose()?)
    }

    pub(super) fn put<R: Serialize>(&self, table: Rows, key: &[u8], row: &R) -> Stored<()> {
        let json = serde_json::to_vec(row).map_err(|_| StoreError::new(StoreErrorKind::Other))?;
        let mut table = self.transaction.open_table(table).map_err(fault)?;
        table.insert(key, json.as_slice()).map_err(fault)?;
        self.changed.set(true);
        Ok(())
    }

    pub(super) fn remove(&self, table: Rows, key: &[u8]) -> Stored<()> {
        let mut table = self.transaction.open_table(table).map_err(fault)?;
        table.remove(key).map_err(fault)?;
        self.changed.set(true);
        Ok(())
    }

    /// All rows whose keys begin with `prefix`.
    pub(super) fn of<R: DeserializeOwned>(&self, table: Rows, prefix: &[u8]) -> Stored<Vec<R>> {
        self.scan(table, [prefix, &end_of(prefix)], usize::MAX)
    }

    /// Up to `limit` rows with the keys from the first to the last one.
    fn scan<R: DeserializeOwned>(&self, of: Rows, keys: Keys<'_>, limit: usize) -> Stored<Vec<R>> {
        let (table, [first, last]) = (self.transaction.open_table(of).map_err(fault)?, keys);
        let rows = table.range(first..=last).map_err(fault)?.take(limit);
        rows.map(|stored| Ok(record_from_json(stored.map_err(fault)?.1.value())?)).collect()
    }

    pub(super) fn version(&self, tenant: &TenantId) -> Stored<TenantVersion> {
        Ok(self.get(VERSIONS, tenant.as_str().as_bytes())?.unwrap_or_default())
    }

    pub(super) fn raise_version(&self, tenant: &TenantId) -> Stored<()> {
        self.put(VERSIONS, tenant.as_str().as_bytes(), &self.version(tenant)?.next())
    }

    pub(super) fn endpoint(&self, id: EndpointId) -> Stored<Option<Endpoint>> {
        let record = self.get::<Option<EndpointRecord>>(ENDPOINTS, id.as_uuid().as_bytes())?;
        let endpoint = record.flatten().map(|record| record.into_endpoint(self.vault));
        Ok(endpoint.transpose()?)
    }

    pub(super) fn put_endpoint(&self, endpoint: &Endpoint) -> Stored<()> {
        let record = EndpointRecord::of(endpoint, self.vault)?;
        self.put(ENDPOINTS, endpoint.id.as_uuid().as_bytes(), &Some(record))
    }

    pub(super) fn event(&self, id: EventId) -> Stored<Option<Event>> {
        let record = self.get(EVENTS, id.as_uuid().as_bytes())?;
        Ok(record.map(EventRecord::into_event).transpose()?)
    }

    pub(super) fn delivery(&self, id: DeliveryId) -> Stored<Option<DeliveryRow>> {
        let record = self.get(DELIVERIES, &delivery_key(id))?;
        Ok(record.map(DeliveryRecord::into_parts).transpose()?)
    }

    /// Stores a delivery, and moves it in the index, where it is at the time `former` until now.
    pub(super) fn put_delivery(&self, row: &DeliveryRow, former: Option<Timestamp>) -> Stored<()> {
        let (id, url, state) = row;
        if let Some(at) = former {
            self.remove(DUE, &due_key(*id, at))?;
        }
        if let Some(at) = state.claimable_at() {
            let in_flight = state.status == DeliveryStatus::InFlight;
            self.put(DUE, &due_key(*id, at), &DueEntry { id: *id, at, in_flight })?;
        }
        self.put(DELIVERIES, &delivery_key(*id), &DeliveryRecord::of(*id, url, state))
    }

    /// Endpoints with open deliveries. Each costs one look-up, however many deliveries it has.
    pub(super) fn endpoints_with_work(&self) -> Stored<Vec<EndpointId>> {
        let (mut found, mut from, last) = (Vec::new(), Vec::new(), end_of(&[]));
        while let Some(DueEntry { id, .. }) = self.scan(DUE, [&from, &last], 1)?.pop() {
            found.push(id.endpoint);
            from = end_of(id.endpoint.as_uuid().as_bytes());
        }
        Ok(found)
    }

    /// Up to `limit` open deliveries of an endpoint, the longest due first.
    pub(super) fn due(&self, id: EndpointId, limit: usize) -> Stored<Vec<DueEntry>> {
        let key = id.as_uuid().as_bytes().to_vec();
        self.scan(DUE, [&key, &end_of(&key)], limit)
    }
}

/// Follows all keys that begin with `prefix`: no id has 64 bytes.
fn end_of(prefix: &[u8]) -> Vec<u8> {
    [prefix, &[u8::MAX; 64]].concat()
}

pub(super) fn delivery_key(id: DeliveryId) -> Vec<u8> {
    [id.event.as_uuid().as_bytes().as_slice(), id.endpoint.as_uuid().as_bytes()].concat()
}

fn due_key(id: DeliveryId, at: Timestamp) -> Vec<u8> {
    // Bytes are compared without a sign: times before 1970 precede the others.
    let at = (at.as_unix_millis() ^ i64::MIN).to_be_bytes();
    [id.endpoint.as_uuid().as_bytes(), at.as_slice(), id.event.as_uuid().as_bytes()].concat()
}

/// An error of redb, other than that of a failed commit.
pub(super) fn fault(error: impl Into<redb::Error>) -> StoreError {
    use redb::Error::{Corrupted, DatabaseAlreadyOpen, Io, PreviousIo, UpgradeRequired};
    let error = error.into();
    let kind = match &error {
        Corrupted(_) => StoreErrorKind::Corrupt,
        UpgradeRequired(_) => StoreErrorKind::Schema,
        DatabaseAlreadyOpen | Io(_) | PreviousIo => StoreErrorKind::Unavailable,
        _ => StoreErrorKind::Other,
    };
    StoreError::because(kind, error)
}
