//! `Retry-After`, and the wait that comes of it.

use std::time::Duration;

use http::{HeaderValue, StatusCode, header::RETRY_AFTER};
use webhook_core::{
    DeliveryId, EndpointId, EventId, Outcome, RetryPolicy, Timestamp,
    policy::{Decision, Verdict, classify, decide},
    store::Progress,
    transport::Response,
};

/// Eight bytes of time in milliseconds, then a value: whatever a receiver asks for, the wait is never
/// shorter than the policy's and never longer than what it permits.
pub fn retry_after(data: &[u8]) {
    let Some((millis, value)) = data.split_first_chunk() else { return };
    let now = Timestamp::from_unix_millis(i64::from_le_bytes(*millis));
    let Ok(header) = HeaderValue::from_bytes(value) else { return };
    let mut response = Response::new(StatusCode::SERVICE_UNAVAILABLE);
    response.headers.insert(RETRY_AFTER, header);
    let verdict = classify(&Outcome::Answered(response), now);
    let Verdict::TryAgain { retry_after: asked } = verdict else {
        panic!("503 means {verdict:?}");
    };
    assert_eq!(seconds(value), asked.filter(|_| seconds(value).is_some()), "misread");
    let delivery = DeliveryId::new(EventId::from_uuid(uuid(1)), EndpointId::from_uuid(uuid(2)));
    let hour = Duration::from_secs(3600);
    for policy in [RetryPolicy::durable(), RetryPolicy::durable().with_max_retry_after(hour)] {
        for attempt in 1..policy.max_attempts() {
            let progress = Progress::of_attempt(attempt);
            let plain =
                decide(delivery, progress, Verdict::TryAgain { retry_after: None }, &policy);
            let plain = wait(plain);
            let told = wait(decide(delivery, progress, verdict, &policy));
            let cap = policy.max_retry_after();
            assert!(told >= plain, "{told:?} is shorter than {plain:?}");
            assert!(told <= plain.max(cap), "{told:?} is beyond {cap:?}");
            assert!(told >= asked.unwrap_or_default().min(cap), "{told:?} is too soon");
        }
    }
}

/// A number of seconds, read digit by digit.
fn seconds(value: &[u8]) -> Option<Duration> {
    let digits = value.trim_ascii();
    let add = |sum: u64, digit: &u8| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    is_number.then(|| Duration::from_secs(digits.iter().fold(0, add)))
}

fn wait(decision: Decision) -> Duration {
    match decision {
        Decision::Retry { wait, counts: true } => wait,
        other => panic!("a 503 with attempts left leads to {other:?}"),
    }
}

fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}
