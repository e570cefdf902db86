//! Answers, in a form that can be compared.

use std::{fmt::Debug, time::Duration};

use webhook_core::{Claim, Claimed, ClaimedUnrouted, Delivery, Endpoint, Event, Page};

use crate::conformance::store::endpoints::told;

/// What a store has answered, in the time of the store in memory. What may come in any order is in the
/// order of its ids.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    Claimed(Claimed),
    Unrouted(ClaimedUnrouted),
    Page(Page<Delivery>),
    /// Anything else, in words.
    Said(String),
}

impl Answer {
    pub(super) fn said(answer: impl Debug) -> Self {
        Self::Said(format!("{answer:?}"))
    }

    pub(super) fn event(event: Option<&Event>) -> Self {
        Self::said(event.map(|event| (event, &event.body)))
    }

    pub(super) fn endpoints(mut endpoints: Vec<Endpoint>) -> Self {
        endpoints.sort_by_key(|endpoint| endpoint.id);
        Self::said(endpoints.iter().map(told).collect::<Vec<_>>())
    }

    /// Where to begin next is the store's own business.
    pub(super) fn claimed(mut claimed: Claimed) -> Self {
        claimed.claims.sort_by_key(|claim| claim.lease);
        Self::Claimed(claimed)
    }

    pub(super) fn unrouted(mut claimed: ClaimedUnrouted) -> Self {
        claimed.events.sort_by_key(|event| event.id);
        Self::Unrouted(claimed)
    }

    /// The answer in words, the same for answers that are equal.
    pub(super) fn told(&self) -> String {
        match self {
            Self::Claimed(claimed) => claimed_in_words(&claimed.claims, claimed.next_due),
            Self::Unrouted(claimed) => format!("{claimed:?}"),
            Self::Page(page) => format!("{page:?}"),
            Self::Said(words) => words.clone(),
        }
    }
}

fn claimed_in_words(claims: &[Claim], next_due: Option<Duration>) -> String {
    let claims: Vec<_> = claims.iter().map(|claim| (claim, &claim.event.body)).collect();
    format!("{claims:?}, next due {next_due:?}")
}
