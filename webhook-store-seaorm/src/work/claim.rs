//! Handing out what is due, endpoint by endpoint.
//!
//! The work is found by the heads of the endpoints: for each endpoint with open deliveries, the
//! earliest of them. That is one step in an index per endpoint, and what lies behind the head of an
//! endpoint that is paused or full is never read.

mod heads;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use webhook_core::{
    DeliveryId, EndpointId, Event, EventId, Timestamp,
    store::{Claim, ClaimDue, Claimed, Lease, LeaseEpoch, Progress},
};

use crate::{
    db::{
        fault::Fault,
        row::{RawId, Row, ToValue, limit, unreadable},
        rows::LockedDelivery,
        tx::Tx,
        unit::Unit,
    },
    work::{
        endpoints::{ReadableEndpoints, cancel_open_deliveries, readable},
        enqueue::event,
    },
};
use heads::{Head, Round};

/// Endpoints whose deliveries are claimed by one statement.
const ENDPOINTS_PER_CLAIM: usize = 32;

/// Takes deliveries that are due.
pub(crate) struct ClaimDeliveries {
    pub(crate) ask: ClaimDue,
    /// True if bodies may exceed [`ClaimDue::max_bytes`], so that their sizes have to be read.
    pub(crate) reads_sizes: bool,
    pub(crate) unreadable: Arc<UnreadableEndpoints>,
}

#[async_trait]
impl Unit for ClaimDeliveries {
    type Output = Claimed;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Claimed, Fault> {
        let now = tx.now().await?;
        let (mut heads, removed) = Head::read(tx).await?;
        for id in removed {
            cancel_open_deliveries(tx, id, now).await?;
        }
        Head::lock_shared(tx, &mut heads, &self.ask, now).await?;
        let mut round = Round::new(&self.ask, heads, now);
        let mut found = Vec::new();
        loop {
            let mut heads = round.next_heads(ENDPOINTS_PER_CLAIM);
            if heads.is_empty() {
                break;
            }
            let ids: Vec<_> = heads.iter().map(|(head, _)| head.id).collect();
            let readable = readable(tx, &ids).await?;
            self.unreadable.note(&ids, &readable);
            heads.retain(|(head, _)| readable.ids.contains(&head.id));
            let candidates = read_candidates(tx, &heads, now, self.reads_sizes).await?;
            found.extend(round.take(heads, candidates));
        }
        let claims = claim(tx, &self.ask, found, now).await?;
        for (id, allowance) in round.allowances() {
            Head::write_allowance(tx, *id, *allowance).await?;
        }
        Ok(Claimed::new(claims, round.cursor(), round.next_due()))
    }
}

/// Endpoints that have work and cannot be read: each is logged once, not at every claim.
#[derive(Debug, Default)]
pub(crate) struct UnreadableEndpoints(Mutex<BTreeSet<EndpointId>>);

impl UnreadableEndpoints {
    fn note(&self, seen: &[EndpointId], readable: &ReadableEndpoints) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for id in seen {
            if readable.ids.contains(id) {
                known.remove(id);
            } else if known.insert(*id) {
                let why = readable.others.get(id).map(Fault::why);
                tracing::error!(endpoint = %id, why, "the stored endpoint cannot be read; its deliveries wait");
            }
        }
    }
}

/// An open delivery, of an endpoint that is asked for.
struct Candidate {
    event: RawId,
    endpoint: EndpointId,
    due_at: Timestamp,
    /// Size of its event's body, in bytes; 0 if it was not read.
    bytes: usize,
    row: Row,
}

/// For each endpoint its longest due deliveries, one more than it has room for; and the next one that
/// is not due yet. The last of them says when to look again. What is not due is left to whoever holds
/// it, and not locked.
async fn read_candidates(
    tx: &Tx,
    heads: &[(Head, usize)],
    now: Timestamp,
    reads_sizes: bool,
) -> Result<Vec<Candidate>, Fault> {
    if heads.is_empty() {
        return Ok(Vec::new());
    }
    let size = if reads_sizes {
        ", (SELECT {body_bytes} FROM {events} WHERE id = event_id) AS body_bytes"
    } else {
        ""
    };
    let open = format!(
        "SELECT * FROM (SELECT event_id, endpoint_id, epoch, attempts, recorded, budget_from, \
         forgiven, cause, due_at, claimed_at{{and_place}}{size} FROM {{deliveries}} {{by_open}} \
         WHERE {{open_endpoint}} = ? AND due_at"
    );
    let sorted = "ORDER BY due_at, event_id LIMIT";
    let one = format!(
        "{open} <= ? {sorted} ? {{for_update_skip_locked}}) AS due \
         UNION ALL {open} > ? {sorted} 1) AS next"
    );
    let sql = vec![one.as_str(); heads.len()].join(" UNION ALL ");
    let values = heads.iter().flat_map(|(head, room)| {
        let (id, now) = (head.id.to_value(), now.to_value());
        [id.clone(), now.clone(), limit(room + 1), id, now]
    });
    let rows = tx.all(&sql, values).await?;
    rows.into_iter().map(|row| candidate(row, reads_sizes)).collect()
}

fn candidate(row: Row, has_size: bool) -> Result<Candidate, Fault> {
    let (event, endpoint) = (row.key("event_id")?, row.endpoint("endpoint_id")?);
    let bytes = if has_size { row.get::<Option<i64>>("body_bytes")? } else { None };
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
    Ok(Candidate { event, endpoint, due_at: row.time("due_at")?, bytes, row })
}

/// Takes what was found. What cannot be read is failed, each for itself: it must neither stop the
/// others nor come back for ever.
async fn claim(
    tx: &Tx,
    ask: &ClaimDue,
    found: Vec<(Head, Candidate)>,
    now: Timestamp,
) -> Result<Vec<Claim>, Fault> {
    let events = read_events(tx, &found).await?;
    let (mut claims, mut taken, mut unreadable) = (Vec::new(), Vec::new(), Vec::new());
    for (head, candidate) in &found {
        match claim_of(head, candidate, &events) {
            Ok(claim) => {
                taken.push(LockedDelivery::new(claim.lease.delivery, &candidate.row));
                claims.push(claim);
            }
            Err(_) => unreadable.push(candidate),
        }
    }
    mark_claimed(tx, ask, &taken, now).await?;
    mark_unreadable(tx, &unreadable, now).await?;
    Ok(claims)
}

fn claim_of(
    head: &Head,
    candidate: &Candidate,
    events: &BTreeMap<EventId, Arc<Event>>,
) -> Result<Claim, Fault> {
    let row = &candidate.row;
    let delivery = DeliveryId::new(row.event("event_id")?, candidate.endpoint);
    let event = events.get(&delivery.event).ok_or_else(|| unreadable("event"))?;
    // One more must still fit into the columns.
    let epoch = row.number::<u64>("epoch")?;
    let epoch =
        if epoch < i64::MAX.unsigned_abs() { epoch } else { return Err(unreadable("epoch")) };
    let attempt = row.number::<u32>("attempts")?.checked_add(1);
    let progress = Progress::of_attempt(attempt.ok_or_else(|| unreadable("attempts"))?)
        .with_budget_from(row.number("budget_from")?)
        .with_forgiven(row.number("forgiven")?);
    let lease = Lease { delivery, epoch: LeaseEpoch::from_u64(epoch).next() };
    Ok(Claim::new(lease, Arc::clone(event), head.revision)
        .with_progress(progress, row.number("recorded")?)
        .with_cause(row.parse("cause")?)
        .with_previous_claim_at(row.time_if_any("claimed_at")?)
        .with_unhealthy(!head.allowance.health.is_healthy()))
}

/// The events of these deliveries, each once; those that cannot be read are left out.
async fn read_events(
    tx: &Tx,
    found: &[(Head, Candidate)],
) -> Result<BTreeMap<EventId, Arc<Event>>, Fault> {
    let ids: BTreeSet<_> = found.iter().map(|(_, candidate)| &candidate.event).collect();
    let sql = "SELECT id, tenant, event_type, occurred_at, content_type, body, event_key, ordering_key, hops \
               FROM {events} {by_key} WHERE id {in_list}";
    let rows = tx.all_of(sql, ids.into_iter().map(ToValue::to_value)).await?;
    let readable = rows.iter().filter_map(|row| event(row).ok());
    Ok(readable.map(|event| (event.id, Arc::new(event))).collect())
}

async fn mark_claimed(
    tx: &Tx,
    ask: &ClaimDue,
    rows: &[LockedDelivery],
    now: Timestamp,
) -> Result<(), Fault> {
    let set = "status = 'in_flight', epoch = epoch + 1, attempts = attempts + 1, \
               claimed_before = claimed_at, claimed_at = ?, claimed_by = ?, due_at = ?";
    let until = now.after(ask.lease);
    let values = [now.to_value(), ask.worker.as_ref().to_value(), until.to_value()];
    tx.change(set, &values, rows).await
}

async fn mark_unreadable(tx: &Tx, bad: &[&Candidate], now: Timestamp) -> Result<(), Fault> {
    for Candidate { event, endpoint, .. } in bad {
        tracing::error!(%event, %endpoint, "the stored delivery cannot be read; it is failed");
        let sql = "UPDATE {deliveries} SET status = 'failed', due_at = NULL, finished_at = ?, \
                   last_error = 'the stored event or delivery cannot be read' \
                   WHERE event_id = ? AND endpoint_id = ?";
        tx.run(sql, [now.to_value(), event.to_value(), endpoint.to_value()]).await?;
    }
    Ok(())
}
