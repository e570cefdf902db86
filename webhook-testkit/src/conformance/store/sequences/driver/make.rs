//! Random objects to store.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use webhook_core::{
    Attempt, CustomHeaders, Delivery, DeliveryId, DisabledReason, Endpoint, EndpointId,
    EndpointState, Event, EventId, EventKey, Failure, FailureKind, Metadata, OrderPolicy,
    OrderingKey, Profile, RetryPolicy, Revision, Signing, SigningKey, Timestamp, Trigger,
    store::{Claim, Finish, Lease, LeaseEpoch, Settle},
};

use super::TIME_SPANS;
use crate::{
    ManualClock,
    conformance::store::{fixture::some_time, sequences::splitmix::SplitMix64},
};

pub(super) fn event(rng: &SplitMix64, id: EventId) -> Event {
    let event_type = rng.one_of(["invoice.paid", "user.made"]).parse().unwrap();
    let body = rng.one_of(["", "{}", r#"{"a":1}"#]);
    let event = Event::new(id, event_type, some_time(), body)
        .with_key(key(rng))
        .with_ordering_key(ordering_key(rng));
    match rng.below(4) {
        0 => event.with_content_type("text/plain".parse().unwrap()),
        _ => event,
    }
}

/// Mostly None; there are few keys, so that they collide.
fn key(rng: &SplitMix64) -> Option<EventKey> {
    let keys = ["one", "One", "two", "three", "four"];
    rng.percent(25).then(|| rng.one_of(keys).parse().unwrap())
}

/// There are few keys, so that lines form.
fn ordering_key(rng: &SplitMix64) -> Option<OrderingKey> {
    rng.percent(40).then(|| rng.one_of(["a", "A", "b"]).parse().unwrap())
}

/// The event again, or one that shares its id.
pub(super) fn like(rng: &SplitMix64, mut event: Event) -> Event {
    match rng.below(6) {
        0 => event.body = Bytes::from_static(b"[]"),
        1 => event.tenant = rng.one_of(super::TENANT_NAMES).parse().unwrap(),
        2 => event.event_type = "user.made".parse().unwrap(),
        3 => event.key = key(rng),
        _ => {}
    }
    event
}

pub(super) fn endpoint(rng: &SplitMix64, id: EndpointId) -> Endpoint {
    let url = rng.one_of(["https://a.example/", "https://b.example/x?token=t"]).parse().unwrap();
    // Some are of the same second.
    let created_at = Timestamp::from_unix_secs(rng.one_of([100, 100, 200, 300]));
    let state = match rng.below(10) {
        0 => EndpointState::Paused,
        1 => EndpointState::Disabled(DisabledReason::ByHand),
        _ => EndpointState::Active,
    };
    let mut endpoint = Endpoint::new(id, url)
        .with_created_at(created_at)
        .with_max_in_flight(rng.one_of([1, 2, 5, 100]))
        .with_state(state);
    if rng.percent(30) {
        endpoint = endpoint.with_headers(CustomHeaders::parse(["X-A: 1"]).unwrap());
    }
    if rng.percent(30) {
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let expiry = rng.percent(50).then(some_time);
        let keys = vec![SigningKey::new(secret).with_expiry(expiry)];
        let profiles = rng.one_of([Profile::BodyHmac, Profile::Standard]);
        endpoint = endpoint.with_signing(Signing::new(keys, vec![profiles]).unwrap());
    }
    if rng.percent(60) {
        endpoint = endpoint.with_order(Some(rng.one_of([OrderPolicy::Block, OrderPolicy::Skip])));
    }
    if rng.percent(30) {
        endpoint = endpoint
            .with_description("for the books".parse().ok())
            .with_external_id(rng.percent(50).then(|| "crm:7".parse().unwrap()))
            .with_metadata(Metadata::new([("team", "billing")]).unwrap());
    }
    if rng.percent(30) {
        endpoint = endpoint.with_retry(RetryPolicy::send_now());
    }
    endpoint
}

pub(super) fn attempt(rng: &SplitMix64, number: u32) -> Attempt {
    let status = rng.one_of([None, Some(200), Some(503)]);
    let kind = rng.one_of([FailureKind::Connect, FailureKind::Timeout, FailureKind::Status]);
    let failure = (status != Some(200)).then(|| Failure::new(kind, "why"));
    let body = rng.one_of(["", "ok", "\u{e4}"]);
    let took = Duration::from_millis(rng.one_of([0, 37, 29_999]));
    let body = Bytes::from_static(body.as_bytes());
    Attempt::from_parts(number, some_time(), took, status, failure, body)
        .with_trigger(rng.one_of([Trigger::Retry, Trigger::Manual, Trigger::Test]))
}

/// An attempt that was lost with its worker.
fn lost(number: u32) -> Attempt {
    let failure = Failure::new(FailureKind::Unknown, "the worker was lost");
    Attempt::from_parts(number, some_time(), Duration::ZERO, None, Some(failure), Bytes::new())
}

/// Outcome of a claim as the engine records it, without gaps in the numbers.
pub(super) fn finish(rng: &SplitMix64, claim: &Claim) -> Finish {
    let number = claim.progress.attempt;
    let mut attempts: Vec<_> = (claim.recorded + 1..number).map(lost).collect();
    let was_made = rng.percent(90);
    if was_made {
        attempts.push(attempt(rng, number));
    }
    let made = if was_made { number } else { number - 1 };
    let settle = match rng.below(10) {
        0..3 => Settle::Success,
        3 => Settle::Failed,
        4 => Settle::Retry(Duration::ZERO),
        5 => Settle::Retry(RetryPolicy::MAX_WAIT),
        _ => Settle::Retry(rng.one_of(TIME_SPANS)),
    };
    let reason = rng.one_of([DisabledReason::Gone, DisabledReason::ByHand]);
    Finish::new(claim.lease, attempts, made, settle)
        .with_forgiven(claim.progress.forgiven + u32::from(rng.percent(20)))
        .with_disabled_endpoint(rng.percent(4).then_some(reason))
        .with_ordered(claim.event.ordering_key.is_some())
}

/// Claim of a delivery that was stored with a lease.
pub(super) fn claim(delivery: DeliveryId, event: Event) -> Claim {
    let lease = Lease { delivery, epoch: LeaseEpoch::from_u64(1) };
    Claim::new(lease, Arc::new(event), Revision::default())
}

pub(super) fn tracked(rng: &SplitMix64, id: DeliveryId, event: &Event) -> Delivery {
    let url = rng.one_of(["https://once.example/", "https://once.example/?t=1"]).parse().unwrap();
    let created_at = ManualClock::START.after(rng.one_of(TIME_SPANS));
    Delivery::new(id, event.tenant.clone(), event.event_type.clone(), url, created_at)
}
