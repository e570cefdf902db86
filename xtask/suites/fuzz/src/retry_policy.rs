//! Retry policies as people write them.

use std::time::Duration;

use webhook_core::{DeliveryId, EndpointId, EventId, RetryPolicy};

/// A text is a policy that prints and parses to itself and comes to an end, or is refused.
pub fn retry_policy(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(policy) = text.parse::<RetryPolicy>() else { return };
    let printed = policy.to_string();
    assert_eq!(printed.parse().as_ref(), Ok(&policy), "{printed}");
    let json = serde_json::to_string(&policy).expect("a policy is a text");
    assert_eq!(serde_json::from_str::<RetryPolicy>(&json).ok().as_ref(), Some(&policy), "{json}");
    ends(&policy);
}

fn ends(policy: &RetryPolicy) {
    let plan = policy.plan();
    let count = u32::try_from(plan.attempts.len()).unwrap_or(u32::MAX);
    assert_eq!(count, policy.max_attempts());
    assert!(plan.attempts.len() <= RetryPolicy::MAX_WAITS + 1);
    assert!(plan.window() <= RetryPolicy::MAX_WAIT * 50);
    assert!(policy.max_retry_after() <= RetryPolicy::MAX_WAIT);
    assert!(plan.jitter_percent <= 100);
    let delivery = DeliveryId::new(
        EventId::from_uuid(uuid::Uuid::from_u128(7)),
        EndpointId::from_uuid(uuid::Uuid::from_u128(9)),
    );
    assert_eq!(policy.wait_after(0, delivery), None);
    assert_eq!(policy.wait_after(count, delivery), None, "there is no end");
    let mut at = Duration::ZERO;
    for (attempt, failures) in plan.attempts.iter().skip(1).zip(1..) {
        at += attempt.wait;
        assert_eq!(attempt.at, at);
        assert_eq!(attempt.number, failures + 1);
        let wait = policy.wait_after(failures, delivery).expect("one more attempt is planned");
        let most = attempt.wait * u32::from(plan.jitter_percent) / 100;
        assert!(wait.abs_diff(attempt.wait) <= most, "{wait:?} for {:?}", attempt.wait);
    }
}
