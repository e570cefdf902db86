//! Results of calls, in a form that can be compared.

use std::{fmt::Debug, time::Duration};

use webhook_core::{
    Delivery, Endpoint, Event, StoreError,
    store::{Claim, Claimed, ClaimedUnrouted, Page, Snapshot},
};

use crate::conformance::store::endpoints::endpoint_text;

/// Result of a call, in the time of the store in memory. Items without a defined order are sorted
/// by their ids.
#[derive(Clone, Debug)]
pub(super) enum CallResult {
    Claimed(Claimed),
    Unrouted(ClaimedUnrouted),
    Page(Page<Delivery>),
    /// Any other result, as text.
    Text(String),
}

impl CallResult {
    pub(super) fn from_debug(answer: impl Debug) -> Self {
        Self::Text(format!("{answer:?}"))
    }

    pub(super) fn event(event: Option<&Event>) -> Self {
        Self::from_debug(event.map(|event| (event, &event.body)))
    }

    pub(super) fn endpoints(endpoints: Vec<Result<Option<Endpoint>, StoreError>>) -> Self {
        let text = |found: Result<Option<Endpoint>, StoreError>| {
            found.map(|found| found.as_ref().map(endpoint_text)).map_err(|error| error.kind())
        };
        Self::from_debug(endpoints.into_iter().map(text).collect::<Vec<_>>())
    }

    pub(super) fn snapshot(snapshot: &Snapshot) -> Self {
        let mut entries = snapshot.entries().to_vec();
        entries.sort_by_key(|entry| entry.id);
        Self::from_debug((snapshot.version(), entries))
    }

    /// The cursor of the next claim is not compared, because each store chooses its own.
    pub(super) fn claimed(mut claimed: Claimed) -> Self {
        claimed.claims.sort_by_key(|claim| claim.lease);
        Self::Claimed(claimed)
    }

    pub(super) fn unrouted(mut claimed: ClaimedUnrouted) -> Self {
        claimed.events.sort_by_key(|event| event.id);
        Self::Unrouted(claimed)
    }

    /// Text of the result. Equal results have equal texts.
    pub(super) fn to_text(&self) -> String {
        match self {
            Self::Claimed(claimed) => claimed_in_words(&claimed.claims, claimed.next_due),
            Self::Unrouted(claimed) => format!("{claimed:?}"),
            Self::Page(page) => format!("{page:?}"),
            Self::Text(words) => words.clone(),
        }
    }
}

fn claimed_in_words(claims: &[Claim], next_due: Option<Duration>) -> String {
    let claims: Vec<_> = claims.iter().map(|claim| (claim, &claim.event.body)).collect();
    format!("{claims:?}, next due {next_due:?}")
}
