//! Slots: how many attempts may be in flight, in all and at each endpoint, and what takes them.
//!
//! The dispatcher and the publishers of its process draw on the same ones. Bookkeeping only: whoever
//! holds it decides what to do about it.
//!
//! Laws, checked by property tests at the bottom of this file:
//!
//! - slots in use, those set aside for a claim under way included, are never more than there are;
//! - publishers never use more than three quarters, so that steady publishing starves no retry; nor do
//!   claims while somebody publishes, so that a backlog does not keep what is new waiting;
//! - an endpoint never has more attempts in flight than it may have;
//! - publishers take no slot for a tenant that has its share, while another tenant has any;
//! - what is taken is given back once.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    engine::admission::{backlogged::Behind, health_cache::Marks, wait_queue::Line},
    model::{
        delivery::Lease,
        endpoint::Endpoint,
        id::{EndpointId, TenantId},
    },
    port::store::deliveries::Claim,
};

/// Claims after which nobody is thought to publish any more.
const QUIET: u32 = 16;

/// What one claim takes at most while somebody publishes: whoever publishes into the same database waits
/// for no longer transaction than that makes.
const SHORT: usize = 32;

/// All times are on the monotonic clock.
#[derive(Debug)]
pub(crate) struct Slots {
    total: usize,
    /// How many a tenant may have while another has any.
    share: usize,
    /// The claims held: being sent, or waiting to be written down.
    held: BTreeMap<Lease, Holding>,
    /// Attempts in flight, or about to be, by endpoint.
    in_flight: BTreeMap<EndpointId, Flying>,
    /// The same by tenant.
    by_tenant: BTreeMap<TenantId, usize>,
    /// Taken by publishers whose events are being stored.
    reserved: usize,
    /// Taken by publishers, whether their events are being stored or sent.
    published: usize,
    /// Claims since a publisher last wanted one.
    quiet: u32,
    /// Set aside for the claim under way, and what was in flight when it began.
    asked: Option<(usize, BTreeMap<EndpointId, u32>)>,
    behind: Behind,
    /// What has come free since somebody asked, and whether all is free there.
    freed: Vec<(Line, bool)>,
    /// Of which endpoints something is known.
    pub(crate) marks: Marks,
}

/// Why there is no slot for a publisher.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Refused {
    /// There is going to be one, in this line.
    ForNow(Line),
    /// It is the store that has to say whose turn it is.
    InTurn,
}

/// What a claim saw of the store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Look {
    /// Attempts in flight at each endpoint as it saw them, those it took included.
    in_flight: BTreeMap<EndpointId, u32>,
    /// Where it stopped, if it left due work behind: a store walks from endpoint to endpoint, and
    /// leaves one when it has taken all it may.
    stopped_at: Option<EndpointId>,
}

impl Look {
    /// Whether it may have left due work of this endpoint, of which it took some.
    pub(crate) fn left_work_of(&self, endpoint: &Endpoint) -> bool {
        let in_flight = self.in_flight.get(&endpoint.id).copied().unwrap_or_default();
        self.stopped_at == Some(endpoint.id) || in_flight >= endpoint.max_in_flight
    }
}

/// What is in flight at an endpoint.
#[derive(Clone, Debug)]
struct Flying {
    attempts: u32,
    tenant: TenantId,
}

/// A claim held.
#[derive(Clone, Copy, Debug)]
struct Holding {
    /// When its lease ends.
    ends: Duration,
    /// Whether its publisher handed it over.
    published: bool,
    /// Whether it counts among the attempts in flight: not, when it waits to be written down or given
    /// back.
    in_flight: bool,
}

impl Slots {
    pub(crate) const fn new(total: usize, share: usize) -> Self {
        Self {
            total,
            share,
            held: BTreeMap::new(),
            in_flight: BTreeMap::new(),
            by_tenant: BTreeMap::new(),
            reserved: 0,
            published: 0,
            quiet: QUIET,
            asked: None,
            behind: Behind::new(),
            freed: Vec::new(),
            marks: Marks::new(),
        }
    }

    /// How many more attempts there may be.
    pub(crate) fn free(&self) -> usize {
        let asked = self.asked.as_ref().map_or(0, |(asked, _)| *asked);
        self.total.saturating_sub(self.held.len() + self.reserved + asked)
    }

    /// How many of them a claim may take: while somebody publishes, a quarter of all is kept.
    pub(crate) fn claimable(&self) -> usize {
        let kept =
            if self.quiet < QUIET { (self.total / 4).saturating_sub(self.published) } else { 0 };
        self.free().saturating_sub(kept)
    }

    /// Claims held.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Slots taken by publishers whose events are being stored.
    pub(crate) const fn reserved(&self) -> usize {
        self.reserved
    }

    /// Attempts in flight at an endpoint.
    pub(crate) fn in_flight(&self, endpoint: EndpointId) -> u32 {
        self.in_flight.get(&endpoint).map_or(0, |flying| flying.attempts)
    }

    /// Whether a tenant has all that it may have while another has something in flight.
    fn has_its_share(&self, tenant: &TenantId) -> bool {
        self.by_tenant.len() > 1 && self.by_tenant.get(tenant).is_some_and(|it| *it >= self.share)
    }

    /// Whether due work of an endpoint waits in the store, or may.
    pub(crate) fn is_behind(&self, endpoint: EndpointId) -> bool {
        self.behind.has(endpoint)
    }

    /// Notes that due work of an endpoint waits in the store, or may.
    pub(crate) fn note_behind(&mut self, endpoint: &Endpoint) {
        self.behind.note(endpoint.id, endpoint.max_in_flight);
    }

    /// Takes a slot for a publisher, by the same rules as a claim. Answers whether there was one; when
    /// not, the delivery is going to wait in the store. What has a rate limit always does: it is the
    /// store that keeps it for all workers.
    pub(crate) fn reserve(&mut self, endpoint: &Endpoint) -> bool {
        self.quiet = 0;
        if self.refuses(endpoint).is_some() {
            self.note_behind(endpoint);
            return false;
        }
        self.reserved += 1;
        self.published += 1;
        self.count(endpoint.id, &endpoint.tenant);
        self.marks.note_copy(endpoint);
        true
    }

    /// Why a publisher gets no slot for this endpoint, if it gets none.
    pub(crate) fn refuses(&self, endpoint: &Endpoint) -> Option<Refused> {
        let quarter = self.total.div_ceil(4);
        if endpoint.rate.is_some()
            || self.has_its_share(&endpoint.tenant)
            || self.is_behind(endpoint.id)
        {
            Some(Refused::InTurn)
        } else if self.is_full(endpoint) {
            Some(Refused::ForNow(Line::Endpoint(endpoint.id)))
        } else if self.free() == 0 || self.published >= self.total - quarter {
            Some(Refused::ForNow(Line::All))
        } else {
            None
        }
    }

    /// What has come free since this was asked last, and whether all is free there.
    pub(crate) fn freed(&mut self) -> Vec<(Line, bool)> {
        std::mem::take(&mut self.freed)
    }

    /// Gives a publisher's slot back: nothing is sent.
    pub(crate) fn give_back(&mut self, endpoint: EndpointId) {
        self.reserved = self.reserved.saturating_sub(1);
        self.unpublish();
        self.discount(endpoint);
    }

    /// A slot that a publisher took is free again.
    fn unpublish(&mut self) {
        self.published = self.published.saturating_sub(1);
        self.freed.push((Line::All, self.published == 0));
    }

    /// Turns a publisher's slot into a claim held: its event is stored, and is going to be sent.
    pub(crate) fn hand_over(&mut self, lease: Lease, ends: Duration) {
        self.reserved = self.reserved.saturating_sub(1);
        self.held.insert(lease, Holding { ends, published: true, in_flight: true });
    }

    /// Sets up to `most` slots aside for a claim. Answers how many, and what is in flight;
    /// nothing, when none is free.
    pub(crate) fn ask(&mut self, most: usize) -> Option<(usize, BTreeMap<EndpointId, u32>)> {
        let most = if self.quiet < QUIET { most.min(SHORT) } else { most };
        let asked = self.claimable().min(most);
        if asked == 0 {
            return None;
        }
        self.quiet = self.quiet.saturating_add(1);
        self.behind.begin_claim();
        let in_flight = self.in_flight.iter().map(|(id, flying)| (*id, flying.attempts)).collect();
        self.asked = Some((asked, in_flight));
        self.asked.clone()
    }

    /// Takes the claims that were asked for. `ends` is when their leases do, `more` whether the store
    /// said that it has more due work than it gave.
    pub(crate) fn claimed(&mut self, claims: &[Claim], ends: Duration, more: bool) -> Look {
        let (asked, mut in_flight) = self.asked.take().unwrap_or_default();
        let more = more || claims.len() >= asked;
        for claim in claims {
            let endpoint = claim.lease.delivery.endpoint;
            self.held.insert(claim.lease, Holding { ends, published: false, in_flight: true });
            self.count(endpoint, &claim.event.tenant);
            self.marks.note(endpoint, claim.unwell);
            *in_flight.entry(endpoint).or_default() += 1;
        }
        if !more {
            self.behind.looked(&in_flight);
        }
        let last = claims.last().map(|claim| claim.lease.delivery.endpoint);
        Look { in_flight, stopped_at: last.filter(|_| more) }
    }

    /// The claim that was under way has failed.
    pub(crate) fn claim_failed(&mut self) {
        self.asked = None;
    }

    /// Whether the endpoint has more in flight than it may: publishers took slots while a claim was
    /// under way.
    pub(crate) fn is_over(&self, endpoint: &Endpoint) -> bool {
        self.in_flight(endpoint.id) > endpoint.max_in_flight
    }

    /// Whether the endpoint has all the attempts in flight that it may have.
    pub(crate) fn is_full(&self, endpoint: &Endpoint) -> bool {
        self.in_flight(endpoint.id) >= endpoint.max_in_flight
    }

    /// A claim is going to be given back instead of being sent. Answers whether its lease still holds
    /// by then: if not, it has come back by itself, and is let go.
    pub(crate) fn put_aside(&mut self, lease: Lease, now: Duration) -> bool {
        let Some(holding) = self.held.get(&lease) else { return false };
        let holds = now < holding.ends;
        self.ended(lease);
        if !holds {
            self.let_go(lease);
        }
        holds
    }

    /// The attempt of a claim is over: its endpoint may have another. The claim is held until that is
    /// written down.
    pub(crate) fn ended(&mut self, lease: Lease) {
        let ended = self.held.get_mut(&lease).is_some_and(|it| std::mem::take(&mut it.in_flight));
        if ended {
            self.discount(lease.delivery.endpoint);
        }
    }

    /// Frees the slot of a claim that is written down or given back.
    pub(crate) fn let_go(&mut self, lease: Lease) {
        let Some(holding) = self.held.remove(&lease) else { return };
        if holding.published {
            self.unpublish();
        }
        if holding.in_flight {
            self.discount(lease.delivery.endpoint);
        }
    }

    fn count(&mut self, endpoint: EndpointId, tenant: &TenantId) {
        let first = || Flying { attempts: 0, tenant: tenant.clone() };
        let flying = self.in_flight.entry(endpoint).or_insert_with(first);
        flying.attempts += 1;
        *self.by_tenant.entry(flying.tenant.clone()).or_default() += 1;
    }

    fn discount(&mut self, endpoint: EndpointId) {
        let Some(flying) = self.in_flight.get_mut(&endpoint) else { return };
        flying.attempts = flying.attempts.saturating_sub(1);
        self.freed.push((Line::Endpoint(endpoint), flying.attempts == 0));
        if let Some(count) = self.by_tenant.get_mut(&flying.tenant) {
            *count = count.saturating_sub(1);
        }
        if flying.attempts == 0 {
            self.by_tenant.retain(|_, count| *count > 0);
            self.in_flight.remove(&endpoint);
        }
    }
}

#[cfg(test)]
mod tests;
