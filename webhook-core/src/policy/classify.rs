//! What an outcome means.
//!
//! Three types keep three questions apart: an [`Outcome`] is what happened, a [`Verdict`] what it
//! means, a [`Decision`](crate::policy::Decision) what we do.

use std::time::Duration;

use http::StatusCode;

use crate::{
    model::{
        attempt::Outcome,
        exchange::{Response, TransportErrorKind},
        health::HealthSignal,
        retry::RetryPolicy,
        time::Timestamp,
        trigger::Trigger,
    },
    policy::retry_after::retry_after,
};

/// What an outcome means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// The receiver has accepted the event: the head of a 2xx arrived, whatever its body does.
    Accepted,
    /// It may work another time. The receiver may have asked for a wait.
    TryAgain {
        /// What `Retry-After` asked for.
        retry_after: Option<Duration>,
    },
    /// A kept connection had gone stale: says nothing about the receiver, so try again soon.
    TryAgainSoon,
    /// Our own fault: try again, at nobody's expense.
    OwnFault,
    /// The receiver wants nothing more, ever: 410.
    Gone,
    /// The URL itself is refused: it has to change first.
    Refused,
}

/// Says what `outcome` means, at `now`.
pub fn classify(outcome: &Outcome, now: Timestamp) -> Verdict {
    match outcome {
        Outcome::Answered(response) => classify_response(response, now),
        Outcome::NotAnswered(error) => match error.kind() {
            TransportErrorKind::BlockedLiteral => Verdict::Refused,
            TransportErrorKind::StaleConnection => Verdict::TryAgainSoon,
            TransportErrorKind::Local => Verdict::OwnFault,
            _ => Verdict::TryAgain { retry_after: None },
        },
        Outcome::NotSigned(_) => Verdict::OwnFault,
        Outcome::Unknown => Verdict::TryAgain { retry_after: None },
    }
}

fn classify_response(response: &Response, now: Timestamp) -> Verdict {
    match response.status {
        status if status.is_success() => Verdict::Accepted,
        StatusCode::GONE => Verdict::Gone,
        _ => Verdict::TryAgain { retry_after: retry_after(&response.headers, now) },
    }
}

/// Returns the effect of `outcome`, with this `verdict`, on the health of its endpoint. A pause by
/// `Retry-After` is limited by the retry policy.
///
/// A failure of a replay or a test says nothing new about the receiver, since a replay sends many
/// deliveries at the same time and a test is made by hand. A success, or a request for a pause, does.
pub fn health_signal(
    outcome: &Outcome,
    verdict: Verdict,
    policy: &RetryPolicy,
    trigger: Trigger,
) -> HealthSignal {
    match verdict {
        Verdict::Accepted => HealthSignal::Good,
        Verdict::Gone => HealthSignal::None,
        Verdict::TryAgain { retry_after: Some(wait) } if asks_for_a_pause(outcome) => {
            HealthSignal::Busy(wait.min(policy.max_retry_after()))
        }
        Verdict::TryAgain { .. } if !is_blocked(outcome) && trigger.counts_for_health() => {
            HealthSignal::Bad
        }
        Verdict::TryAgain { .. } | Verdict::TryAgainSoon | Verdict::OwnFault | Verdict::Refused => {
            HealthSignal::Void
        }
    }
}

/// 429 and 503 speak of the receiver as a whole; another status only of this delivery.
fn asks_for_a_pause(outcome: &Outcome) -> bool {
    let Outcome::Answered(response) = outcome else { return false };
    matches!(response.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
}

/// An address that we refuse is no fault of who listens there.
fn is_blocked(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::NotAnswered(error)
        if matches!(error.kind(), TransportErrorKind::BlockedName | TransportErrorKind::BlockedLiteral))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::exchange::{Phase, SignerError, TlsFailure, TransportError};
    use http::{HeaderMap, HeaderValue, header::RETRY_AFTER};

    const TRY_AGAIN: Verdict = Verdict::TryAgain { retry_after: None };

    #[test]
    fn every_status_has_one_meaning() {
        for code in 100..=999 {
            let outcome = Outcome::Answered(Response::new(StatusCode::from_u16(code).unwrap()));
            let expected = match code {
                200..=299 => Verdict::Accepted,
                410 => Verdict::Gone,
                _ => TRY_AGAIN,
            };
            assert_eq!(classify(&outcome, Timestamp::default()), expected, "{code}");
        }
    }

    #[test]
    fn any_failure_status_may_ask_for_a_wait() {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static("600"))]);
        for code in [302, 400, 429, 503] {
            let response =
                Response::new(StatusCode::from_u16(code).unwrap()).with_headers(headers.clone());
            let expected = Verdict::TryAgain { retry_after: Some(Duration::from_secs(600)) };
            assert_eq!(classify(&Outcome::Answered(response), Timestamp::default()), expected);
        }
    }

    #[test]
    fn errors_mean_what_their_kind_says() {
        use TransportErrorKind as Kind;
        let table = [
            (Kind::BlockedLiteral, Verdict::Refused),
            (Kind::BlockedName, TRY_AGAIN),
            (Kind::Resolve, TRY_AGAIN),
            (Kind::Connect, TRY_AGAIN),
            (Kind::Tls(TlsFailure::Expired), TRY_AGAIN),
            (Kind::Timeout(Phase::Head), TRY_AGAIN),
            (Kind::StaleConnection, Verdict::TryAgainSoon),
            (Kind::Interrupted(Phase::Write), TRY_AGAIN),
            (Kind::Protocol, TRY_AGAIN),
            (Kind::Local, Verdict::OwnFault),
            (Kind::Other, TRY_AGAIN),
        ];
        for (kind, expected) in table {
            let outcome = Outcome::NotAnswered(TransportError::new(kind));
            assert_eq!(classify(&outcome, Timestamp::default()), expected, "{kind:?}");
        }
        assert_eq!(
            classify(&Outcome::NotSigned(SignerError::new("x")), Timestamp::default()),
            Verdict::OwnFault
        );
        assert_eq!(classify(&Outcome::Unknown, Timestamp::default()), TRY_AGAIN);
    }

    #[test]
    fn what_an_outcome_tells_about_the_receiver() {
        use TransportErrorKind as Kind;
        let answered = |code, retry_after: Option<&str>| {
            let headers = retry_after.map(|value| (RETRY_AFTER, value.parse().unwrap()));
            let response = Response::new(StatusCode::from_u16(code).unwrap());
            Outcome::Answered(response.with_headers(HeaderMap::from_iter(headers)))
        };
        let failed = |kind| Outcome::NotAnswered(TransportError::new(kind));
        let busy = |secs| HealthSignal::Busy(Duration::from_secs(secs));
        let table = [
            (answered(200, None), HealthSignal::Good),
            (answered(204, Some("60")), HealthSignal::Good),
            (answered(410, Some("60")), HealthSignal::None),
            (answered(500, None), HealthSignal::Bad),
            (answered(429, None), HealthSignal::Bad),
            (answered(429, Some("60")), busy(60)),
            (answered(503, Some("60")), busy(60)),
            (answered(503, Some("601")), busy(600)),
            // Of another status, the wait is about this delivery alone.
            (answered(500, Some("60")), HealthSignal::Bad),
            (answered(302, Some("60")), HealthSignal::Bad),
            (failed(Kind::Connect), HealthSignal::Bad),
            (failed(Kind::Timeout(Phase::Head)), HealthSignal::Bad),
            (failed(Kind::Other), HealthSignal::Bad),
            (failed(Kind::BlockedName), HealthSignal::Void),
            (failed(Kind::BlockedLiteral), HealthSignal::Void),
            (failed(Kind::StaleConnection), HealthSignal::Void),
            (failed(Kind::Local), HealthSignal::Void),
            (Outcome::NotSigned(SignerError::new("x")), HealthSignal::Void),
            // A worker that is lost may have been lost on this receiver's answer.
            (Outcome::Unknown, HealthSignal::Bad),
        ];
        let policy: RetryPolicy = "5s retry-after 10m".parse().unwrap();
        for (outcome, expected) in table {
            let verdict = classify(&outcome, Timestamp::default());
            let signal = |trigger| health_signal(&outcome, verdict, &policy, trigger);
            for trigger in [Trigger::First, Trigger::Manual] {
                assert_eq!(signal(trigger), expected, "{outcome:?}");
            }
            // Another probe may be made after a failed replay or test.
            let replayed =
                if expected == HealthSignal::Bad { HealthSignal::Void } else { expected };
            for trigger in [Trigger::Replay, Trigger::Test] {
                assert_eq!(signal(trigger), replayed, "{outcome:?}, {trigger}");
            }
        }
    }
}
