//! Publishing: route by the tenant's snapshot, store event and deliveries together; what this process
//! can send itself is stored leased, and handed over once it is stored.

use std::{collections::BTreeMap, sync::Arc};

use serde::Serialize;
use webhook_core::{
    Enqueue, Enqueued, Event, EventId, InvalidEvent, Lease, NewEvent, Reservation, Snapshot,
    StoreError, StoreErrorKind, TenantId,
};

use crate::{
    engine::Engine,
    error::{PublishError, Taken},
};

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
    let snapshots = snapshots(engine, events).await?;
    let snapshot = |event: &Event| snapshots.get(&event.tenant).and_then(Option::as_deref);
    let mut reservation = engine.lane.reserve();
    if let Some((event, snapshot)) = events.first().and_then(|it| Some((it, snapshot(it)?))) {
        reservation.wait_for_slots(event, snapshot).await;
    }
    let route = |event: &&Event| reservation.route(Event::clone(event), snapshot(event));
    let batch = events.iter().map(route).collect();
    let stored = enqueue(engine, batch, reservation).await?;
    for (event, answer) in events.iter().zip(&stored.answers) {
        if *answer == Enqueued::Later {
            engine.registry.forget(&event.tenant);
        }
    }
    Ok(stored)
}

/// Hands the batch over. When nobody knows whether it was stored, it is handed over again, and sent
/// by whoever claims it: should the first time have counted, its leases run out.
async fn enqueue(
    engine: &Engine,
    batch: Vec<Enqueue>,
    reservation: Reservation,
) -> Result<Stored, StoreError> {
    match engine.store.enqueue(batch.clone()).await {
        Ok(answers) => {
            let settled = reservation.settle(&answers);
            if settled.left_waiting {
                engine.wake.wake();
            }
            give_back(engine, settled.unsent).await;
            Ok(Stored { answers, repeated: false })
        }
        Err(error) if error.kind() == StoreErrorKind::Unknown => {
            drop(reservation);
            let batch = batch.into_iter().map(Enqueue::without_leases).collect();
            enqueue_again(engine, batch).await
        }
        Err(error) => Err(error),
    }
}

async fn enqueue_again(engine: &Engine, batch: Vec<Enqueue>) -> Result<Stored, StoreError> {
    let mut tries = 2;
    loop {
        match engine.store.enqueue(batch.clone()).await {
            Ok(answers) => {
                engine.wake.wake();
                return Ok(Stored { answers, repeated: true });
            }
            Err(error) if error.kind() == StoreErrorKind::Unknown && tries < MAX_TRIES => {
                tries += 1;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Gives back what was to be sent by a dispatcher that has ended meanwhile. Where that fails, the
/// leases run out.
async fn give_back(engine: &Engine, unsent: Vec<Lease>) {
    if unsent.is_empty() {
        return;
    }
    if let Err(error) = engine.store.release(unsent).await {
        tracing::warn!(
            error = crate::text_of(&error),
            "deliveries that were not begun could not be given back; they wait for their leases to end"
        );
    }
}

/// The endpoints of these events' tenants; none, where they cannot be read.
async fn snapshots(
    engine: &Engine,
    events: &[&Event],
) -> Result<BTreeMap<TenantId, Option<Arc<Snapshot>>>, StoreError> {
    let mut snapshots = BTreeMap::new();
    for event in events {
        if !snapshots.contains_key(&event.tenant) {
            let snapshot = readable(snapshot(engine, &event.tenant).await)?;
            snapshots.insert(event.tenant.clone(), snapshot);
        }
    }
    Ok(snapshots)
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
            let answers = events.iter().zip(answers);
            answers.map(|(event, answer)| published(event, answer, repeated)).collect()
        }
        Err(error) => {
            let (kind, text) = (error.kind(), cause_of(&error));
            let others = events.iter().skip(1).map(|_| StoreError::because(kind, text.clone()));
            let others: Vec<_> = others.collect();
            std::iter::once(error).chain(others).map(|error| Err(error.into())).collect()
        }
    }
}

fn published(event: &Event, answer: Enqueued, repeated: bool) -> Result<Published, PublishError> {
    let taken = |first| match &event.key {
        Some(key) if first != event.id => Taken::Key(key.clone()),
        _ => Taken::Id(event.id),
    };
    let event = event.id;
    Ok(match answer {
        Enqueued::Routed(count) => Published { event, deliveries: Deliveries::Routed(count) },
        Enqueued::Conflict(first) => {
            return Err(PublishError::Conflict { taken: taken(first), first });
        }
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
