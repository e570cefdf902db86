//! Handing out unrouted events, each to one worker at a time; those of one ordering key together.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::Value;
use webhook_core::{
    EventId, OrderingKey, Timestamp,
    store::{ClaimedUnrouted, UnroutedEvent},
};

use crate::{
    db::{
        fault::Fault,
        row::{RawId, Row, ToValue, limit},
        tx::Tx,
        unit::Unit,
    },
    work::unrouted::{SET_ROUTE_DUE, TenantKey, UNREADABLE_EVENT_PAUSE, first_unrouted, unrouted},
};

/// Claims unrouted events under a lease.
pub(crate) struct ClaimUnrouted {
    pub(crate) limit: usize,
    pub(crate) lease: Duration,
}

/// Pages that are read while events wait for earlier ones of their keys, which other workers hold.
const MAX_PAGES_PER_CLAIM: usize = 10;

#[async_trait]
impl Unit for ClaimUnrouted {
    type Output = ClaimedUnrouted;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<ClaimedUnrouted, Fault> {
        let now = tx.now().await?;
        // One more than asked for says whether to look again at once.
        let wanted = self.limit.saturating_add(1);
        let mut taking = EventSelection::default();
        let (mut next_due, mut unreadable, mut after) = (None, Vec::new(), None);
        for _ in 0..MAX_PAGES_PER_CLAIM {
            let page = UnroutedPage::read(tx, wanted, after, now).await?;
            next_due = page.next_due.map(|at| at.since(now));
            unreadable.extend(page.unreadable);
            taking.take(tx, page.found, now).await?;
            after = page.end;
            if taking.chosen().len() >= wanted || after.is_none() {
                break;
            }
        }
        put_off(tx, &unreadable, now.after(UNREADABLE_EVENT_PAUSE)).await?;
        let chosen = taking.chosen();
        // Behind those that cannot be read there may be others.
        if chosen.len() > self.limit || !unreadable.is_empty() {
            next_due = Some(Duration::ZERO);
        }
        let chosen = chosen.into_iter().take(self.limit);
        let mut events: Vec<_> = chosen.filter_map(|id| taking.locked.remove(&id)).collect();
        events.sort_by_key(|it| (it.created_at, it.event.id));
        let events: Vec<_> = events.into_iter().map(|it| it.event).collect();
        let ids = events.iter().map(|event| event.id.to_value());
        tx.run_of(SET_ROUTE_DUE, Some(now.after(self.lease).to_value()), ids).await?;
        Ok(ClaimedUnrouted::new(events, next_due))
    }
}

/// Nobody can route these, until somebody repairs them. They must not stand in the way of the others.
async fn put_off(tx: &Tx, events: &[RawId], until: Timestamp) -> Result<(), Fault> {
    for id in events {
        tracing::error!(event = %id, "an unrouted event cannot be read; looking again in a day");
    }
    let ids = events.iter().map(ToValue::to_value);
    tx.run_of(SET_ROUTE_DUE, Some(until.to_value()), ids).await.map(|_| ())
}

/// A page of events that may be claimed, ordered by the time since when.
struct UnroutedPage {
    found: Vec<FoundEvent>,
    unreadable: Vec<RawId>,
    /// When the first of the others may be taken.
    next_due: Option<Timestamp>,
    /// Where there may be more.
    end: Option<(Timestamp, RawId)>,
}

impl UnroutedPage {
    async fn read(
        tx: &Tx,
        most: usize,
        after: Option<(Timestamp, RawId)>,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let behind = if after.is_some() {
            "AND route_due_at >= ? AND (route_due_at > ? OR id > ?)"
        } else {
            ""
        };
        let mut values: Vec<Value> = Vec::new();
        if let Some((due_at, id)) = after {
            values.extend([due_at.to_value(), due_at.to_value(), id.to_value()]);
        }
        let sql = format!(
            "SELECT {UNROUTED_COLUMNS} FROM {{events}} {{by_unrouted}} WHERE route_due_at IS NOT NULL {behind} \
             ORDER BY route_due_at, id LIMIT ? {{for_update_skip_locked}}"
        );
        let rows = tx.all(&sql, values.into_iter().chain([limit(most)])).await?;
        let mut page =
            Self { found: Vec::new(), unreadable: Vec::new(), next_due: None, end: None };
        for row in &rows {
            let due_at = row.time("route_due_at")?;
            // Another worker may have taken it between the look and the lock.
            if due_at > now {
                page.next_due = page.next_due.into_iter().chain([due_at]).min();
                continue;
            }
            page.end = Some((due_at, row.key("id")?)).filter(|_| rows.len() == most);
            match FoundEvent::read(row) {
                Ok(event) => page.found.push(event),
                Err(_) => page.unreadable.push(row.key("id")?),
            }
        }
        page.end = page.end.filter(|_| page.next_due.is_none());
        Ok(page)
    }
}

/// Columns of an unrouted event.
const UNROUTED_COLUMNS: &str = "id, tenant, event_type, ordering_key, created_at, route_due_at";

/// An unrouted event, with its ordering key and time.
struct FoundEvent {
    event: UnroutedEvent,
    key: Option<OrderingKey>,
    created_at: Timestamp,
}

impl FoundEvent {
    fn read(row: &Row) -> Result<Self, Fault> {
        let (event, key) = (unrouted(row)?, row.parse_if_any("ordering_key")?);
        Ok(Self { event, key, created_at: row.time("created_at")? })
    }

    fn line(&self) -> Option<TenantKey> {
        Some((self.event.tenant.clone(), self.key.clone()?))
    }
}

/// Locked events, and the selection of those that are claimed.
#[derive(Default)]
struct EventSelection {
    /// Those found, the longest free first.
    found: Vec<(EventId, Option<TenantKey>)>,
    locked: BTreeMap<EventId, FoundEvent>,
    /// The first stored of each ordering key, up to one that somebody else has.
    first: BTreeMap<TenantKey, Vec<EventId>>,
}

impl EventSelection {
    /// Takes what was found. Of an ordering key the first stored is taken in its place: one whose lease
    /// has ended stands further behind, and goes first all the same.
    async fn take(&mut self, tx: &Tx, found: Vec<FoundEvent>, now: Timestamp) -> Result<(), Fault> {
        let lines: BTreeSet<_> = found.iter().filter_map(FoundEvent::line).collect();
        self.found.extend(found.iter().map(|it| (it.event.id, it.line())));
        self.locked.extend(found.into_iter().map(|it| (it.event.id, it)));
        let count = |line: &TenantKey| {
            self.found.iter().filter(|(_, of)| of.as_ref() == Some(line)).count()
        };
        let most = lines.iter().map(|line| (line.clone(), count(line))).collect();
        let first = first_unrouted(tx, &most, now).await?;
        self.lock_missing(tx, &first, now).await?;
        let mut held_up = BTreeSet::new();
        lines.iter().for_each(|line| drop(self.first.insert(line.clone(), Vec::new())));
        for row in &first {
            let line: TenantKey = (row.parse("tenant")?, row.parse("ordering_key")?);
            let id = row.event("id")?;
            if held_up.contains(&line) || !self.locked.contains_key(&id) {
                held_up.insert(line);
            } else {
                self.first.entry(line).or_default().push(id);
            }
        }
        Ok(())
    }

    /// Locks those of the first that are free and were not found so far.
    async fn lock_missing(&mut self, tx: &Tx, first: &[Row], now: Timestamp) -> Result<(), Fault> {
        let mut missing = Vec::new();
        for row in first {
            let id = row.event("id")?;
            if !self.locked.contains_key(&id) && row.time("route_due_at")? <= now {
                missing.push(id.to_value());
            }
        }
        let sql = format!(
            "SELECT {UNROUTED_COLUMNS} FROM {{events}} {{by_key}} WHERE id {{in_list}} \
             AND route_due_at IS NOT NULL ORDER BY id {{for_update_skip_locked}}"
        );
        for row in tx.all_of(&sql, missing).await? {
            // Another worker may have taken it between the look and the lock.
            if row.time("route_due_at")? <= now {
                // What cannot be read is put off when it is found.
                let it = FoundEvent::read(&row).ok();
                self.locked.extend(it.map(|it| (it.event.id, it)));
            }
        }
        Ok(())
    }

    /// What is taken: for each that was found itself, or the first of its ordering key that is left.
    fn chosen(&self) -> Vec<EventId> {
        let mut lines: BTreeMap<_, _> =
            self.first.iter().map(|(line, ids)| (line, ids.iter())).collect();
        let choose = |(id, line): &(EventId, Option<TenantKey>)| match line {
            None => Some(*id),
            Some(line) => lines.get_mut(line)?.next().copied(),
        };
        self.found.iter().filter_map(choose).collect()
    }
}
