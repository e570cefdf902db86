//! Claim: takes due deliveries from the store under a lease, and releases those that exceed a
//! limit.

use std::time::Duration;

use super::{Run, Step, log_failed};
use crate::{
    engine::admission::{ReservedClaim, slots::ClaimView},
    port::{
        StoreError,
        store::work::{Claim, Claimed},
    },
};

impl Run<'_> {
    /// Claims due deliveries, if a claim is due and slots are free. No transaction is open
    /// afterwards: the store commits before it returns.
    pub(super) fn start_claim(&mut self, now: Duration) {
        if let Some(claim) = self.schedule.begin_claim(now) {
            self.start(move |store| async move {
                Step::Claimed { answer: store.claim_due(claim).await, requested_at: now }
            });
        }
    }

    pub(super) fn take_claims(
        &mut self,
        answer: Result<Claimed, StoreError>,
        requested_at: Duration,
    ) {
        let now = self.now();
        let claimed = match answer {
            Ok(claimed) => claimed,
            Err(error) => {
                log_failed("claim", &error);
                return self.schedule.claim_failed(now);
            }
        };
        let Claimed { claims, cursor, next_due } = claimed;
        let view = self.schedule.claimed(&claims, cursor, next_due, requested_at, now);
        let (known, unknown) = claims.into_iter().partition::<Vec<_>, _>(|claim| self.holds(claim));
        self.start_or_release(known, &view, requested_at);
        if !unknown.is_empty() {
            self.start_loading(unknown, view, requested_at);
        }
    }

    /// Takes the claims that publishers have queued.
    pub(super) fn take_queued(&mut self) {
        let now = self.now();
        for ReservedClaim { claim, endpoint, requested_at } in self.admission.take_queued() {
            if self.schedule.is_draining() {
                self.schedule.release_later(claim.lease, now);
                continue;
            }
            if !self.holds(&claim) {
                self.keep_endpoints(vec![endpoint]);
            }
            self.start_attempt(claim, requested_at);
        }
    }

    /// A shutdown may have begun since these were claimed, and publishers may have taken slots.
    pub(super) fn start_or_release(
        &mut self,
        claims: Vec<Claim>,
        view: &ClaimView,
        requested_at: Duration,
    ) {
        let mut start = Vec::with_capacity(claims.len());
        // Where there are too many, the youngest go back.
        for claim in claims.into_iter().rev() {
            if self.schedule.is_draining() || !self.has_room_for(&claim, view) {
                self.schedule.release_later(claim.lease, self.now());
            } else {
                start.push(claim);
            }
        }
        start.into_iter().rev().for_each(|claim| self.start_attempt(claim, requested_at));
    }

    /// Returns true if a claim is within its endpoint's limit. Marks the endpoint as backlogged if
    /// `view` shows that it may have more work.
    fn has_room_for(&mut self, claim: &Claim, view: &ClaimView) -> bool {
        let Some(endpoint) = self.endpoints.get(&claim.lease.delivery.endpoint) else {
            return true;
        };
        let has_more = view.may_have_more(endpoint);
        let (over, full) = self.admission.with_slots(|slots| {
            if has_more {
                slots.mark_backlogged(endpoint);
            }
            (slots.is_over_limit(endpoint), slots.is_full(endpoint))
        });
        if has_more && !full {
            // Slots were released since the claim.
            self.schedule.claim_by(self.now());
        }
        !over
    }
}
