//! What is decided after an attempt.

use webhook_core::{
    DeliveryId, EndpointId, EventId, Outcome, RetryPolicy, Timestamp,
    policy::{Decision, classify, decide},
    store::Progress,
};

/// When every attempt here is made.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_secs(1_700_000_000);

/// After the first attempt of a delivery that `policy` is for.
pub(crate) fn after(outcome: &Outcome, policy: &RetryPolicy) -> Decision {
    let delivery = DeliveryId::new(EventId::from_uuid(uuid()), EndpointId::from_uuid(uuid()));
    decide(delivery, Progress::of_attempt(1), classify(outcome, NOW), policy)
}

/// What becomes of the event then.
pub(crate) fn outcome_text(decision: Decision) -> &'static str {
    match decision {
        Decision::Succeed => "delivered",
        Decision::Retry { .. } => "tried again",
        Decision::Fail(_) => "given up",
        _ => "something new",
    }
}

/// Always the same one: jitter hangs on it.
const fn uuid() -> uuid::Uuid {
    uuid::Uuid::from_u128(1)
}
