//! Handing out what is due, endpoint by endpoint.
//!
//! The work is found by the heads of the endpoints: for each endpoint with open deliveries, the
//! earliest of them. That is one step in an index per endpoint, and what lies behind the head of an
//! endpoint that is paused or full is never read.

mod heads;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;
use webhook_core::{
    Claim, ClaimDue, Claimed, DeliveryId, Event, EventId, Lease, LeaseEpoch, Progress, Timestamp,
};

use crate::{
    dialect::repeated,
    enqueue::event,
    fault::Fault,
    row::{Row, ToValue, limit},
    rows::pairs,
    tx::{ROWS, Tx},
    unit::Unit,
};
use heads::{Head, Round};

/// Endpoints whose deliveries are read by one statement.
const ENDPOINTS: usize = 32;

/// Takes deliveries that are due.
pub(crate) struct ClaimDeliveries(pub(crate) ClaimDue);

#[async_trait]
impl Unit for ClaimDeliveries {
    type Answer = Claimed;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Claimed, Fault> {
        let now = tx.now().await?;
        let mut round = Round::new(&self.0, Head::read(tx).await?, now);
        let mut found = Vec::new();
        while let Some(heads) = round.next_heads(ENDPOINTS) {
            let candidates = read_candidates(tx, &heads).await?;
            found.extend(round.take(&heads, candidates));
        }
        let claims = claim(tx, &self.0, found, now).await?;
        Ok(Claimed::new(claims, round.resume_at(), round.next_due()))
    }
}

/// An open delivery, of an endpoint that is asked for.
struct Candidate {
    id: DeliveryId,
    due_at: Timestamp,
    row: Row,
}

/// For each endpoint its longest due deliveries, one more than it has room for: that one says when to
/// look again.
async fn read_candidates(tx: &Tx, heads: &[(Head, usize)]) -> Result<Vec<Candidate>, Fault> {
    let one = "SELECT * FROM (SELECT event_id, endpoint_id, epoch, attempts, recorded, budget_from, \
               forgiven, due_at, claimed_at FROM {deliveries} {by_open} WHERE endpoint_id = ? \
               AND due_at IS NOT NULL ORDER BY due_at, event_id LIMIT ? {for_update_skip_locked}) AS c";
    let sql = vec![one; heads.len()].join(" UNION ALL ");
    let values = heads.iter().flat_map(|(head, room)| [head.id.to_value(), limit(room + 1)]);
    let rows = tx.all(&sql, values).await?;
    rows.into_iter().map(candidate).collect()
}

fn candidate(row: Row) -> Result<Candidate, Fault> {
    let id = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
    Ok(Candidate { id, due_at: row.time("due_at")?, row })
}

/// Takes what was found. What cannot be read is failed, each for itself: it must neither stop the
/// others nor come back for ever.
async fn claim(
    tx: &Tx,
    ask: &ClaimDue,
    found: Vec<(Head, Candidate)>,
    now: Timestamp,
) -> Result<Vec<Claim>, Fault> {
    let events = read_events(tx, found.iter().map(|(_, candidate)| candidate.id.event)).await?;
    let (mut claims, mut unreadable) = (Vec::new(), Vec::new());
    for (head, candidate) in &found {
        let event = events.get(&candidate.id.event).map(Arc::clone);
        let event = event.ok_or_else(|| Fault::corrupt("cannot read the event"));
        match event.and_then(|event| claim_of(head, candidate, event)) {
            Ok(claim) => claims.push(claim),
            Err(_) => unreadable.push(candidate.id),
        }
    }
    let ids: Vec<_> = claims.iter().map(|claim| claim.lease.delivery).collect();
    mark_claimed(tx, &ids, now, now.after(ask.lease)).await?;
    mark_unreadable(tx, &unreadable, now).await?;
    Ok(claims)
}

fn claim_of(head: &Head, candidate: &Candidate, event: Arc<Event>) -> Result<Claim, Fault> {
    let row = &candidate.row;
    let epoch = LeaseEpoch::from_u64(row.number("epoch")?).next();
    let progress = Progress::of_attempt(row.number::<u32>("attempts")?.saturating_add(1))
        .with_budget_from(row.number("budget_from")?)
        .with_forgiven(row.number("forgiven")?);
    Ok(Claim::new(Lease { delivery: candidate.id, epoch }, event, head.revision)
        .with_progress(progress, row.number("recorded")?)
        .with_previous_claim_at(row.time_if_any("claimed_at")?))
}

/// The events of these ids, each once; those that cannot be read are left out.
async fn read_events(
    tx: &Tx,
    ids: impl Iterator<Item = EventId>,
) -> Result<BTreeMap<EventId, Arc<Event>>, Fault> {
    let ids: Vec<_> = ids.collect::<BTreeSet<_>>().into_iter().collect();
    let mut events = BTreeMap::new();
    for ids in ids.chunks(ROWS) {
        let sql = format!(
            "SELECT id, tenant, event_type, occurred_at, content_type, body, event_key \
             FROM {{events}} WHERE id IN ({})",
            repeated("?", ids.len())
        );
        let rows = tx.all(&sql, ids.iter().map(ToValue::to_value)).await?;
        let readable = rows.iter().filter_map(|row| event(row).ok());
        events.extend(readable.map(|event| (event.id, Arc::new(event))));
    }
    Ok(events)
}

async fn mark_claimed(
    tx: &Tx,
    ids: &[DeliveryId],
    now: Timestamp,
    until: Timestamp,
) -> Result<(), Fault> {
    for ids in ids.chunks(ROWS) {
        let sql = format!(
            "UPDATE {{deliveries}} SET status = 'in_flight', epoch = epoch + 1, \
             attempts = attempts + 1, claimed_before = claimed_at, claimed_at = ?, due_at = ? \
             WHERE (event_id, endpoint_id) IN {}",
            tx.sql().dialect.pairs(ids.len())
        );
        tx.run(&sql, [now.to_value(), until.to_value()].into_iter().chain(pairs(ids))).await?;
    }
    Ok(())
}

async fn mark_unreadable(tx: &Tx, ids: &[DeliveryId], now: Timestamp) -> Result<(), Fault> {
    for id in ids {
        tracing::error!(delivery = %id, "the stored delivery cannot be read; it is failed");
        let sql = "UPDATE {deliveries} SET status = 'failed', due_at = NULL, finished_at = ?, \
                   last_error = 'the stored event or delivery cannot be read' \
                   WHERE event_id = ? AND endpoint_id = ?";
        tx.run(sql, [now.to_value()].into_iter().chain(pairs(&[*id]))).await?;
    }
    Ok(())
}
