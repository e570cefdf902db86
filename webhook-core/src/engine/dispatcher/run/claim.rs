//! Claim: the store hands out what is due, under a lease; what there is no room for goes back.

use std::time::Duration;

use super::{Run, Step, say_failed};
use crate::{
    engine::admission::{Delivering, slots::Look},
    port::{
        StoreError,
        store::deliveries::{Claim, Claimed},
    },
};

impl Run<'_> {
    /// Asks for what is due, if it is time and there are free slots. No transaction is held from here
    /// on: the store commits before it answers.
    pub(super) fn start_claim(&mut self, now: Duration) {
        if let Some(claim) = self.desk.begin_claim(now) {
            self.start(move |store| async move {
                Step::Claimed { answer: store.claim_due(claim).await, asked_at: now }
            });
        }
    }

    pub(super) fn take_claims(&mut self, answer: Result<Claimed, StoreError>, asked_at: Duration) {
        let now = self.now();
        let claimed = match answer {
            Ok(claimed) => claimed,
            Err(error) => {
                say_failed("claim", &error);
                return self.desk.claim_failed(now);
            }
        };
        let Claimed { claims, resume_at, next_due } = claimed;
        let look = self.desk.claimed(&claims, resume_at, next_due, asked_at, now);
        let (known, unknown) = claims.into_iter().partition::<Vec<_>, _>(|claim| self.holds(claim));
        self.start_or_release(known, &look, asked_at);
        if !unknown.is_empty() {
            self.start_loading(unknown, look, asked_at);
        }
    }

    /// Takes what publishers have handed over.
    pub(super) fn take_over(&mut self) {
        let now = self.now();
        for Delivering { claim, endpoint, asked_at } in self.bay.handed_over() {
            if self.desk.is_draining() {
                self.desk.release_later(claim.lease, now);
                continue;
            }
            if !self.holds(&claim) {
                self.keep(vec![endpoint]);
            }
            self.start_attempt(claim, asked_at);
        }
    }

    /// A shutdown may have begun since these were claimed, and publishers may have taken slots.
    pub(super) fn start_or_release(&mut self, claims: Vec<Claim>, look: &Look, asked_at: Duration) {
        let mut start = Vec::with_capacity(claims.len());
        // Where there are too many, the youngest go back.
        for claim in claims.into_iter().rev() {
            if self.desk.is_draining() || !self.has_room_for(&claim, look) {
                self.desk.release_later(claim.lease, self.now());
            } else {
                start.push(claim);
            }
        }
        start.into_iter().rev().for_each(|claim| self.start_attempt(claim, asked_at));
    }

    /// Whether a claim fits into its endpoint's limit; and notes what the look at the store says
    /// about more work of that endpoint.
    fn has_room_for(&mut self, claim: &Claim, look: &Look) -> bool {
        let Some(endpoint) = self.endpoints.get(&claim.lease.delivery.endpoint) else {
            return true;
        };
        let left_work = look.left_work_of(endpoint);
        let (over, full) = self.bay.slots(|slots| {
            if left_work {
                slots.note_behind(endpoint);
            }
            (slots.is_over(endpoint), slots.is_full(endpoint))
        });
        if left_work && !full {
            // Slots have come free since the look.
            self.desk.claim_again(self.now());
        }
        !over
    }
}
