use super::*;
use crate::model::{
    event::Event,
    id::{DeliveryId, EventId, LeaseEpoch, Revision},
    time::Timestamp,
};
use proptest::prelude::*;
use std::sync::Arc;
use uuid::Uuid;

const NOW: Duration = Duration::from_secs(1);
const LEASE_ENDS: Duration = Duration::from_secs(45);

fn endpoint(number: u128, max: u32) -> Endpoint {
    let id = EndpointId::from_uuid(Uuid::from_u128(number));
    Endpoint::new(id, "https://a.example/".parse().unwrap()).with_max_in_flight(max)
}

fn claim(event: u128, endpoint: &Endpoint) -> Claim {
    let id = EventId::from_uuid(Uuid::from_u128(event));
    let event = Event::new(id, "a".parse().unwrap(), Timestamp::default(), "{}");
    let delivery = DeliveryId::new(id, endpoint.id);
    let lease = Lease { delivery, epoch: LeaseEpoch::default().next() };
    Claim::new(lease, Arc::new(event), Revision::default())
}

/// How many slots a publisher gets for `endpoint`, when it asks for ten.
fn reserved(slots: &mut Slots, endpoint: &Endpoint) -> usize {
    (0..10).filter(|_| slots.reserve(endpoint)).count()
}

#[test]
fn a_publisher_gets_what_the_endpoint_and_three_quarters_of_all_slots_allow() {
    let table =
        [(16, 4, 4), (16, 20, 10), (8, 20, 6), (4, 20, 3), (3, 20, 2), (2, 20, 1), (1, 20, 0)];
    for (total, max, expected) in table {
        let mut slots = Slots::new(total, total);
        assert_eq!(reserved(&mut slots, &endpoint(1, max)), expected, "{total} slots, {max}");
    }
}

#[test]
fn a_quarter_is_free_for_claims_however_much_is_published() {
    let mut slots = Slots::new(8, 8);
    assert_eq!(reserved(&mut slots, &endpoint(1, 20)), 6);
    assert_eq!(slots.begin_claim(100).unwrap().0, 2);
}

#[test]
fn beside_another_a_tenant_gets_its_share() {
    let mut slots = Slots::new(16, 4);
    let acme = endpoint(1, 20).with_tenant("acme".parse().unwrap());
    let other = endpoint(2, 20);
    assert_eq!(reserved(&mut slots, &acme), 10, "alone");
    assert!(slots.reserve(&other));
    slots.release_slot(acme.id);
    assert!(!slots.reserve(&acme), "it has more than its share");
    (0..6).for_each(|_| slots.release_slot(acme.id));
    slots.backlogged = Backlogged::new();
    assert_eq!(reserved(&mut slots, &acme), 1, "up to its share");
    slots.backlogged = Backlogged::new();
    slots.release_slot(other.id);
    assert_eq!(reserved(&mut slots, &acme), 8, "alone again: three quarters of all");
}

#[test]
fn what_has_a_rate_limit_takes_no_slot_of_a_publisher() {
    let limited = endpoint(1, 20).with_rate("10/s".parse().ok());
    assert_eq!(reserved(&mut Slots::new(16, 16), &limited), 0);
}

#[test]
fn a_claim_under_way_has_its_slots_set_aside() {
    let mut slots = Slots::new(8, 8);
    assert_eq!(slots.begin_claim(5).unwrap().0, 5);
    assert_eq!(reserved(&mut slots, &endpoint(1, 20)), 3);
    let _ = slots.claimed(&[], LEASE_ENDS, false);
    assert_eq!(reserved(&mut slots, &endpoint(2, 20)), 3, "they are free again");
}

#[test]
fn a_claim_leaves_a_quarter_to_publishers_while_there_are_any() {
    let (mut slots, a) = (Slots::new(16, 16), endpoint(1, 20));
    let asked = |slots: &mut Slots| {
        let asked = slots.begin_claim(100).map(|(asked, _)| asked);
        slots.claim_failed();
        asked.unwrap()
    };
    assert_eq!(asked(&mut slots), 16, "nobody publishes");
    assert!(slots.reserve(&a));
    assert_eq!(asked(&mut slots), 12, "one of their four is taken");
    (0..4).for_each(|_| assert!(slots.reserve(&a)));
    assert_eq!(asked(&mut slots), 11, "they have more than that");
    (0..5).for_each(|_| slots.release_slot(a.id));
    let later: Vec<_> = (0..IDLE_AFTER_CLAIMS).map(|_| asked(&mut slots)).collect();
    assert_eq!((later.first(), later.last()), (Some(&12), Some(&16)), "they have gone quiet");
}

#[test]
fn who_was_refused_stands_in_line_until_a_claim_finds_nothing_more() {
    let (mut slots, a) = (Slots::new(16, 16), endpoint(1, 2));
    assert_eq!(reserved(&mut slots, &a), 2);
    slots.release_slot(a.id);
    assert!(!slots.reserve(&a), "a slot is free, but older work waits for it");
    assert!(slots.reserve(&endpoint(2, 2)), "of this endpoint");
    assert!(slots.begin_claim(4).is_some());
    let _ = slots.claimed(&[claim(1, &a)], LEASE_ENDS, false);
    assert!(slots.is_backlogged(a.id), "the claim found it full in the end");
    slots.free_slot(claim(1, &a).lease);
    assert!(slots.begin_claim(4).is_some());
    let _ = slots.claimed(&[], LEASE_ENDS, false);
    assert!(slots.reserve(&a));
}

#[test]
fn a_claim_that_was_cut_by_its_limit_says_nothing_about_those_it_left() {
    let (mut slots, a, b) = (Slots::new(16, 16), endpoint(1, 8), endpoint(2, 8));
    slots.mark_backlogged(&b);
    assert!(slots.begin_claim(1).is_some());
    let view = slots.claimed(&[claim(1, &a)], LEASE_ENDS, false);
    assert!(slots.is_backlogged(b.id) && view.may_have_more(&a));
}

#[test]
fn a_claim_that_was_cut_by_its_limit_may_have_left_work_where_it_stopped_alone() {
    let (mut slots, a, b) = (Slots::new(16, 16), endpoint(1, 8), endpoint(2, 8));
    assert!(slots.begin_claim(3).is_some());
    let claims = [claim(1, &a), claim(2, &a), claim(3, &b)];
    let view = slots.claimed(&claims, LEASE_ENDS, false);
    assert!(!view.may_have_more(&a) && view.may_have_more(&b));
}

#[test]
fn a_claim_knows_what_it_may_have_left_of_those_it_took_from() {
    for (max, left) in [(2, true), (3, false)] {
        let (mut slots, a) = (Slots::new(16, 16), endpoint(1, max));
        assert!(slots.reserve(&a) && slots.begin_claim(4).is_some());
        slots.release_slot(a.id);
        let view = slots.claimed(&[claim(1, &a)], LEASE_ENDS, false);
        assert_eq!(view.may_have_more(&a), left, "one in flight then, one taken, {max} allowed");
    }
}

#[test]
fn what_waits_to_be_given_back_is_not_in_flight_but_held() {
    let (mut slots, a) = (Slots::new(16, 16), endpoint(1, 8));
    let lease = claim(1, &a).lease;
    assert!(slots.begin_claim(1).is_some());
    let _ = slots.claimed(&[claim(1, &a)], LEASE_ENDS, false);
    assert!(slots.begin_release(lease, NOW) && slots.begin_release(lease, NOW));
    assert_eq!((slots.held(), slots.in_flight(a.id)), (1, 0));
    assert!(!slots.begin_release(lease, LEASE_ENDS), "it has come back by itself");
    assert_eq!(slots.held(), 0);
}

#[test]
fn an_attempt_that_is_over_makes_room_at_its_endpoint_and_is_held_until_it_is_recorded() {
    let (mut slots, a) = (Slots::new(2, 2), endpoint(1, 1));
    assert!(slots.reserve(&a));
    let lease = claim(1, &a).lease;
    slots.convert_reserved(lease, LEASE_ENDS);
    slots.attempt_ended(lease);
    slots.attempt_ended(lease);
    assert_eq!((slots.in_flight(a.id), slots.held(), slots.free()), (0, 1, 1));
    slots.free_slot(lease);
    assert_eq!((slots.in_flight(a.id), slots.held(), slots.free()), (0, 0, 2));
}

/// What may happen to slots. Numbers choose among what there is.
#[derive(Clone, Debug)]
enum SlotOp {
    Reserve(usize),
    ReleaseSlot(usize),
    ConvertReserved(usize),
    BeginClaim(usize),
    Claimed(Vec<usize>, bool),
    ClaimFailed,
    BeginRelease(usize),
    AttemptEnded(usize),
    FreeSlot(usize),
}

fn ops() -> impl Strategy<Value = Vec<SlotOp>> {
    let op = prop_oneof![
        4 => (0usize..3).prop_map(SlotOp::Reserve),
        1 => any::<usize>().prop_map(SlotOp::ReleaseSlot),
        2 => any::<usize>().prop_map(SlotOp::ConvertReserved),
        2 => (1usize..9).prop_map(SlotOp::BeginClaim),
        2 => (prop::collection::vec(0usize..3, 0..9), any::<bool>())
            .prop_map(|(of, more)| SlotOp::Claimed(of, more)),
        1 => Just(SlotOp::ClaimFailed),
        1 => any::<usize>().prop_map(SlotOp::BeginRelease),
        2 => any::<usize>().prop_map(SlotOp::AttemptEnded),
        3 => any::<usize>().prop_map(SlotOp::FreeSlot),
    ];
    prop::collection::vec(op, 0..200)
}

/// Slots, and what a publisher, a dispatcher and a store that keep the rules have of them.
struct SlotsModel {
    slots: Slots,
    total: usize,
    endpoints: Vec<Endpoint>,
    reserved: Vec<usize>,
    /// Lease, endpoint, whether it was published, whether it is in flight.
    held: Vec<(Lease, usize, bool, bool)>,
    set_aside: Option<(usize, BTreeMap<EndpointId, u32>)>,
    events: u128,
}

impl SlotsModel {
    fn new(total: usize) -> Self {
        let endpoints = vec![endpoint(0, 1), endpoint(1, 3), endpoint(2, 20)];
        let (reserved, held) = (Vec::new(), Vec::new());
        Self {
            slots: Slots::new(total, total),
            total,
            endpoints,
            reserved,
            held,
            set_aside: None,
            events: 0,
        }
    }

    fn apply(&mut self, op: SlotOp) {
        match op {
            SlotOp::Reserve(of) => {
                if self.slots.reserve(&self.endpoints[of]) {
                    self.reserved.push(of);
                }
            }
            SlotOp::ReleaseSlot(which) => {
                if let Some(of) = take(&mut self.reserved, which) {
                    self.slots.release_slot(self.endpoints[of].id);
                }
            }
            SlotOp::ConvertReserved(which) => {
                if let Some(of) = take(&mut self.reserved, which) {
                    let lease = self.claim(of).lease;
                    self.slots.convert_reserved(lease, LEASE_ENDS);
                    self.held.push((lease, of, true, true));
                }
            }
            SlotOp::BeginClaim(limit) if self.set_aside.is_none() => {
                self.set_aside = self.slots.begin_claim(limit);
            }
            SlotOp::BeginClaim(_) => {}
            SlotOp::Claimed(of, more) => self.claimed(&of, more),
            SlotOp::ClaimFailed => {
                self.set_aside = None;
                self.slots.claim_failed();
            }
            SlotOp::BeginRelease(which) => {
                let at = which.checked_rem(self.held.len());
                if let Some(held) = at.map(|at| &mut self.held[at]) {
                    held.3 = false;
                    assert!(self.slots.begin_release(held.0, NOW));
                }
            }
            SlotOp::AttemptEnded(which) => {
                let at = which.checked_rem(self.held.len());
                if let Some(held) = at.map(|at| &mut self.held[at]) {
                    held.3 = false;
                    self.slots.attempt_ended(held.0);
                }
            }
            SlotOp::FreeSlot(which) => {
                if let Some((lease, ..)) = take(&mut self.held, which) {
                    self.slots.free_slot(lease);
                }
            }
        }
    }

    fn claim(&mut self, of: usize) -> Claim {
        self.events += 1;
        claim(self.events, &self.endpoints[of])
    }

    /// The store gives what it was asked for and no more; where publishers were faster, the
    /// dispatcher gives back.
    fn claimed(&mut self, of: &[usize], more: bool) {
        let Some((limit, mut in_flight)) = self.set_aside.take() else { return };
        let mut claims = Vec::new();
        for &of in of {
            let (id, max) = (self.endpoints[of].id, self.endpoints[of].max_in_flight);
            let used = in_flight.entry(id).or_default();
            if claims.len() < limit && *used < max {
                *used += 1;
                claims.push((of, self.claim(of)));
            }
        }
        let just: Vec<_> = claims.iter().map(|(_, claim)| claim.clone()).collect();
        let _ = self.slots.claimed(&just, LEASE_ENDS, more);
        for (of, claim) in claims {
            let over = self.slots.is_over_limit(&self.endpoints[of]);
            if over {
                assert!(self.slots.begin_release(claim.lease, NOW));
            }
            self.held.push((claim.lease, of, false, !over));
        }
    }

    fn check(&self) {
        let asked = self.set_aside.as_ref().map_or(0, |(asked, _)| *asked);
        let used = self.held.len() + self.reserved.len() + asked;
        assert!(used <= self.total, "{used} of {} slots", self.total);
        assert_eq!(self.slots.free(), self.total - used);
        // What is kept from claims never leaves them without, however few there are.
        assert!(self.slots.claimable() > 0 || used >= self.total - self.total / 4);
        assert_eq!(self.slots.reserved(), self.reserved.len());
        let published = self.held.iter().filter(|(_, _, published, _)| *published).count();
        assert!(self.reserved.len() + published <= self.total - self.total.div_ceil(4));
        for (at, endpoint) in self.endpoints.iter().enumerate() {
            let of = |of: &usize| *of == at;
            let reserved = self.reserved.iter().filter(|reserved| of(reserved)).count();
            let sent = self.held.iter().filter(|(_, of_, _, flies)| of(of_) && *flies).count();
            assert_eq!(self.slots.in_flight(endpoint.id) as usize, reserved + sent);
            assert!(reserved + sent <= endpoint.max_in_flight as usize);
        }
    }

    fn release_all(mut self) {
        while let Some(of) = self.reserved.pop() {
            self.slots.release_slot(self.endpoints[of].id);
        }
        while let Some((lease, ..)) = self.held.pop() {
            self.slots.free_slot(lease);
        }
        self.slots.claim_failed();
        let Slots { held, in_flight, reserved, published, .. } = &self.slots;
        assert!(held.is_empty() && in_flight.is_empty() && *reserved == 0 && *published == 0);
        assert_eq!(self.slots.free(), self.total);
    }
}

fn take<T>(items: &mut Vec<T>, which: usize) -> Option<T> {
    let at = which.checked_rem(items.len())?;
    Some(items.swap_remove(at))
}

proptest! {
    #[test]
    fn limits_hold_at_every_step_and_all_slots_come_back(total in 1usize..20, ops in ops()) {
        let mut model = SlotsModel::new(total);
        for op in ops {
            model.apply(op);
            model.check();
        }
        model.release_all();
    }
}
