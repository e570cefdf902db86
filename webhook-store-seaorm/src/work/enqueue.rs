//! Taking in: events, each with its deliveries, in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sea_orm::Value;
use webhook_core::{
    DeliveryId, EndpointId, Event, EventId, EventKey, EventType, TenantId, Timestamp,
    store::{Enqueue, Enqueued, FanOut, LeaseEpoch, NewDelivery, TenantVersion},
    transport::Hops,
};

use crate::{
    db::{
        fault::Fault,
        row::{Row, ToValue},
        tx::Tx,
    },
    work::{
        endpoints::{TenantState, versions},
        health::restricted_endpoints,
        order::{LineEnds, LineKey},
        unrouted::{TenantKey, unrouted_keys},
    },
};

/// Stores events.
pub(crate) struct EnqueueEvents(pub(crate) Vec<Enqueue>);

impl EnqueueEvents {
    /// Looks first, inserts then; at ids, which are new nearly always, only where something is taken.
    /// What was there all the same, or came from another writer between the two, the unique indexes
    /// notice: the whole unit runs again and finds it.
    pub(crate) async fn run(&self, tx: &Tx) -> Result<Vec<Enqueued>, Fault> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let (now, versions) = versions(tx, &tenants(&self.0)).await?;
        let limited = limited_of(tx, &self.0, &versions, now).await?;
        let mut taken = StoredIdentities::read(tx, &self.0).await?;
        let direct = EndpointOwners::read(tx, &self.0).await?;
        let lines = LineEnds::lock(tx, lines(&self.0)).await?;
        let behind = unrouted_keys(tx, &ordering_keys(&self.0), now).await?;
        let mut rows =
            NewRows { now, limited, lines, behind, events: Vec::new(), deliveries: Vec::new() };
        let answer = |item: &Enqueue| {
            let answer = taken.answer(&item.event).or_else(|| direct.answer(item));
            answer.unwrap_or_else(|| {
                taken.add(&item.event);
                let known = versions.get(&item.event.tenant).copied().unwrap_or_default();
                rows.add(item, known.version)
            })
        };
        let answers = self.0.iter().map(answer).collect();
        rows.insert(tx).await?;
        Ok(answers)
    }
}

/// Tenants of the endpoints to which events of a batch are sent directly.
struct EndpointOwners(BTreeMap<EndpointId, TenantId>);

impl EndpointOwners {
    /// Nothing is read for a batch without such events, as nearly all are. One that is removed after
    /// this look is noticed by the next claim.
    async fn read(tx: &Tx, batch: &[Enqueue]) -> Result<Self, Fault> {
        let direct = batch.iter().filter_map(|item| item.fan_out.as_ref());
        let direct = direct.filter(|fan_out| fan_out.version.is_none());
        let ids: BTreeSet<_> =
            direct.flat_map(|it| &it.deliveries).map(|new| new.endpoint).collect();
        let sql = "SELECT id, tenant FROM {endpoints} WHERE removed_at IS NULL AND id {in_list}";
        let rows = tx.all_of(sql, ids.iter().map(ToValue::to_value)).await?;
        let owner = |row: &Row| Ok::<_, Fault>((row.endpoint("id")?, row.parse("tenant")?));
        Ok(Self(rows.iter().map(owner).collect::<Result<_, _>>()?))
    }

    fn answer(&self, item: &Enqueue) -> Option<Enqueued> {
        let fan_out = item.fan_out.as_ref().filter(|fan_out| fan_out.version.is_none())?;
        let has = |new: &NewDelivery| self.0.get(&new.endpoint) == Some(&item.event.tenant);
        (!fan_out.deliveries.iter().all(has)).then_some(Enqueued::EndpointGone)
    }
}

fn tenants(batch: &[Enqueue]) -> Vec<&TenantId> {
    batch.iter().map(|item| &item.event.tenant).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The endpoints, of those that this batch has leased deliveries for, that are cooling down or
/// recovering. Nothing is read for tenants whose endpoints are unrestricted.
async fn limited_of(
    tx: &Tx,
    batch: &[Enqueue],
    versions: &BTreeMap<TenantId, TenantState>,
    now: Timestamp,
) -> Result<BTreeSet<EndpointId>, Fault> {
    let may_be = |tenant| versions.get(tenant).is_some_and(|known| known.restricted_until > now);
    let fan_outs = batch.iter().filter(|item| may_be(&item.event.tenant));
    let leased: BTreeSet<_> =
        fan_outs.filter_map(|item| item.fan_out.as_ref()).flat_map(leased).collect();
    if leased.is_empty() { Ok(leased) } else { restricted_endpoints(tx, &leased).await }
}

/// The endpoints that the caller means to send to at once.
fn leased(fan_out: &FanOut) -> impl Iterator<Item = EndpointId> {
    fan_out.deliveries.iter().filter(|new| new.lease.is_some()).map(|new| new.endpoint)
}

/// The lines that its deliveries may stand in.
fn lines(batch: &[Enqueue]) -> BTreeSet<LineKey> {
    let mut lines = BTreeSet::new();
    for Enqueue { event, fan_out, .. } in batch {
        let (Some(key), Some(fan_out)) = (&event.ordering_key, fan_out) else { continue };
        let pending = fan_out.deliveries.iter().filter(|new| new.lease.is_none());
        lines.extend(pending.map(|new| (new.endpoint, key.clone())));
    }
    lines
}

fn ordering_keys(batch: &[Enqueue]) -> BTreeSet<TenantKey> {
    batch.iter().filter_map(|item| tenant_key(&item.event)).collect()
}

fn tenant_key(event: &Event) -> Option<TenantKey> {
    Some((event.tenant.clone(), event.ordering_key.clone()?))
}

/// Ids and keys in use: those of stored events, and of earlier events in the batch.
#[derive(Default)]
struct StoredIdentities {
    by_id: BTreeMap<EventId, EventIdentity>,
    by_key: BTreeMap<(TenantId, EventKey), EventId>,
}

/// Parts of an event that must be equal in a second event with its id or key.
#[derive(Eq, PartialEq)]
pub(crate) struct EventIdentity {
    tenant: TenantId,
    event_type: EventType,
    body: Bytes,
}

impl EventIdentity {
    pub(crate) fn read(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            tenant: row.parse("tenant")?,
            event_type: row.parse("event_type")?,
            body: row.get::<Vec<u8>>("body")?.into(),
        })
    }

    pub(crate) fn of(event: &Event) -> Self {
        Self {
            tenant: event.tenant.clone(),
            event_type: event.event_type.clone(),
            body: event.body.clone(),
        }
    }
}

impl StoredIdentities {
    async fn read(tx: &Tx, batch: &[Enqueue]) -> Result<Self, Fault> {
        let mut taken = Self::default();
        for (tenant, keys) in keys_by_tenant(batch) {
            taken.read_where(tx, "event_key", keys, Some(tenant)).await?;
        }
        // Where both are taken, the id tells which event it is.
        if tx.is_retry() || !taken.by_key.is_empty() {
            let ids = batch.iter().map(|item| item.event.id.to_value()).collect();
            taken.read_where(tx, "id", ids, None).await?;
        }
        Ok(taken)
    }

    async fn read_where(
        &mut self,
        tx: &Tx,
        column: &str,
        values: Vec<Value>,
        tenant: Option<&TenantId>,
    ) -> Result<(), Fault> {
        let (of_tenant, by, tenant) = match tenant {
            Some(tenant) => ("tenant = ? AND", "{by_event_key}", Some(tenant.to_value())),
            None => ("", "{by_key}", None),
        };
        let sql = format!(
            "SELECT id, tenant, event_key, event_type, body FROM {{events}} {by} WHERE {of_tenant} {column} {{in_list}}"
        );
        for row in tx.all_of_after(&sql, tenant, values).await? {
            self.add_row(&row)?;
        }
        Ok(())
    }

    fn add_row(&mut self, row: &Row) -> Result<(), Fault> {
        let id = row.event("id")?;
        let first = EventIdentity::read(row)?;
        if let Some(key) = row.parse_if_any("event_key")? {
            self.by_key.insert((first.tenant.clone(), key), id);
        }
        self.by_id.insert(id, first);
        Ok(())
    }

    fn add(&mut self, event: &Event) {
        if let Some(key) = &event.key {
            self.by_key.insert((event.tenant.clone(), key.clone()), event.id);
        }
        self.by_id.insert(event.id, EventIdentity::of(event));
    }

    /// What to answer for an event whose id or key is taken.
    fn answer(&self, event: &Event) -> Option<Enqueued> {
        let by_key = || {
            let key = event.key.as_ref()?;
            self.by_key.get(&(event.tenant.clone(), key.clone())).copied()
        };
        let id = if self.by_id.contains_key(&event.id) { event.id } else { by_key()? };
        let first = self.by_id.get(&id)?;
        Some(if *first == EventIdentity::of(event) {
            Enqueued::Duplicate(id)
        } else {
            Enqueued::Conflict(id)
        })
    }
}

fn keys_by_tenant(batch: &[Enqueue]) -> BTreeMap<&TenantId, Vec<Value>> {
    let mut keys = BTreeMap::<_, Vec<_>>::new();
    for event in batch.iter().map(|item| &item.event) {
        if let Some(key) = &event.key {
            keys.entry(&event.tenant).or_default().push(key.as_str().into());
        }
    }
    keys
}

/// The rows of a batch, each kind for one statement.
struct NewRows {
    now: Timestamp,
    /// Endpoints that take no attempts as they come.
    limited: BTreeSet<EndpointId>,
    lines: LineEnds,
    /// Ordering keys of which an event is not routed yet: no other may overtake it.
    behind: BTreeSet<TenantKey>,
    events: Vec<EventRow>,
    deliveries: Vec<DeliveryRow>,
}

impl NewRows {
    fn add(&mut self, item: &Enqueue, version: TenantVersion) -> Enqueued {
        let event = &item.event;
        let key = tenant_key(event);
        let is_behind = key.as_ref().is_some_and(|key| self.behind.contains(key));
        let may_be_leased = |it: &FanOut| leased(it).all(|id| !self.limited.contains(&id));
        let current = item.fan_out.as_ref();
        let current = current
            .filter(|it| it.version.is_none_or(|it| it == version))
            .filter(|it| it.version.is_none() || !is_behind && may_be_leased(it));
        let route_due_at = if current.is_some() { None } else { Some(self.now) };
        self.events.push(event_row(event, self.now, route_due_at));
        let Some(fan_out) = current else {
            self.behind.extend(key);
            return Enqueued::Later;
        };
        // An endpoint named twice still gets one delivery.
        let each: BTreeMap<_, _> =
            fan_out.deliveries.iter().map(|delivery| (delivery.endpoint, delivery)).collect();
        for new in each.values() {
            let id = DeliveryId::new(event.id, new.endpoint);
            let key = event.ordering_key.as_ref().filter(|_| !new.missed);
            let due_at = match new.lease {
                Some(lease) => self.now.after(lease),
                None => self.lines.append(id, key, self.now),
            };
            let (tenant, event_type) = (&event.tenant, &event.event_type);
            self.deliveries.push(delivery_row(id, tenant, event_type, new, due_at, self.now));
        }
        Enqueued::Routed(each.values().filter(|new| !new.missed).count())
    }

    async fn insert(self, tx: &Tx) -> Result<(), Fault> {
        let events = self.events.len();
        let inserted = insert_events(tx, self.events, "{or_skip}").await?;
        if usize::try_from(inserted) != Ok(events) {
            return Err(Fault::optimistic_miss());
        }
        // Of an event that is new there is none yet.
        insert_deliveries(tx, self.deliveries, if tx.is_retry() { KEEP_FIRST } else { "" }).await?;
        self.lines.insert(tx).await
    }
}

/// The columns of an event: what it says of itself, when it was stored, when somebody may route it.
pub(crate) const EVENT_COLUMNS: &str = "id, tenant, event_type, occurred_at, content_type, body, event_key, ordering_key, hops, created_at, \
     route_due_at";

/// What an event says of itself, in the order of its columns.
pub(crate) fn event_values(event: &Event) -> [Value; 9] {
    [
        event.id.to_value(),
        event.tenant.to_value(),
        event.event_type.to_value(),
        event.occurred_at.to_value(),
        event.content_type.to_value(),
        event.body.to_value(),
        event.key.to_value(),
        event.ordering_key.to_value(),
        event.hops.as_u32().to_value(),
    ]
}

/// An event as values in the order of its columns.
pub(crate) type EventRow = [Value; 11];

pub(crate) fn event_row(
    event: &Event,
    now: Timestamp,
    route_due_at: Option<Timestamp>,
) -> EventRow {
    let [id, tenant, event_type, occurred_at, content_type, body, key, ordering_key, hops] =
        event_values(event);
    let (now, due_at) = (now.to_value(), route_due_at.to_value());
    [id, tenant, event_type, occurred_at, content_type, body, key, ordering_key, hops, now, due_at]
}

pub(crate) async fn insert_events(tx: &Tx, rows: Vec<EventRow>, or: &str) -> Result<u64, Fault> {
    tx.insert(&format!("{{events}} ({EVENT_COLUMNS})"), rows, or).await
}

/// A delivery as values in the order of its columns.
pub(crate) type DeliveryRow = [Value; 13];

pub(crate) fn delivery_row(
    id: DeliveryId,
    tenant: &TenantId,
    event_type: &EventType,
    new: &NewDelivery,
    due_at: Timestamp,
    now: Timestamp,
) -> DeliveryRow {
    let (epoch, attempts) = match new.lease {
        Some(_) => (LeaseEpoch::default().next(), 1u32),
        None => (LeaseEpoch::default(), 0),
    };
    let due_at = Some(due_at).filter(|_| !new.missed);
    [
        id.event.to_value(),
        id.endpoint.to_value(),
        tenant.to_value(),
        event_type.to_value(),
        new.status().to_value(),
        epoch.to_value(),
        attempts.to_value(),
        new.cause.to_value(),
        due_at.to_value(),
        new.lease.map(|_| now).to_value(),
        new.claimed_by().to_value(),
        now.to_value(),
        Some(now).filter(|_| new.missed).to_value(),
    ]
}

/// Deliveries are named by event and endpoint: one that is there already is the same obligation.
pub(crate) const KEEP_FIRST: &str = "{keep_first}";

pub(crate) async fn insert_deliveries(
    tx: &Tx,
    rows: Vec<DeliveryRow>,
    or: &str,
) -> Result<(), Fault> {
    let into = "{deliveries} (event_id, endpoint_id, tenant, event_type, status, epoch, attempts, \
                cause, due_at, claimed_at, claimed_by, created_at, finished_at)";
    tx.insert(into, rows, or).await.map(|_| ())
}

/// An event, read back.
pub(crate) fn event(row: &Row) -> Result<Event, Fault> {
    let body = row.get::<Vec<u8>>("body")?;
    Ok(Event::new(row.event("id")?, row.parse("event_type")?, row.time("occurred_at")?, body)
        .with_tenant(row.parse("tenant")?)
        .with_content_type(row.parse("content_type")?)
        .with_key(row.parse_if_any("event_key")?)
        .with_ordering_key(row.parse_if_any("ordering_key")?)
        .with_hops(Hops::new(row.number("hops")?)))
}
