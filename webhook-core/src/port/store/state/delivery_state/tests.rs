use super::*;
use crate::model::{
    attempt::{Failure, FailureKind},
    event::Event,
    health::{HealthPolicy, HealthSignal},
    id::{EndpointId, EventId, Revision},
};
use DeliveryStatus::{Cancelled, Failed, InFlight, Missed, Pending, Success};
use bytes::Bytes;
use uuid::Uuid;

const LEASE_TIME: Duration = Duration::from_secs(45);

const fn at(secs: i64) -> Timestamp {
    Timestamp::from_unix_secs(secs)
}

fn worker(name: &str) -> WorkerName {
    name.parse().unwrap()
}

fn in_status(status: DeliveryStatus) -> DeliveryState {
    DeliveryState { status, due_at: at(10), ..DeliveryState::pending(at(0)) }
}

fn id() -> DeliveryId {
    let [event, endpoint] = [1, 2].map(Uuid::from_u128);
    DeliveryId::new(EventId::from_uuid(event), EndpointId::from_uuid(endpoint))
}

fn event() -> Event {
    Event::new(id().event, "a.b".parse().unwrap(), at(0), "{}")
}

fn failed_attempt(number: u32) -> Attempt {
    let failure = Some(Failure::new(FailureKind::Other, "refused"));
    Attempt::from_parts(number, at(0), Duration::ZERO, None, failure, Bytes::new())
}

#[test]
fn a_new_delivery_is_pending_or_leased_or_missed() {
    let endpoint = id().endpoint;
    let pending = DeliveryState::enqueued(&NewDelivery::pending(endpoint), at(5));
    assert_eq!(pending, DeliveryState::pending(at(5)));

    let leased = NewDelivery::leased(endpoint, LEASE_TIME)
        .with_worker(Some(worker("w")))
        .with_cause(Trigger::Test);
    let expected = DeliveryState {
        status: InFlight,
        epoch: LeaseEpoch::from_u64(1),
        held: true,
        due_at: at(50),
        attempts: 1,
        cause: Trigger::Test,
        claimed_at: Some(at(5)),
        claimed_by: Some(worker("w")),
        ..DeliveryState::pending(at(5))
    };
    assert_eq!(DeliveryState::enqueued(&leased, at(5)), expected);

    let missed = DeliveryState::enqueued(&NewDelivery::missed(endpoint), at(5));
    let finished_at = Some(at(5));
    let expected = DeliveryState { status: Missed, finished_at, ..DeliveryState::pending(at(5)) };
    assert_eq!(missed, expected);
}

#[test]
fn each_claim_raises_the_epoch_and_counts_an_attempt() {
    let first = DeliveryState::pending(at(0)).claimed(LEASE_TIME, Some(&worker("a")), at(1));
    let second = first.claimed(LEASE_TIME, None, at(46));
    let expected = DeliveryState {
        status: InFlight,
        epoch: LeaseEpoch::from_u64(2),
        held: true,
        due_at: at(91),
        attempts: 2,
        claimed_at: Some(at(46)),
        previous_claim_at: Some(at(1)),
        claimed_by: None,
        ..DeliveryState::pending(at(0))
    };
    assert_eq!(second, expected);
}

/// Due, or with a lease that ends, at 10.
#[test]
fn open_deliveries_are_claimable_from_their_due_time() {
    let table = [
        (Pending, true, false),
        (InFlight, true, true),
        (Success, false, false),
        (Failed, false, false),
        (Cancelled, false, false),
        (Missed, false, false),
    ];
    for (status, is_open, has_lease) in table {
        let state = in_status(status);
        assert_eq!(state.is_open(), is_open, "{status}");
        assert_eq!(state.claimable_at(), is_open.then_some(at(10)), "{status}");
        let claimable = [9, 10, 11].map(|secs| state.is_claimable(at(secs)));
        assert_eq!(claimable, [false, is_open, is_open], "{status}");
        let leased = [9, 10, 11].map(|secs| state.is_leased(at(secs)));
        assert_eq!(leased, [has_lease, false, false], "{status}");
        let expired = [9, 10, 11].map(|secs| state.is_expired(at(secs)));
        assert_eq!(expired, [false, has_lease, has_lease], "{status}");
    }
}

#[test]
fn tracked_and_blocked_deliveries_are_never_claimable() {
    let tracked = DeliveryState::tracked(at(0));
    assert!(!tracked.is_open());
    assert_eq!((tracked.claimable_at(), tracked.is_claimable(at(9))), (None, false));

    let blocked = DeliveryState::pending(at(0)).blocked();
    assert!(blocked.is_open());
    assert_eq!((blocked.claimable_at(), blocked.is_claimable(at(9))), (None, false));
}

#[test]
fn a_blocked_delivery_is_due_when_it_is_unblocked() {
    let blocked = DeliveryState::pending(at(0)).blocked();
    assert_eq!(blocked.unblocked(at(7)).claimable_at(), Some(at(7)));
    let waits = in_status(Pending);
    assert_eq!(waits.unblocked(at(7)), waits, "a retry keeps its due time");
}

#[test]
fn a_tracked_delivery_counts_its_attempts() {
    let opened = DeliveryState::tracked(at(0));
    let failed = opened.recorded(&failed_attempt(2), Failed, at(3));
    let expected = DeliveryState {
        status: Failed,
        attempts: 2,
        claimed_at: Some(at(3)),
        last_error: Some("refused".to_owned()),
        finished_at: Some(at(3)),
        ..opened.clone()
    };
    assert_eq!(failed, expected);
    assert_eq!(failed.recorded(&failed_attempt(1), Failed, at(3)).attempts, 2, "a repeat");
    assert_eq!(opened.recorded(&failed_attempt(1), Pending, at(3)).finished_at, None);

    let reopened = failed.reopened();
    assert_eq!(reopened, DeliveryState { status: Pending, finished_at: None, ..failed });
}

#[test]
fn a_delivery_is_old_when_its_end_is() {
    let table = [
        (None, 9, false),
        (Some(at(5)), 5, false),
        (Some(at(5)), 6, true),
        (Some(at(5)), 0, false),
    ];
    for (finished_at, cutoff, is_old) in table {
        let state = DeliveryState { finished_at, ..DeliveryState::pending(at(0)) };
        assert_eq!(state.ended_before(at(cutoff)), is_old, "{finished_at:?}, {cutoff}");
    }
    let imported = DeliveryState { finished_at: Some(at(5)), ..DeliveryState::pending(at(8)) };
    assert!(!imported.ended_before(at(7)));
}

#[test]
fn a_record_shows_due_times_and_leases() {
    let url: EndpointUrl = "https://a.example/".parse().unwrap();
    let of = |state: DeliveryState| state.to_delivery(id(), &event(), url.clone());
    for status in DeliveryStatus::ALL {
        let delivery = of(in_status(status));
        assert_eq!(delivery.status, status);
        assert_eq!(delivery.due_at, Some(at(10)).filter(|_| status == Pending), "{status}");
        assert_eq!(delivery.leased_until, Some(at(10)).filter(|_| status == InFlight), "{status}");
    }
    assert_eq!(of(in_status(Pending).blocked()).due_at, None);

    let state = DeliveryState {
        attempts: 4,
        budget_from: 2,
        forgiven: 1,
        last_error: Some("refused".to_owned()),
        claimed_by: Some(worker("w")),
        claimed_at: Some(at(8)),
        ..in_status(Pending)
    };
    let delivery = of(state);
    assert_eq!((delivery.attempts, delivery.budget_from, delivery.forgiven), (4, 2, 1));
    assert_eq!(
        (delivery.last_error.as_deref(), delivery.last_attempt_at),
        (Some("refused"), Some(at(8)))
    );
    assert_eq!((delivery.claimed_by, delivery.created_at), (Some(worker("w")), at(0)));
}

#[test]
fn a_claim_names_its_epoch_and_its_place_in_the_policy() {
    let endpoint = Endpoint::new(id().endpoint, "https://a.example/".parse().unwrap())
        .with_revision(Revision::from_u64(3));
    let state = DeliveryState {
        attempts: 5,
        budget_from: 3,
        forgiven: 1,
        cause: Trigger::Replay,
        claimed_at: Some(at(1)),
        ..in_status(Pending)
    };
    let claimed = state.claimed(LEASE_TIME, None, at(20));
    let claim = claimed.to_claim(id(), Arc::new(event()), &endpoint, 4);
    assert_eq!(claim.lease, Lease { delivery: id(), epoch: LeaseEpoch::from_u64(1) });
    let progress = Progress::of_attempt(6).with_budget_from(3).with_forgiven(1);
    assert_eq!((claim.progress, claim.recorded, claim.cause), (progress, 4, Trigger::Replay));
    assert_eq!((claim.previous_claim_at, claim.endpoint_revision.as_u64()), (Some(at(1)), 3));
    assert!(!claim.unhealthy);

    let failing = endpoint.health.after(HealthSignal::Bad, None, at(0), &HealthPolicy::new(), 9);
    let endpoint = endpoint.with_health(failing.health);
    assert!(claimed.to_claim(id(), Arc::new(event()), &endpoint, 4).unhealthy);
}
