//! Publishing: route by the tenant's snapshot, store event and deliveries together.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use webhook_core::{
    Enqueue, Enqueued, Event, EventId, FanOut, InvalidEvent, NewEvent, Snapshot, StoreError,
    StoreErrorKind, TenantId, fan_out,
};

use crate::{engine::Engine, error::PublishError};

/// How often the same events are handed over again when the answer to a commit was lost: their ids
/// make that safe.
const MAX_TRIES: usize = 3;

/// An event that is stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Published {
    /// Its id, the `webhook-id` of every attempt. That of the earlier event, when this one is a
    /// repetition.
    pub event: EventId,
    /// What became of its deliveries.
    pub deliveries: Deliveries,
}

/// What became of a published event's deliveries.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deliveries {
    /// So many are stored with it.
    Routed(usize),
    /// Endpoints were edited meanwhile: a dispatcher routes it.
    Later,
    /// The event was published before, under the same id or key.
    AlreadyPublished,
}

pub(crate) async fn publish_many(
    engine: &Engine,
    events: Vec<NewEvent>,
) -> Vec<Result<Published, PublishError>> {
    let now = engine.clock.now();
    let read: Vec<Result<Event, InvalidEvent>> = events
        .into_iter()
        .map(|event| {
            check_size(&event, engine.max_body)?;
            Ok(event.into_event(|| EventId::from_uuid(engine.ids.next_id()), now))
        })
        .collect();
    let valid: Vec<&Event> = read.iter().flatten().collect();
    let mut stored = match store(engine, &valid).await {
        Ok(stored) => stored.into_iter().map(Ok).collect(),
        Err(error) => each_failed(error, valid.len()),
    }
    .into_iter();
    let answer = |event: Result<Event, InvalidEvent>| {
        let event = event?;
        let enqueued = stored.next().unwrap_or_else(|| Err(missing_answer()))?;
        published(event.id, enqueued)
    };
    read.into_iter().map(answer).collect()
}

fn check_size(event: &NewEvent, limit: usize) -> Result<(), InvalidEvent> {
    let len = event.body().len();
    if len > limit { Err(InvalidEvent::TooLarge { len, limit }) } else { Ok(()) }
}

async fn store(engine: &Engine, events: &[&Event]) -> Result<Vec<Enqueued>, StoreError> {
    if events.is_empty() {
        return Ok(Vec::new());
    }
    let batch = route(engine, events).await?;
    let answers = enqueue(engine, batch).await?;
    for (event, answer) in events.iter().zip(&answers) {
        if *answer == Enqueued::Later {
            engine.registry.forget(&event.tenant);
        }
    }
    engine.wake.wake();
    Ok(answers)
}

/// Hands the batch over, again when nobody knows whether it was stored.
async fn enqueue(engine: &Engine, batch: Vec<Enqueue>) -> Result<Vec<Enqueued>, StoreError> {
    let mut tries = 1;
    loop {
        match engine.store.enqueue(batch.clone()).await {
            Err(error) if error.kind() == StoreErrorKind::Unknown && tries < MAX_TRIES => {
                tries += 1;
            }
            answer => return answer,
        }
    }
}

async fn route(engine: &Engine, events: &[&Event]) -> Result<Vec<Enqueue>, StoreError> {
    let mut snapshots = BTreeMap::<TenantId, Arc<Snapshot>>::new();
    let mut batch = Vec::with_capacity(events.len());
    for event in events {
        let snapshot = match snapshots.get(&event.tenant) {
            Some(snapshot) => snapshot.clone(),
            None => snapshot(engine, &event.tenant).await?,
        };
        let fan_out = FanOut::pending(snapshot.version(), fan_out(&snapshot, &event.event_type));
        batch.push(Enqueue::routed(Event::clone(event), fan_out));
        snapshots.insert(event.tenant.clone(), snapshot);
    }
    Ok(batch)
}

/// The tenant's endpoints, from memory where they are held.
async fn snapshot(engine: &Engine, tenant: &TenantId) -> Result<Arc<Snapshot>, StoreError> {
    match engine.registry.snapshot(tenant) {
        Some(snapshot) => Ok(snapshot),
        None => Ok(engine.registry.hold(engine.store.snapshot(tenant).await?)),
    }
}

fn published(event: EventId, enqueued: Enqueued) -> Result<Published, PublishError> {
    Ok(match enqueued {
        Enqueued::Routed(count) => Published { event, deliveries: Deliveries::Routed(count) },
        Enqueued::Duplicate(first) => {
            Published { event: first, deliveries: Deliveries::AlreadyPublished }
        }
        Enqueued::Conflict(first) => return Err(PublishError::Conflict(first)),
        _ => Published { event, deliveries: Deliveries::Later },
    })
}

/// One failed transaction answers all its events: the first gets the reason whole, the others its
/// text.
fn each_failed(error: StoreError, count: usize) -> Vec<Result<Enqueued, PublishError>> {
    let kind = error.kind();
    let text = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let mut first = Some(error);
    let mut next = || first.take().unwrap_or_else(|| StoreError::because(kind, text.clone()));
    (0..count).map(|_| Err(next().into())).collect()
}

fn missing_answer() -> PublishError {
    StoreError::because(
        StoreErrorKind::Unknown,
        "the store answered fewer events than it was given",
    )
    .into()
}
