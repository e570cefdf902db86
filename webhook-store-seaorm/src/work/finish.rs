//! Writing down what followed from attempts, fenced by the lease epoch.

mod plain;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use async_trait::async_trait;
use sea_orm::Value;
use webhook_core::{
    Attempt, DeliveryId, DeliveryStatus, EndpointId, OrderPolicy, Timestamp,
    store::{Finish, Finished, Lease, LeaseEpoch, Settle, whole_millis},
};

use crate::{
    db::{
        fault::Fault,
        row::{Row, ToValue},
        rows::{LockedDelivery, these},
        tx::{ROWS_PER_STATEMENT, Tx},
        unit::Unit,
    },
    work::{
        finish::plain::{is_plain, succeed},
        health::BatchHealth,
        order::{leave, lock_ordered, policies},
        store_status::count_leases_lost,
    },
};

/// Stores attempts and the resulting states of their deliveries.
pub(crate) struct FinishDeliveries(pub(crate) Vec<Finish>);

impl FinishDeliveries {
    pub(crate) async fn run(&self, tx: &Tx) -> Result<Vec<Finished>, Fault> {
        let is_plain = |item: &&Finish| !tx.is_retry() && is_plain(item);
        let (plain, others): (Vec<_>, Vec<_>) = self.0.iter().partition(is_plain);
        let mut answers = finish_each(tx, &others).await?.into_iter();
        succeed(tx, &plain).await?;
        let mut answer = |item| {
            if is_plain(&item) { Some(Finished::Recorded) } else { answers.next() }
        };
        Ok(self.0.iter().filter_map(&mut answer).collect())
    }
}

/// Finishes deliveries one by one, each after it was read and locked.
async fn finish_each(tx: &Tx, batch: &[&Finish]) -> Result<Vec<Finished>, Fault> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let now = tx.now().await?;
    let mut watched = BatchHealth::lock(tx, batch, now).await?;
    let policies = lock_lines(tx, batch).await?;
    let mut held = HeldDeliveries::read(tx, batch.iter().map(|item| item.lease.delivery)).await?;
    let mut changes = DeliveryChanges::default();
    let (mut attempts, mut leaving) = (Vec::new(), BTreeMap::new());
    let mut answers = Vec::new();
    for item in batch {
        let taken = held.end_lease(item.lease);
        answers.push(match taken {
            LeaseCheck::Held(_) | LeaseCheck::AlreadyEnded => Finished::Recorded,
            LeaseCheck::Lost => Finished::LeaseLost,
        });
        let LeaseCheck::Held(state) = taken else { continue };
        watched.apply_attempt(item, now);
        if state.status == DeliveryStatus::InFlight {
            watched.add_notice(item, now);
        }
        let change = DeliveryChange::finish(&state, item, now);
        let policy = policies.get(&item.lease.delivery.endpoint);
        if policy.is_some_and(|policy| policy.leaves_line(change.status)) {
            leaving.insert(item.lease.delivery, now);
        }
        changes.add(state.row, change);
        attempts.extend(item.attempts.iter().map(|attempt| attempt_row(item.lease, attempt)));
    }
    watched.write(tx, now).await?;
    insert_attempts(tx, attempts, "{keep_first}").await?;
    changes.write(tx).await?;
    leave(tx, &leaving).await?;
    count_leases_lost(tx, &answers).await?;
    Ok(answers)
}

/// Locks the endpoints whose lines may change, and returns their order policies.
async fn lock_lines(
    tx: &Tx,
    batch: &[&Finish],
) -> Result<BTreeMap<EndpointId, OrderPolicy>, Fault> {
    let ordered = batch.iter().filter(|item| item.ordered);
    let ids = ordered.map(|item| item.lease.delivery.endpoint).collect();
    policies(tx, &lock_ordered(tx, &ids).await?).await
}

/// Releases claims that were not started.
pub(crate) struct ReleaseDeliveries(pub(crate) Vec<Lease>);

#[async_trait]
impl Unit for ReleaseDeliveries {
    type Output = Vec<Finished>;
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Vec<Finished>, Fault> {
        let now = tx.now().await?;
        // What is not tried says nothing, though it may have been the probe.
        let void: Vec<_> = self.0.iter().copied().map(Finish::void).collect();
        let mut watched = BatchHealth::lock(tx, &void.iter().collect::<Vec<_>>(), now).await?;
        let mut held = HeldDeliveries::read(tx, self.0.iter().map(|lease| lease.delivery)).await?;
        let mut changes = DeliveryChanges::default();
        let release = |item: &Finish| match held.end_lease(item.lease) {
            LeaseCheck::Held(state) => {
                watched.apply_attempt(item, now);
                let change = DeliveryChange::release(&state, now);
                changes.add(state.row, change);
                Finished::Recorded
            }
            LeaseCheck::AlreadyEnded | LeaseCheck::Lost => Finished::LeaseLost,
        };
        let answers: Vec<_> = void.iter().map(release).collect();
        watched.write(tx, now).await?;
        changes.write(tx).await?;
        count_leases_lost(tx, &answers).await?;
        Ok(answers)
    }
}

/// Stored deliveries of a batch, locked.
struct HeldDeliveries(BTreeMap<DeliveryId, HeldDelivery>);

/// A stored delivery, and whether its lease holds it.
#[derive(Clone)]
struct HeldDelivery {
    row: LockedDelivery,
    /// True if the claim of this epoch was neither finished nor released.
    held: bool,
    status: DeliveryStatus,
    epoch: LeaseEpoch,
    attempts: u32,
    recorded: u32,
    forgiven: u32,
}

impl HeldDeliveries {
    async fn read(tx: &Tx, ids: impl Iterator<Item = DeliveryId>) -> Result<Self, Fault> {
        let mut held = BTreeMap::new();
        let ids: BTreeSet<_> = ids.collect();
        for ids in ids.into_iter().collect::<Vec<_>>().chunks(ROWS_PER_STATEMENT) {
            let (these, values) = these(tx, ids);
            let sql = format!(
                "SELECT event_id, endpoint_id, status, epoch, attempts, recorded, forgiven{{and_place}} \
                 FROM {{deliveries}} {{by_key}} WHERE (event_id, endpoint_id) IN {these} \
                 ORDER BY event_id, endpoint_id {{for_update}}"
            );
            for row in tx.all(&sql, values).await? {
                // One that cannot be read is held by nobody; the next claim takes care of it.
                held.extend(state(&row));
            }
        }
        Ok(Self(held))
    }

    /// Ends this lease. Only the first call for it returns [`LeaseCheck::Held`], because a batch
    /// may contain the same lease twice.
    fn end_lease(&mut self, lease: Lease) -> LeaseCheck {
        match self.0.get_mut(&lease.delivery).filter(|state| state.epoch == lease.epoch) {
            None => LeaseCheck::Lost,
            Some(state) if !state.held => LeaseCheck::AlreadyEnded,
            Some(state) => {
                state.held = false;
                LeaseCheck::Held(state.clone())
            }
        }
    }
}

/// Result of ending the lease of a delivery.
enum LeaseCheck {
    /// The lease held the delivery until now.
    Held(HeldDelivery),
    /// The delivery was finished or released under this lease before.
    AlreadyEnded,
    /// The delivery has another lease, or none.
    Lost,
}

/// Whether the last claim of a delivery is out. One cancelled meanwhile is still held, so that its
/// attempt in flight gets recorded, until all attempts counted are.
const fn is_held(status: DeliveryStatus, attempts: u32, recorded: u32) -> bool {
    match status {
        DeliveryStatus::InFlight => true,
        DeliveryStatus::Cancelled => recorded < attempts,
        _ => false,
    }
}

fn state(row: &Row) -> Option<(DeliveryId, HeldDelivery)> {
    let read = || {
        let id = DeliveryId::new(row.event("event_id")?, row.endpoint("endpoint_id")?);
        let (status, attempts) = (row.parse("status")?, row.number("attempts")?);
        let recorded = row.number("recorded")?;
        let state = HeldDelivery {
            row: LockedDelivery::new(id, row),
            held: is_held(status, attempts, recorded),
            status,
            epoch: LeaseEpoch::from_u64(row.number("epoch")?),
            attempts,
            recorded,
            forgiven: row.number("forgiven")?,
        };
        Ok::<_, Fault>((id, state))
    };
    read().ok()
}

/// New values of a delivery.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct DeliveryChange {
    status: DeliveryStatus,
    attempts: u32,
    recorded: u32,
    forgiven: u32,
    due_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    /// Set by each attempt, and left alone when there is none.
    last_error: Option<Option<String>>,
    /// The claim led to no attempt: the last one was claimed before.
    unclaim: bool,
}

impl DeliveryChange {
    fn finish(state: &HeldDelivery, item: &Finish, now: Timestamp) -> Self {
        let last = item.attempts.last();
        let change = Self {
            status: state.status,
            attempts: item.attempts_made,
            recorded: item.attempts.iter().map(|it| it.number).fold(state.recorded, u32::max),
            forgiven: item.forgiven,
            due_at: None,
            finished_at: None,
            last_error: last.map(|it| it.failure.as_ref().map(ToString::to_string)),
            unclaim: item.attempts_made < state.attempts,
        };
        change.settled(item.settle, now)
    }

    fn release(state: &HeldDelivery, now: Timestamp) -> Self {
        let change = Self {
            status: state.status,
            attempts: state.attempts.saturating_sub(1),
            recorded: state.recorded,
            forgiven: state.forgiven,
            due_at: None,
            finished_at: None,
            last_error: None,
            unclaim: true,
        };
        change.settled(Settle::Retry(Duration::ZERO), now)
    }

    /// What is cancelled stays cancelled. It is never claimed again, so that nobody asks for attempts
    /// lost before; that none is left to record tells that its last lease is over.
    fn settled(mut self, settle: Settle, now: Timestamp) -> Self {
        if self.status == DeliveryStatus::Cancelled {
            self.recorded = self.attempts;
            return self;
        }
        (self.status, self.due_at) = match settle {
            Settle::Success => (DeliveryStatus::Success, None),
            Settle::Failed => (DeliveryStatus::Failed, None),
            Settle::Retry(wait) => (DeliveryStatus::Pending, Some(now.after(wait))),
        };
        self.finished_at = self.status.is_final().then_some(now);
        self
    }
}

/// Deliveries by their new values: most of a batch get the same, in one statement.
#[derive(Default)]
struct DeliveryChanges(BTreeMap<DeliveryChange, Vec<LockedDelivery>>);

impl DeliveryChanges {
    fn add(&mut self, row: LockedDelivery, change: DeliveryChange) {
        self.0.entry(change).or_default().push(row);
    }

    async fn write(self, tx: &Tx) -> Result<(), Fault> {
        for (change, rows) in &self.0 {
            change.write(tx, rows).await?;
        }
        Ok(())
    }
}

impl DeliveryChange {
    async fn write(&self, tx: &Tx, rows: &[LockedDelivery]) -> Result<(), Fault> {
        let error = if self.last_error.is_some() { ", last_error = ?" } else { "" };
        let claimed =
            if self.unclaim { ", claimed_at = claimed_before, claimed_by = NULL" } else { "" };
        let set = format!(
            "status = ?, attempts = ?, recorded = ?, forgiven = ?, due_at = ?, \
             finished_at = COALESCE(?, finished_at){error}{claimed}"
        );
        let mut values = vec![
            self.status.to_value(),
            self.attempts.to_value(),
            self.recorded.to_value(),
            self.forgiven.to_value(),
            self.due_at.to_value(),
            self.finished_at.to_value(),
        ];
        values.extend(self.last_error.clone().map(Value::from));
        tx.change(&set, &values, rows).await
    }
}

/// An attempt as values in the order of its columns.
pub(crate) type AttemptRow = [Value; 11];

pub(crate) fn attempt_row(lease: Lease, attempt: &Attempt) -> AttemptRow {
    let failure = attempt.failure.as_ref();
    [
        lease.delivery.event.to_value(),
        lease.delivery.endpoint.to_value(),
        attempt.number.to_value(),
        attempt.trigger.to_value(),
        lease.epoch.to_value(),
        attempt.started_at.to_value(),
        whole_millis(attempt.duration).into(),
        attempt.status.map(i64::from).into(),
        failure.map(|failure| failure.kind.as_str().to_owned()).into(),
        failure.map(|failure| failure.text.clone()).into(),
        attempt.response_body.to_value(),
    ]
}

pub(crate) async fn insert_attempts(tx: &Tx, rows: Vec<AttemptRow>, or: &str) -> Result<(), Fault> {
    let into = "{attempts} (event_id, endpoint_id, number, triggered_by, epoch, started_at, duration_ms, \
                status, failure_kind, failure_text, response_body)";
    tx.insert(into, rows, or).await.map(|_| ())
}
