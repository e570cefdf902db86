use super::*;
use crate::model::{
    attempt::{Attempt, Failure, FailureKind},
    id::{DeliveryId, EndpointId, EventId, LeaseEpoch, TenantId},
    notice::NoticeKind,
    trigger::Trigger,
};
use DeliveryStatus::{Failed, InFlight, Missed, Pending, Success};
use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

const CLAIM_TIME: Duration = Duration::from_secs(45);

const fn at(secs: i64) -> Timestamp {
    Timestamp::from_unix_secs(secs)
}

fn lease(epoch: u64) -> Lease {
    let [event, endpoint] = [1, 2].map(Uuid::from_u128);
    let delivery = DeliveryId::new(EventId::from_uuid(event), EndpointId::from_uuid(endpoint));
    Lease { delivery, epoch: LeaseEpoch::from_u64(epoch) }
}

/// Claimed at 10 for its second attempt, under epoch 2, until 55.
fn claimed() -> DeliveryState {
    let first = DeliveryState::pending(at(0)).claimed(CLAIM_TIME, None, at(0));
    let retried = DeliveryState { status: Pending, held: false, due_at: at(5), ..first };
    retried.claimed(CLAIM_TIME, "w".parse().ok().as_ref(), at(10))
}

fn in_status(status: DeliveryStatus) -> DeliveryState {
    DeliveryState { status, held: status == InFlight, ..claimed() }
}

fn attempt(number: u32, error: Option<&str>) -> Attempt {
    let failure = error.map(|text| Failure::new(FailureKind::Other, text));
    Attempt::from_parts(number, at(10), Duration::ZERO, None, failure, Bytes::new())
}

fn finish(epoch: u64, settle: Settle) -> Finish {
    Finish::new(lease(epoch), vec![attempt(2, Some("refused"))], 2, settle)
}

fn state_after<R>(transition: Transition<R>) -> DeliveryState {
    transition.change.unwrap().state
}

#[test]
fn a_finish_settles_the_delivery() {
    let retry = Settle::Retry(Duration::from_secs(30));
    let table = [
        (Settle::Success, Success, at(55), Some(at(20))),
        (Settle::Failed, Failed, at(55), Some(at(20))),
        (retry, Pending, at(50), None),
    ];
    for (settle, status, due_at, finished_at) in table {
        let transition = claimed().finished(&finish(2, settle).with_forgiven(1), at(20));
        assert_eq!(transition.result, Finished::Recorded);
        let expected = DeliveryState {
            status,
            held: false,
            due_at,
            forgiven: 1,
            last_error: Some("refused".to_owned()),
            finished_at,
            ..claimed()
        };
        let change = transition.change.unwrap();
        assert_eq!(change.state, expected, "{settle:?}");
        assert_eq!((change.next_due_at, change.notice), (at(20), None));
    }
}

#[test]
fn only_the_last_claim_may_be_finished_and_only_once() {
    for (epoch, result) in [(1, Finished::LeaseLost), (3, Finished::LeaseLost)] {
        let transition = claimed().finished(&finish(epoch, Settle::Success), at(20));
        assert_eq!(transition, Transition::none(result), "epoch {epoch}");
    }
    let finished = state_after(claimed().finished(&finish(2, Settle::Failed), at(20)));
    let repeat = finished.finished(&finish(2, Settle::Success), at(21));
    assert_eq!(repeat, Transition::none(Finished::Recorded));
    let late = state_after(claimed().finished(&finish(2, Settle::Success), at(99)));
    assert_eq!(late.status, Success, "no other worker has claimed it since");
}

#[test]
fn the_last_attempt_decides_about_the_error() {
    let mut item = finish(2, Settle::Success);
    item.attempts = vec![attempt(1, Some("lost")), attempt(2, None)];
    let before = DeliveryState { last_error: Some("refused".to_owned()), ..claimed() };
    assert_eq!(state_after(before.finished(&item, at(20))).last_error, None);
    item.attempts = Vec::new();
    assert_eq!(state_after(before.finished(&item, at(20))).last_error, before.last_error);
}

#[test]
fn a_cancelled_delivery_stays_cancelled_when_its_attempt_ends() {
    let cancelled = state_after(claimed().cancelled(at(15)));
    let kind = NoticeKind::EndpointRecovered;
    let item = finish(2, Settle::Failed).with_notice(Some((TenantId::default(), kind)));
    let transition = cancelled.finished(&item, at(20));
    assert_eq!(transition.result, Finished::Recorded);
    let change = transition.change.unwrap();
    assert_eq!((change.state.status, change.state.held), (DeliveryStatus::Cancelled, false));
    assert_eq!((change.state.finished_at, change.notice), (Some(at(15)), None));

    let notice = claimed().finished(&item, at(20)).change.unwrap().notice.unwrap();
    assert_eq!((notice.at, notice.endpoint), (at(20), lease(2).delivery.endpoint));
}

#[test]
fn a_claim_without_an_attempt_is_not_counted() {
    let item = Finish::new(lease(2), Vec::new(), 1, Settle::Retry(Duration::ZERO));
    let state = state_after(claimed().finished(&item, at(20)));
    assert_eq!((state.attempts, state.claimed_at, state.claimed_by), (1, Some(at(0)), None));
}

#[test]
fn a_released_claim_is_due_again() {
    let transition = claimed().released(lease(2), at(20));
    assert_eq!(transition.result, Finished::Recorded);
    let expected = DeliveryState {
        status: Pending,
        held: false,
        due_at: at(20),
        attempts: 1,
        claimed_at: Some(at(0)),
        claimed_by: None,
        ..claimed()
    };
    let released = state_after(transition);
    assert_eq!(released, expected);

    let lost = Transition::none(Finished::LeaseLost);
    assert_eq!(released.released(lease(2), at(20)), lost, "a repeat");
    assert_eq!(claimed().released(lease(1), at(20)), lost);
    assert_eq!(claimed().released(lease(3), at(20)), lost);

    let cancelled = state_after(claimed().cancelled(at(15)));
    let state = state_after(cancelled.released(lease(2), at(20)));
    assert_eq!((state.status, state.attempts), (DeliveryStatus::Cancelled, 1));
}

#[test]
fn open_deliveries_are_cancelled() {
    for status in DeliveryStatus::ALL {
        let before = in_status(status);
        let transition = before.cancelled(at(20));
        let (result, next_due_at) = match status {
            Pending => (Cancelled::Done, at(20)),
            InFlight => (Cancelled::InFlight, at(55)),
            status => (Cancelled::Unchanged(status), at(0)),
        };
        assert_eq!(transition.result, result);
        assert_eq!(transition.change.is_some(), !status.is_final(), "{status}");
        let Some(change) = transition.change else { continue };
        assert_eq!(change.next_due_at, next_due_at, "{status}");
        let (status, finished_at) = (DeliveryStatus::Cancelled, Some(at(20)));
        assert_eq!(change.state, DeliveryState { status, finished_at, ..before });
    }
    let expired = claimed().cancelled(at(60)).change.unwrap();
    assert_eq!(expired.next_due_at, at(60), "the lease has ended");
    let tracked = DeliveryState::tracked(at(0)).cancelled(at(20));
    assert_eq!(tracked, Transition::none(Cancelled::Tracked));
}

#[test]
fn final_deliveries_are_redelivered() {
    let item = Redeliver::new(lease(2).delivery).with_cause(Trigger::Replay);
    for status in DeliveryStatus::ALL {
        let before = DeliveryState {
            held: true,
            forgiven: 1,
            finished_at: Some(at(15)),
            ..in_status(status)
        };
        let transition = before.redelivered(item, true, at(20));
        if !status.is_final() {
            assert_eq!(transition, Transition::none(Redelivered::Unchanged(status)));
            continue;
        }
        assert_eq!(transition.result, Redelivered::Done, "{status}");
        let expected = DeliveryState {
            status: Pending,
            epoch: LeaseEpoch::from_u64(3),
            held: false,
            due_at: at(20),
            budget_from: 2,
            forgiven: 0,
            cause: Trigger::Replay,
            finished_at: None,
            ..before
        };
        assert_eq!(state_after(transition), expected, "{status}");
    }
}

#[test]
fn a_redelivery_may_be_rejected() {
    let item = Redeliver::new(lease(2).delivery);
    let (failed, missed) = (in_status(Failed), in_status(Missed));
    let tracked = DeliveryState { tracked: true, ..failed.clone() };
    let table = [
        (&tracked, item, true, Redelivered::Tracked),
        (&failed, item, false, Redelivered::EndpointGone),
        (&missed, item.with_status(Failed), true, Redelivered::Unchanged(Missed)),
        (&failed, item.with_status(Missed), false, Redelivered::Unchanged(Failed)),
    ];
    for (state, item, has_endpoint, result) in table {
        let transition = state.redelivered(item, has_endpoint, at(20));
        assert_eq!(transition, Transition::none(result));
    }
    assert_eq!(
        failed.redelivered(item.with_status(Failed), true, at(20)).result,
        Redelivered::Done
    );
}

/// Call on a delivery. The number is how much older than the present epoch its lease is.
#[derive(Clone, Copy, Debug)]
enum Call {
    Claim,
    Finish(u64, Settle),
    Release(u64),
    Cancel,
    Redeliver,
}

fn call() -> impl Strategy<Value = Call> {
    let settle = prop_oneof![
        Just(Settle::Success),
        Just(Settle::Failed),
        (0..90_u64).prop_map(|secs| Settle::Retry(Duration::from_secs(secs))),
    ];
    prop_oneof![
        3 => Just(Call::Claim),
        3 => (0..2_u64, settle).prop_map(|(age, settle)| Call::Finish(age, settle)),
        1 => (0..2_u64).prop_map(Call::Release),
        1 => Just(Call::Cancel),
        1 => Just(Call::Redeliver),
    ]
}

fn apply(state: &DeliveryState, call: Call, now: Timestamp) -> Option<DeliveryState> {
    let epoch = state.epoch.as_u64();
    let change = match call {
        Call::Claim => {
            return state.is_claimable(now).then(|| state.claimed(CLAIM_TIME, None, now));
        }
        Call::Finish(age, settle) => {
            let lease = lease(epoch.saturating_sub(age));
            let item = Finish::new(lease, Vec::new(), state.attempts, settle);
            state.finished(&item, now).change
        }
        Call::Release(age) => state.released(lease(epoch.saturating_sub(age)), now).change,
        Call::Cancel => state.cancelled(now).change,
        Call::Redeliver => state.redelivered(Redeliver::new(lease(0).delivery), true, now).change,
    };
    change.map(|change| change.state)
}

proptest! {
    #[test]
    fn states_stay_consistent_under_any_calls(
        calls in proptest::collection::vec((call(), 0..60_i64), 0..40),
    ) {
        let mut state = DeliveryState::pending(at(0));
        let mut now = 0;
        for (call, wait) in calls {
            now += wait;
            let Some(next) = apply(&state, call, at(now)) else { continue };
            prop_assert!(next.epoch >= state.epoch);
            let is_claim = matches!(call, Call::Claim);
            prop_assert_eq!(is_claim, next.held && next.epoch > state.epoch);
            prop_assert!(!is_claim || !state.is_leased(at(now)), "two leases at one time");
            prop_assert_eq!(next.finished_at.is_some(), next.status.is_final());
            prop_assert!(next.status != InFlight || next.held, "no worker holds it");
            prop_assert!(next.held || next.claimable_at().is_some() != next.status.is_final());
            let revived = state.status.is_final() && !next.status.is_final();
            prop_assert!(!revived || matches!(call, Call::Redeliver));
            prop_assert!(next.attempts >= next.budget_from);
            state = next;
        }
    }
}
