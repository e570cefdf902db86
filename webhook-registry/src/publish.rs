//! Publishing: checks new events, and maps the store's answers to results for the caller.

use serde::Serialize;
use webhook_core::{
    Event, EventId, NewEvent, StoreError, StoreErrorKind, error::InvalidEvent, store::Enqueued,
};

use crate::{
    engine::Engine,
    error::{PublishError, Taken},
};

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
///
/// Closed: deliveries are stored now, later, or not at all.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deliveries {
    /// So many are stored with it.
    Routed(usize),
    /// How many is not known yet: endpoints were edited meanwhile and a dispatcher routes it, or
    /// the answer to the commit was lost.
    Later,
    /// The event was published before, under the same id or key.
    AlreadyPublished,
}

pub(crate) async fn publish_many(
    engine: &Engine,
    events: Vec<NewEvent>,
) -> Vec<Result<Published, PublishError>> {
    let now = engine.clock.now();
    let mut valid = Vec::with_capacity(events.len());
    let mut check = |event: NewEvent| {
        event.check_size(engine.max_body)?;
        valid.push(event.into_event(|| EventId::from_uuid(engine.ids.next_id()), now));
        Ok(())
    };
    let checked: Vec<Result<(), InvalidEvent>> = events.into_iter().map(&mut check).collect();
    let stored = engine.publisher.publish(&valid).await;
    let mut stored = answers(&valid, stored).into_iter();
    let answer = |checked: Result<(), InvalidEvent>| match checked {
        Ok(()) => stored.next().unwrap_or_else(|| Err(missing_answer())),
        Err(error) => Err(error.into()),
    };
    checked.into_iter().map(answer).collect()
}

/// Publishes one event.
pub(crate) async fn publish(engine: &Engine, event: NewEvent) -> Result<Published, PublishError> {
    publish_many(engine, vec![event]).await.pop().unwrap_or_else(|| Err(missing_answer()))
}

/// Results for `events`, in order. A failed transaction fails all of them: the first result has the
/// error itself, the others have its text.
fn answers(
    events: &[Event],
    stored: Result<Vec<Enqueued>, StoreError>,
) -> Vec<Result<Published, PublishError>> {
    match stored {
        Ok(answers) => {
            events.iter().zip(answers).map(|(event, answer)| published(event, answer)).collect()
        }
        Err(error) => {
            let (kind, text) = (error.kind(), cause_of(&error));
            let others = events.iter().skip(1).map(|_| StoreError::because(kind, text.clone()));
            let others: Vec<_> = others.collect();
            std::iter::once(error).chain(others).map(|error| Err(error.into())).collect()
        }
    }
}

fn published(event: &Event, answer: Enqueued) -> Result<Published, PublishError> {
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
