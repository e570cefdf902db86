//! Slots: the limits on attempts in flight, in total and per endpoint, and their use.
//!
//! The dispatcher and the publishers of its process share them. This is bookkeeping only: the
//! caller decides how to react.
//!
//! Invariants, checked by property tests:
//!
//! - slots in use, including those set aside for a claim, never exceed the total;
//! - publishers use at most three quarters, so that steady publishing does not starve retries;
//!   while there are publishers, so do claims, so that a backlog does not delay new deliveries;
//! - an endpoint never exceeds its maximum of attempts in flight;
//! - publishers get no slot for a tenant that has its share, while another tenant has attempts in
//!   flight;
//! - each slot is released exactly once.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    engine::admission::{backlogged::Backlogged, health_cache::HealthCache, wait_queue::QueueKey},
    model::{
        delivery::Lease,
        endpoint::Endpoint,
        id::{EndpointId, TenantId},
    },
    port::store::work::Claim,
};

/// Number of claims without a publisher in between after which publishing counts as idle.
const IDLE_AFTER_CLAIMS: u32 = 16;

/// Maximum size of a claim while there are publishers, which wait for its transaction in the same
/// database.
const MAX_CLAIM_WHILE_PUBLISHING: usize = 32;

/// All times are on the monotonic clock.
#[derive(Debug)]
pub(crate) struct Slots {
    total: usize,
    /// Maximum of one tenant while another tenant has attempts in flight.
    share: usize,
    /// Claims that are being sent, or wait to be recorded or released.
    held: BTreeMap<Lease, HeldClaim>,
    /// Attempts in flight, or about to be, by endpoint.
    in_flight: BTreeMap<EndpointId, EndpointLoad>,
    /// Attempts in flight by tenant.
    by_tenant: BTreeMap<TenantId, usize>,
    /// Slots of publishers whose events are being stored.
    reserved: usize,
    /// Slots of publishers whose events are being stored or sent.
    published: usize,
    /// Number of claims since a publisher last asked for a slot.
    claims_since_publish: u32,
    /// Slots set aside for the current claim, and the attempts in flight when it began.
    set_aside: Option<(usize, BTreeMap<EndpointId, u32>)>,
    backlogged: Backlogged,
    /// Limits on which a slot was released, each with true if all of its slots are free.
    released: Vec<(QueueKey, bool)>,
    pub(crate) health_cache: HealthCache,
}

/// Reason for which a publisher gets no slot.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SlotRefusal {
    /// All slots of this limit are in use.
    Full(QueueKey),
    /// The store decides when the delivery is due: it must be claimed.
    ClaimOnly,
}

/// View of the store's due work that a claim returned.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClaimView {
    /// Attempts in flight by endpoint when the claim began, plus the claims it returned.
    in_flight: BTreeMap<EndpointId, u32>,
    /// Endpoint at which the claim stopped, if due work was left. A store walks from endpoint to
    /// endpoint, and leaves one after it has taken all it may.
    stopped_at: Option<EndpointId>,
}

impl ClaimView {
    /// Returns true if due work may be left for this endpoint, from which some was claimed.
    pub(crate) fn may_have_more(&self, endpoint: &Endpoint) -> bool {
        let in_flight = self.in_flight.get(&endpoint.id).copied().unwrap_or_default();
        self.stopped_at == Some(endpoint.id) || in_flight >= endpoint.max_in_flight
    }
}

/// Attempts in flight at an endpoint.
#[derive(Clone, Debug)]
struct EndpointLoad {
    attempts: u32,
    tenant: TenantId,
}

/// State of a claim that uses a slot.
#[derive(Clone, Copy, Debug)]
struct HeldClaim {
    /// End of its lease.
    lease_ends: Duration,
    /// True if it came from a publisher.
    published: bool,
    /// True if it counts as an attempt in flight: not while it waits to be recorded or released.
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
            claims_since_publish: IDLE_AFTER_CLAIMS,
            set_aside: None,
            backlogged: Backlogged::new(),
            released: Vec::new(),
            health_cache: HealthCache::new(),
        }
    }

    /// Number of free slots.
    pub(crate) fn free(&self) -> usize {
        let set_aside = self.set_aside.as_ref().map_or(0, |(count, _)| *count);
        self.total.saturating_sub(self.held.len() + self.reserved + set_aside)
    }

    /// Returns true if a publisher has asked for a slot recently.
    const fn has_publishers(&self) -> bool {
        self.claims_since_publish < IDLE_AFTER_CLAIMS
    }

    /// Number of free slots that a claim may take. A quarter of all slots is kept for publishers,
    /// if there are any.
    pub(crate) fn claimable(&self) -> usize {
        let quarter = self.total / 4;
        let kept = if self.has_publishers() { quarter.saturating_sub(self.published) } else { 0 };
        self.free().saturating_sub(kept)
    }

    /// Number of claims that use a slot.
    pub(crate) fn held(&self) -> usize {
        self.held.len()
    }

    /// Number of slots of publishers whose events are being stored.
    pub(crate) const fn reserved(&self) -> usize {
        self.reserved
    }

    /// Number of attempts in flight at an endpoint.
    pub(crate) fn in_flight(&self, endpoint: EndpointId) -> u32 {
        self.in_flight.get(&endpoint).map_or(0, |load| load.attempts)
    }

    /// Returns true if a tenant has its share and another tenant has attempts in flight.
    fn has_full_share(&self, tenant: &TenantId) -> bool {
        self.by_tenant.len() > 1 && self.by_tenant.get(tenant).is_some_and(|it| *it >= self.share)
    }

    /// Returns true if the store has, or may have, due work of an endpoint.
    pub(crate) fn is_backlogged(&self, endpoint: EndpointId) -> bool {
        self.backlogged.contains(endpoint)
    }

    /// Records that the store has, or may have, due work of an endpoint.
    pub(crate) fn mark_backlogged(&mut self, endpoint: &Endpoint) {
        self.backlogged.mark(endpoint.id, endpoint.max_in_flight);
    }

    /// Takes a slot for a publisher. Returns false if it gets none; its delivery is then stored
    /// pending.
    ///
    /// An endpoint with a rate limit never gets one: the store applies that limit for all workers.
    pub(crate) fn reserve(&mut self, endpoint: &Endpoint) -> bool {
        self.claims_since_publish = 0;
        if self.refusal(endpoint).is_some() {
            self.mark_backlogged(endpoint);
            return false;
        }
        self.reserved += 1;
        self.published += 1;
        self.count(endpoint.id, &endpoint.tenant);
        self.health_cache.record_copy(endpoint);
        true
    }

    /// Reason for which a publisher gets no slot for this endpoint; `None` if it gets one.
    pub(crate) fn refusal(&self, endpoint: &Endpoint) -> Option<SlotRefusal> {
        let quarter = self.total.div_ceil(4);
        if endpoint.rate.is_some()
            || self.has_full_share(&endpoint.tenant)
            || self.is_backlogged(endpoint.id)
        {
            Some(SlotRefusal::ClaimOnly)
        } else if self.is_full(endpoint) {
            Some(SlotRefusal::Full(QueueKey::Endpoint(endpoint.id)))
        } else if self.free() == 0 || self.published >= self.total - quarter {
            Some(SlotRefusal::Full(QueueKey::All))
        } else {
            None
        }
    }

    /// Removes and returns the limits on which slots were released, each with true if all of its
    /// slots are free.
    pub(crate) fn take_released(&mut self) -> Vec<(QueueKey, bool)> {
        std::mem::take(&mut self.released)
    }

    /// Releases a publisher's slot that is not used.
    pub(crate) fn release_slot(&mut self, endpoint: EndpointId) {
        self.reserved = self.reserved.saturating_sub(1);
        self.release_published();
        self.discount(endpoint);
    }

    /// Records that a slot of a publisher is free again.
    fn release_published(&mut self) {
        self.published = self.published.saturating_sub(1);
        self.released.push((QueueKey::All, self.published == 0));
    }

    /// Turns a publisher's slot into a claim, after its event was stored.
    pub(crate) fn convert_reserved(&mut self, lease: Lease, lease_ends: Duration) {
        self.reserved = self.reserved.saturating_sub(1);
        self.held.insert(lease, HeldClaim { lease_ends, published: true, in_flight: true });
    }

    /// Sets up to `limit` slots aside for a claim. Returns their number, and the attempts in flight
    /// by endpoint; `None` if no slot is free.
    pub(crate) fn begin_claim(
        &mut self,
        limit: usize,
    ) -> Option<(usize, BTreeMap<EndpointId, u32>)> {
        let limit =
            if self.has_publishers() { limit.min(MAX_CLAIM_WHILE_PUBLISHING) } else { limit };
        let count = self.claimable().min(limit);
        if count == 0 {
            return None;
        }
        self.claims_since_publish = self.claims_since_publish.saturating_add(1);
        self.backlogged.begin_claim();
        let in_flight = self.in_flight.iter().map(|(id, load)| (*id, load.attempts)).collect();
        self.set_aside = Some((count, in_flight));
        self.set_aside.clone()
    }

    /// Takes the claims that the store returned. `more` is true if the store has more due work.
    pub(crate) fn claimed(
        &mut self,
        claims: &[Claim],
        lease_ends: Duration,
        more: bool,
    ) -> ClaimView {
        let (set_aside, mut in_flight) = self.set_aside.take().unwrap_or_default();
        let more = more || claims.len() >= set_aside;
        for claim in claims {
            let endpoint = claim.lease.delivery.endpoint;
            let held = HeldClaim { lease_ends, published: false, in_flight: true };
            self.held.insert(claim.lease, held);
            self.count(endpoint, &claim.event.tenant);
            self.health_cache.record_claim(endpoint, claim.unhealthy);
            *in_flight.entry(endpoint).or_default() += 1;
        }
        if !more {
            self.backlogged.claim_finished(&in_flight);
        }
        let last = claims.last().map(|claim| claim.lease.delivery.endpoint);
        ClaimView { in_flight, stopped_at: last.filter(|_| more) }
    }

    /// Releases the slots that were set aside for a claim that has failed.
    pub(crate) fn claim_failed(&mut self) {
        self.set_aside = None;
    }

    /// Returns true if the endpoint exceeds its maximum of attempts in flight, because publishers
    /// took slots during a claim.
    pub(crate) fn is_over_limit(&self, endpoint: &Endpoint) -> bool {
        self.in_flight(endpoint.id) > endpoint.max_in_flight
    }

    /// Returns true if the endpoint has reached its maximum of attempts in flight.
    pub(crate) fn is_full(&self, endpoint: &Endpoint) -> bool {
        self.in_flight(endpoint.id) >= endpoint.max_in_flight
    }

    /// Stops counting a claim as in flight, because it is released instead of being sent. Returns
    /// false, and frees its slot, if its lease has expired.
    pub(crate) fn begin_release(&mut self, lease: Lease, now: Duration) -> bool {
        let Some(held) = self.held.get(&lease) else { return false };
        let holds = now < held.lease_ends;
        self.attempt_ended(lease);
        if !holds {
            self.free_slot(lease);
        }
        holds
    }

    /// Stops counting a claim as in flight after its attempt. Its slot stays in use until the
    /// outcome is recorded.
    pub(crate) fn attempt_ended(&mut self, lease: Lease) {
        let ended = self.held.get_mut(&lease).is_some_and(|it| std::mem::take(&mut it.in_flight));
        if ended {
            self.discount(lease.delivery.endpoint);
        }
    }

    /// Frees the slot of a claim that is recorded or released.
    pub(crate) fn free_slot(&mut self, lease: Lease) {
        let Some(held) = self.held.remove(&lease) else { return };
        if held.published {
            self.release_published();
        }
        if held.in_flight {
            self.discount(lease.delivery.endpoint);
        }
    }

    fn count(&mut self, endpoint: EndpointId, tenant: &TenantId) {
        let first = || EndpointLoad { attempts: 0, tenant: tenant.clone() };
        let load = self.in_flight.entry(endpoint).or_insert_with(first);
        load.attempts += 1;
        *self.by_tenant.entry(load.tenant.clone()).or_default() += 1;
    }

    fn discount(&mut self, endpoint: EndpointId) {
        let Some(load) = self.in_flight.get_mut(&endpoint) else { return };
        load.attempts = load.attempts.saturating_sub(1);
        self.released.push((QueueKey::Endpoint(endpoint), load.attempts == 0));
        if let Some(count) = self.by_tenant.get_mut(&load.tenant) {
            *count = count.saturating_sub(1);
        }
        if load.attempts == 0 {
            self.by_tenant.retain(|_, count| *count > 0);
            self.in_flight.remove(&endpoint);
        }
    }
}

#[cfg(test)]
mod tests;
