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
    /// How many is not known yet: endpoints were edited meanwhile and a dispatcher routes it, or the
    /// answer to the commit was lost.
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
            event.check_size(engine.max_body)?;
            Ok(event.into_event(|| EventId::from_uuid(engine.ids.next_id()), now))
        })
        .collect();
    let valid: Vec<&Event> = read.iter().flatten().collect();
    let stored = store(engine, &valid).await;
    let mut stored = answers(&valid, stored).into_iter();
    let answer = |event: Result<Event, InvalidEvent>| match event {
        Ok(_) => stored.next().unwrap_or_else(|| Err(missing_answer())),
        Err(error) => Err(error.into()),
    };
    read.into_iter().map(answer).collect()
}

/// One event.
pub(crate) async fn publish(engine: &Engine, event: NewEvent) -> Result<Published, PublishError> {
    publish_many(engine, vec![event]).await.pop().unwrap_or_else(|| Err(missing_answer()))
}

/// What a batch came to, and whether it had to be handed over more than once.
struct Stored {
    answers: Vec<Enqueued>,
    repeated: bool,
}

async fn store(engine: &Engine, events: &[&Event]) -> Result<Stored, StoreError> {
    if events.is_empty() {
        return Ok(Stored { answers: Vec::new(), repeated: false });
    }
    let batch = route(engine, events).await?;
    let stored = enqueue(engine, batch).await?;
    for (event, answer) in events.iter().zip(&stored.answers) {
        if *answer == Enqueued::Later {
            engine.registry.forget(&event.tenant);
        }
    }
    engine.wake.wake();
    Ok(stored)
}

/// Hands the batch over, again when nobody knows whether it was stored.
async fn enqueue(engine: &Engine, batch: Vec<Enqueue>) -> Result<Stored, StoreError> {
    let mut tries = 1;
    loop {
        match engine.store.enqueue(batch.clone()).await {
            Ok(answers) => return Ok(Stored { answers, repeated: tries > 1 }),
            Err(error) if error.kind() == StoreErrorKind::Unknown && tries < MAX_TRIES => {
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

async fn route(engine: &Engine, events: &[&Event]) -> Result<Vec<Enqueue>, StoreError> {
    let mut snapshots = BTreeMap::<TenantId, Option<Arc<Snapshot>>>::new();
    let mut batch = Vec::with_capacity(events.len());
    for event in events {
        let snapshot = match snapshots.get(&event.tenant) {
            Some(snapshot) => snapshot.clone(),
            None => readable(snapshot(engine, &event.tenant).await)?,
        };
        batch.push(enqueued(Event::clone(event), snapshot.as_deref()));
        snapshots.insert(event.tenant.clone(), snapshot);
    }
    Ok(batch)
}

/// A tenant whose endpoints cannot be read does not keep others from publishing: its events are
/// stored, and routed when they can be read.
fn readable(
    answer: Result<Arc<Snapshot>, StoreError>,
) -> Result<Option<Arc<Snapshot>>, StoreError> {
    match answer {
        Ok(snapshot) => Ok(Some(snapshot)),
        Err(error) if error.kind().may_concern_one_item() => {
            tracing::error!(
                error = crate::text_of(&error),
                "endpoints cannot be read; events are routed later"
            );
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn enqueued(event: Event, snapshot: Option<&Snapshot>) -> Enqueue {
    match snapshot {
        Some(snapshot) => {
            let endpoints = fan_out(snapshot, &event.event_type);
            Enqueue::routed(event, FanOut::pending(snapshot.version(), endpoints))
        }
        None => Enqueue::unrouted(event),
    }
}

/// The tenant's endpoints, from memory where they are held.
async fn snapshot(engine: &Engine, tenant: &TenantId) -> Result<Arc<Snapshot>, StoreError> {
    match engine.registry.snapshot(tenant) {
        Some(snapshot) => Ok(snapshot),
        None => Ok(engine.registry.hold(engine.store.snapshot(tenant).await?)),
    }
}

/// The answers to `events`, in their order. One failed transaction answers them all: the first gets
/// the reason whole, the others its text.
fn answers(
    events: &[&Event],
    stored: Result<Stored, StoreError>,
) -> Vec<Result<Published, PublishError>> {
    match stored {
        Ok(Stored { answers, repeated }) => {
            let ids = events.iter().map(|event| event.id);
            ids.zip(answers).map(|(id, answer)| published(id, answer, repeated)).collect()
        }
        Err(error) => {
            let (kind, text) = (error.kind(), cause_of(&error));
            let others = events.iter().skip(1).map(|_| StoreError::because(kind, text.clone()));
            let others: Vec<_> = others.collect();
            std::iter::once(error).chain(others).map(|error| Err(error.into())).collect()
        }
    }
}

fn published(event: EventId, answer: Enqueued, repeated: bool) -> Result<Published, PublishError> {
    Ok(match answer {
        Enqueued::Routed(count) => Published { event, deliveries: Deliveries::Routed(count) },
        Enqueued::Conflict(first) => return Err(PublishError::Conflict(first)),
        // Our own, stored by an earlier try whose answer was lost.
        Enqueued::Duplicate(first) if first == event && repeated => {
            Published { event, deliveries: Deliveries::Later }
        }
        Enqueued::Duplicate(first) => {
            Published { event: first, deliveries: Deliveries::AlreadyPublished }
        }
        _ => Published { event, deliveries: Deliveries::Later },
    })
}

fn cause_of(error: &StoreError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
}

fn missing_answer() -> PublishError {
    StoreError::because(
        StoreErrorKind::Unknown,
        "the store answered fewer events than it was given",
    )
    .into()
}
