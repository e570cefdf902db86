//! One attempt of a claim: sign, send, classify, decide, and the outcome to record.

use std::{sync::Arc, time::Duration};

use crate::{
    engine::exchanger::Exchanger,
    model::{
        attempt::{Attempt, Outcome},
        delivery::Lease,
        endpoint::Endpoint,
        endpoint_state::DisabledReason,
        health::HealthSignal,
        id::TenantId,
        notice::NoticeKind,
    },
    policy::{
        classify::{classify, health_signal},
        decide::{Decision, FailReason, decide},
    },
    port::store::work::{Claim, Finish, Settle},
};

/// Wait of a delivery whose endpoint cannot be read: a newer version may have written it, whose
/// workers may be running by then.
const UNREADABLE_ENDPOINT_WAIT: Duration = Duration::from_secs(300);

/// Maximum number of lost attempts that are recorded together. Only a damaged row can have more.
const MAX_LOST_ATTEMPTS: u32 = 1000;

/// Result of working on a claim.
#[derive(Debug)]
pub(super) enum Worked {
    /// An outcome to record, and what it says about the health of the endpoint.
    Finished(Box<Finish>, HealthSignal),
    /// No attempt was made, for lack of time under the lease: the claim has to be released.
    NotStarted(Lease),
}

/// Makes the attempt of `claim`, unless it would start after `start_by`, on the monotonic clock:
/// the attempt must end, and be recorded, before its lease expires.
pub(super) async fn make_attempt(
    exchanger: Exchanger,
    claim: Claim,
    endpoint: Option<Arc<Endpoint>>,
    start_by: Duration,
) -> Worked {
    let Some(endpoint) = endpoint else { return without_attempt(endpoint_gone(&claim)) };
    // Paused or disabled since the claim.
    if !endpoint.state.is_active() {
        return Worked::NotStarted(claim.lease);
    }
    if !claim.progress.is_allowed(&endpoint.retry) {
        return without_attempt(exhausted_by_loss(&claim));
    }
    if exchanger.clock.monotonic() > start_by {
        return Worked::NotStarted(claim.lease);
    }
    let exchange = exchanger.exchange(&claim.event, &endpoint).await;
    let (outcome, trigger) = (&exchange.outcome, claim.trigger());
    let verdict = classify(outcome, exchange.ended_at);
    let signal = health_signal(outcome, verdict, &endpoint.retry, trigger);
    let attempt = exchange.record(claim.progress.attempt, trigger);
    log_attempt(&claim, &endpoint, &attempt);
    let decision = decide(claim.lease.delivery, claim.progress, verdict, &endpoint.retry);
    Worked::Finished(Box::new(finish(&claim, attempt, decision)), signal)
}

/// Without an attempt there is no news of the endpoint: if the claim was its probe, another one may
/// be made.
fn without_attempt(finish: Finish) -> Worked {
    Worked::Finished(Box::new(finish), HealthSignal::Void)
}

/// Returns the outcome that the store records for a decision.
fn finish(claim: &Claim, attempt: Attempt, decision: Decision) -> Finish {
    let mut attempts = lost_attempts(claim);
    attempts.push(attempt);
    let (settle, forgiven) = match decision {
        Decision::Succeed => (Settle::Success, 0),
        Decision::Retry { wait, counts } => (Settle::Retry(wait), u32::from(!counts)),
        Decision::Fail(_) => (Settle::Failed, 0),
    };
    let gone = decision == Decision::Fail(FailReason::Gone);
    let finish = Finish::new(claim.lease, attempts, claim.progress.attempt, settle);
    let notice = exhausted(claim, &finish).filter(|_| !gone);
    finish
        .with_notice(notice)
        .with_forgiven(claim.progress.forgiven.saturating_add(forgiven))
        .with_disabled_endpoint(gone.then_some(DisabledReason::Gone))
        .with_ordered(claim.event.ordering_key.is_some())
}

/// The last attempt that the policy allows was lost with its worker: there is nothing to send.
fn exhausted_by_loss(claim: &Claim) -> Finish {
    let finish = not_made(claim, Settle::Failed);
    let notice = exhausted(claim, &finish);
    finish.with_notice(notice)
}

/// Returns the notice of a delivery that has failed.
fn exhausted(claim: &Claim, finish: &Finish) -> Option<(TenantId, NoticeKind)> {
    (finish.settle == Settle::Failed).then(|| {
        let kind = NoticeKind::DeliveryExhausted {
            delivery: claim.lease.delivery,
            event_type: claim.event.event_type.clone(),
            attempts: finish.attempts_made,
            last_error: finish.last_error().unwrap_or_default().to_owned(),
        };
        (claim.event.tenant.clone(), kind)
    })
}

/// The endpoint was removed between the claim and its loading. The store has cancelled the delivery
/// in the same transaction, and keeps it so.
fn endpoint_gone(claim: &Claim) -> Finish {
    not_made(claim, Settle::Failed)
}

/// Returns the outcome for an endpoint whose settings cannot be read. It is a local fault, so the
/// attempt does not count.
pub(super) fn endpoint_unreadable(claim: &Claim) -> Finish {
    not_made(claim, Settle::Retry(UNREADABLE_ENDPOINT_WAIT))
}

fn not_made(claim: &Claim, settle: Settle) -> Finish {
    let made = claim.progress.attempt.saturating_sub(1);
    Finish::new(claim.lease, lost_attempts(claim), made, settle)
        .with_forgiven(claim.progress.forgiven)
        .with_ordered(claim.event.ordering_key.is_some())
}

/// Attempts that were claimed and never recorded: their workers are gone, what the receiver got is
/// unknown.
fn lost_attempts(claim: &Claim) -> Vec<Attempt> {
    let last = claim.progress.attempt.saturating_sub(1);
    let first = claim.recorded.saturating_add(1).max(last.saturating_sub(MAX_LOST_ATTEMPTS));
    let started_at = claim.previous_claim_at.unwrap_or_default();
    (first..=last)
        .map(|number| {
            Attempt::record(number, started_at, Duration::ZERO, &Outcome::Unknown)
                .with_trigger(claim.trigger_of(number))
        })
        .collect()
}

fn log_attempt(claim: &Claim, endpoint: &Endpoint, attempt: &Attempt) {
    let (url, event_type, number) = (&endpoint.url, &claim.event.event_type, attempt.number);
    let delivery = claim.lease.delivery;
    match &attempt.failure {
        None => {
            tracing::debug!(%url, %event_type, %delivery, attempt = number, "webhook delivered");
        }
        Some(error) => {
            tracing::warn!(%url, %event_type, %delivery, attempt = number, %error, "webhook attempt failed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        model::{
            attempt::FailureKind,
            delivery::Progress,
            endpoint_state::EndpointState,
            event::Event,
            exchange::{Response, SignerError, TransportError},
            id::{DeliveryId, EndpointId, EventId, LeaseEpoch, Revision},
            time::Timestamp,
        },
        port::{Clock, Request, Signer, Transport},
    };
    use async_trait::async_trait;
    use futures_util::FutureExt;
    use uuid::Uuid;

    fn claim(attempt: u32, recorded: u32) -> Claim {
        let id = EventId::from_uuid(Uuid::from_u128(1));
        let event = Event::new(id, "a".parse().unwrap(), Timestamp::default(), "{}");
        let delivery = DeliveryId::new(id, EndpointId::from_uuid(Uuid::from_u128(2)));
        let lease = Lease { delivery, epoch: LeaseEpoch::from_u64(u64::from(attempt)) };
        Claim::new(lease, Arc::new(event), Revision::default())
            .with_progress(Progress::of_attempt(attempt), recorded)
            .with_previous_claim_at(Some(Timestamp::from_unix_secs(7)))
    }

    /// Ports that must not be used, but for the time.
    #[derive(Debug)]
    struct Untouched;

    #[async_trait]
    impl Transport for Untouched {
        async fn send(&self, _: Request) -> Result<Response, TransportError> {
            panic!("nothing is to be sent")
        }
    }

    impl Signer for Untouched {
        fn hmac_sha256(&self, _: &[u8], _: &[&[u8]]) -> Result<[u8; 32], SignerError> {
            panic!("nothing is to be signed")
        }

        fn verify_hmac_sha256(&self, _: &[u8], _: &[&[u8]], _: &[u8]) -> bool {
            false
        }

        fn fill_random(&self, _: &mut [u8]) -> Result<(), SignerError> {
            Ok(())
        }
    }

    #[async_trait]
    impl Clock for Untouched {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }

        fn monotonic(&self) -> Duration {
            Duration::from_secs(7)
        }

        async fn sleep(&self, _: Duration) {}
    }

    fn worked(state: EndpointState, start_by: Duration) -> Worked {
        let (transport, signer, clock) =
            (Arc::new(Untouched), Arc::new(Untouched), Arc::new(Untouched));
        let id = EndpointId::from_uuid(Uuid::from_u128(2));
        let endpoint = Endpoint::new(id, "https://a.example/".parse().unwrap()).with_state(state);
        let attempt = make_attempt(
            Exchanger { transport, signer, clock, max_timeout: Duration::MAX },
            claim(1, 0),
            Some(Arc::new(endpoint)),
            start_by,
        );
        attempt.now_or_never().unwrap()
    }

    #[test]
    fn nothing_is_sent_to_an_endpoint_that_was_paused_or_disabled_since_the_claim() {
        for state in [EndpointState::Paused, EndpointState::Disabled(DisabledReason::ByHand)] {
            assert!(matches!(worked(state, Duration::MAX), Worked::NotStarted(_)), "{state}");
        }
    }

    #[test]
    fn nothing_is_sent_when_the_lease_might_end_first() {
        let too_late = Duration::from_millis(6_999);
        assert!(matches!(worked(EndpointState::Active, too_late), Worked::NotStarted(_)));
    }

    fn numbers(finish: &Finish) -> Vec<u32> {
        finish.attempts.iter().map(|attempt| attempt.number).collect()
    }

    #[test]
    fn lost_attempts_are_recorded_as_unknown_so_that_numbers_have_no_gaps() {
        let made =
            Attempt::record(4, Timestamp::from_unix_secs(9), Duration::ZERO, &Outcome::Unknown);
        let finish = finish(&claim(4, 1), made, Decision::Succeed);
        assert_eq!(numbers(&finish), [2, 3, 4]);
        assert_eq!(finish.attempts[0].failure.as_ref().unwrap().kind, FailureKind::Unknown);
        assert_eq!(finish.attempts[0].started_at, Timestamp::from_unix_secs(7));
        assert_eq!(finish.attempts_made, 4);
    }

    #[test]
    fn an_attempt_that_is_not_made_gives_its_number_back() {
        let finish = exhausted_by_loss(&claim(5, 3));
        assert_eq!(numbers(&finish), [4]);
        assert_eq!((finish.attempts_made, finish.settle), (4, Settle::Failed));
    }

    #[test]
    fn a_damaged_row_does_not_make_us_record_for_ever() {
        let finish = exhausted_by_loss(&claim(u32::MAX, 0));
        assert_eq!(finish.attempts.len(), MAX_LOST_ATTEMPTS as usize + 1);
    }

    #[test]
    fn only_gone_disables_the_endpoint_and_only_our_own_fault_is_forgiven() {
        let attempt = Attempt::record(1, Timestamp::default(), Duration::ZERO, &Outcome::Unknown);
        let wait = Duration::from_secs(5);
        let table = [
            (Decision::Succeed, Settle::Success, 0, None),
            (Decision::Retry { wait, counts: true }, Settle::Retry(wait), 0, None),
            (Decision::Retry { wait, counts: false }, Settle::Retry(wait), 1, None),
            (Decision::Fail(FailReason::Exhausted), Settle::Failed, 0, None),
            (Decision::Fail(FailReason::Refused), Settle::Failed, 0, None),
            (Decision::Fail(FailReason::Gone), Settle::Failed, 0, Some(DisabledReason::Gone)),
        ];
        for (decision, settle, forgiven, disable) in table {
            let finish = finish(&claim(1, 0), attempt.clone(), decision);
            assert_eq!(
                (finish.settle, finish.forgiven, finish.disable_endpoint),
                (settle, forgiven, disable)
            );
        }
    }
}
