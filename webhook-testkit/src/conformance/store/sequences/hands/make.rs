//! Things to store, of all shapes.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use webhook_core::{
    Attempt, Claim, CustomHeaders, Delivery, DeliveryId, DisabledReason, Endpoint, EndpointId,
    EndpointState, Event, EventId, EventKey, Failure, FailureKind, Finish, Lease, LeaseEpoch,
    Metadata, OrderPolicy, OrderingKey, Profile, RetryPolicy, Revision, Settle, Signing,
    SigningKey, Timestamp, Trigger,
};

use super::SPANS;
use crate::{
    ManualClock,
    conformance::store::{ground::some_time, sequences::dice::Dice},
};

pub(super) fn event(dice: &Dice, id: EventId) -> Event {
    let event_type = dice.one_of(["invoice.paid", "user.made"]).parse().unwrap();
    let body = dice.one_of(["", "{}", r#"{"a":1}"#]);
    let event = Event::new(id, event_type, some_time(), body)
        .with_key(key(dice))
        .with_ordering_key(ordering_key(dice));
    match dice.below(4) {
        0 => event.with_content_type("text/plain".parse().unwrap()),
        _ => event,
    }
}

/// Mostly none; few enough that they meet.
fn key(dice: &Dice) -> Option<EventKey> {
    let keys = ["one", "One", "two", "three", "four"];
    dice.percent(25).then(|| dice.one_of(keys).parse().unwrap())
}

/// Few, so that there are lines.
fn ordering_key(dice: &Dice) -> Option<OrderingKey> {
    dice.percent(40).then(|| dice.one_of(["a", "A", "b"]).parse().unwrap())
}

/// The event again, or one that shares its id.
pub(super) fn like(dice: &Dice, mut event: Event) -> Event {
    match dice.below(6) {
        0 => event.body = Bytes::from_static(b"[]"),
        1 => event.tenant = dice.one_of(super::TENANTS).parse().unwrap(),
        2 => event.event_type = "user.made".parse().unwrap(),
        3 => event.key = key(dice),
        _ => {}
    }
    event
}

pub(super) fn endpoint(dice: &Dice, id: EndpointId) -> Endpoint {
    let url = dice.one_of(["https://a.example/", "https://b.example/x?token=t"]).parse().unwrap();
    // Some are of the same second.
    let created_at = Timestamp::from_unix_secs(dice.one_of([100, 100, 200, 300]));
    let state = match dice.below(10) {
        0 => EndpointState::Paused,
        1 => EndpointState::Disabled(DisabledReason::ByHand),
        _ => EndpointState::Active,
    };
    let mut endpoint = Endpoint::new(id, url)
        .with_created_at(created_at)
        .with_max_in_flight(dice.one_of([1, 2, 5, 100]))
        .with_state(state);
    if dice.percent(30) {
        endpoint = endpoint.with_headers(CustomHeaders::parse(["X-A: 1"]).unwrap());
    }
    if dice.percent(30) {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let expiry = dice.percent(50).then(some_time);
        let keys = vec![SigningKey::new(secret).with_expiry(expiry)];
        let profiles = dice.one_of([Profile::BodyHmac, Profile::Standard]);
        endpoint = endpoint.with_signing(Signing::new(keys, vec![profiles]).unwrap());
    }
    if dice.percent(60) {
        endpoint = endpoint.with_order(Some(dice.one_of([OrderPolicy::Block, OrderPolicy::Skip])));
    }
    if dice.percent(30) {
        endpoint = endpoint
            .with_description("for the books".parse().ok())
            .with_external_id(dice.percent(50).then(|| "crm:7".parse().unwrap()))
            .with_metadata(Metadata::new([("team", "billing")]).unwrap());
    }
    if dice.percent(30) {
        endpoint = endpoint.with_retry(RetryPolicy::send_now());
    }
    endpoint
}

pub(super) fn attempt(dice: &Dice, number: u32) -> Attempt {
    let status = dice.one_of([None, Some(200), Some(503)]);
    let kind = dice.one_of([FailureKind::Connect, FailureKind::Timeout, FailureKind::Status]);
    let failure = (status != Some(200)).then(|| Failure::new(kind, "why"));
    let body = dice.one_of(["", "ok", "\u{e4}"]);
    let took = Duration::from_millis(dice.one_of([0, 37, 29_999]));
    let body = Bytes::from_static(body.as_bytes());
    Attempt::from_parts(number, some_time(), took, status, failure, body)
        .with_trigger(dice.one_of([Trigger::Retry, Trigger::Manual, Trigger::Test]))
}

/// An attempt that was lost with its worker.
fn lost(number: u32) -> Attempt {
    let failure = Failure::new(FailureKind::Unknown, "the worker was lost");
    Attempt::from_parts(number, some_time(), Duration::ZERO, None, Some(failure), Bytes::new())
}

/// What follows from the claim's attempt, as an engine says it: no number is missing.
pub(super) fn finish(dice: &Dice, claim: &Claim) -> Finish {
    let number = claim.progress.attempt;
    let mut attempts: Vec<_> = (claim.recorded + 1..number).map(lost).collect();
    let was_made = dice.percent(90);
    if was_made {
        attempts.push(attempt(dice, number));
    }
    let made = if was_made { number } else { number - 1 };
    let settle = match dice.below(10) {
        0..3 => Settle::Success,
        3 => Settle::Failed,
        4 => Settle::Retry(Duration::ZERO),
        5 => Settle::Retry(RetryPolicy::MAX_WAIT),
        _ => Settle::Retry(dice.one_of(SPANS)),
    };
    let reason = dice.one_of([DisabledReason::Gone, DisabledReason::ByHand]);
    Finish::new(claim.lease, attempts, made, settle)
        .with_forgiven(claim.progress.forgiven + u32::from(dice.percent(20)))
        .with_disabled_endpoint(dice.percent(4).then_some(reason))
        .with_ordered(claim.event.ordering_key.is_some())
}

/// The claim of a delivery that was leased as it was stored.
pub(super) fn claim(delivery: DeliveryId, event: Event) -> Claim {
    let lease = Lease { delivery, epoch: LeaseEpoch::from_u64(1) };
    Claim::new(lease, Arc::new(event), Revision::default())
}

pub(super) fn tracked(dice: &Dice, id: DeliveryId, event: &Event) -> Delivery {
    let url = dice.one_of(["https://once.example/", "https://once.example/?t=1"]).parse().unwrap();
    let created_at = ManualClock::START.after(dice.one_of(SPANS));
    Delivery::new(id, event.tenant.clone(), event.event_type.clone(), url, created_at)
}
