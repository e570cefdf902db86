//! The same page for whoever an endpoint belongs to: nothing of the inside of whoever sends.

use std::fmt;

use super::{Explanation, Standing, display::seconds, explain};
use crate::model::{
    attempt::{Attempt, Failure, FailureKind},
    delivery::Delivery,
    endpoint::Endpoint,
    time::Timestamp,
};

/// Explains a delivery to its tenant: as [`explain`], but without the texts of failures that may name
/// internal addresses, and without workers, leases and slots. What the receiver itself has answered
/// stays.
pub fn explain_to_tenant(
    delivery: &Delivery,
    attempts: &[Attempt],
    endpoint: Option<&Endpoint>,
    first: Option<&Delivery>,
    now: Timestamp,
) -> TenantExplanation {
    let attempts: Vec<_> = attempts.iter().cloned().map(without_inside).collect();
    let mut delivery = delivery.clone();
    (delivery.claimed_by, delivery.leased_until) = (None, None);
    TenantExplanation(explain(&delivery, &attempts, endpoint, first, now))
}

/// Why a delivery is where it is, for its tenant. Its `Display` is a page for people.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TenantExplanation(Explanation);

/// A failure that is not the receiver's answer is told by its kind; what that means is told anyway.
fn without_inside(mut attempt: Attempt) -> Attempt {
    let is_inside = |failure: &Failure| failure.kind != FailureKind::Status;
    if let Some(failure) = attempt.failure.as_mut().filter(|failure| is_inside(failure)) {
        *failure = Failure::new(failure.kind, failure.kind.as_str());
    }
    attempt
}

impl fmt::Display for TenantExplanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Explanation { standing, .. } = &self.0;
        self.0.fmt_head(f)?;
        match standing {
            Standing::InFlight { since, .. } => {
                write!(f, "  now: an attempt is under way, for {}", seconds(*since))
            }
            Standing::Due(since) => {
                write!(f, "  next: due for {}; its turn comes", seconds(*since))
            }
            Standing::RateLimited(rate) => write!(
                f,
                "  next: due; the endpoint gets {rate}, and others of it are before this one"
            ),
            other => write!(f, "  {other}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::model::{
        delivery::DeliveryStatus,
        id::{DeliveryId, EndpointId, EventId},
    };

    fn page(delivery: &Delivery, attempts: &[Attempt], endpoint: Option<&Endpoint>) -> String {
        let now = Timestamp::from_unix_secs(100);
        explain_to_tenant(delivery, attempts, endpoint, None, now).to_string()
    }

    fn endpoint() -> Endpoint {
        let id = EndpointId::from_uuid(Uuid::nil());
        Endpoint::new(id, "https://a.example/hooks?token=c4nary".parse().unwrap())
    }

    fn delivery(status: DeliveryStatus) -> Delivery {
        let (event, endpoint) = (EventId::from_uuid(Uuid::nil()), endpoint());
        let id = DeliveryId::new(event, endpoint.id);
        let at = Timestamp::from_unix_secs(10);
        let event_type = "invoice.paid".parse().unwrap();
        let mut delivery = Delivery::new(id, endpoint.tenant, event_type, endpoint.url, at);
        (delivery.status, delivery.due_at) = (status, Some(at));
        (delivery.last_attempt_at, delivery.last_error) = (Some(at), Some("c4nary".to_owned()));
        delivery.claimed_by = Some("c4nary:1".parse().unwrap());
        delivery.leased_until = Some(at);
        delivery
    }

    fn attempt(kind: FailureKind, status: Option<u16>, text: &str) -> Attempt {
        let (at, took) = (Timestamp::from_unix_secs(90), Duration::ZERO);
        let failure = Some(Failure::new(kind, text));
        Attempt::from_parts(1, at, took, status, failure, Bytes::new())
    }

    #[test]
    fn a_tenant_reads_what_the_receiver_said_and_what_the_rest_means() {
        let attempts = [
            attempt(FailureKind::Connect, None, "could not connect: 10.0.0.7 refused"),
            attempt(FailureKind::Status, Some(503), "status 503: try later"),
        ];
        let id = delivery(DeliveryStatus::Pending).id;
        let expected = format!(
            "{id} of invoice.paid to https://a.example/hooks: pending\n  \
             the endpoint wants **\n  \
             attempt 1, 10s ago: connect\n    nobody answers at the receiver's address\n  \
             attempt 1, 10s ago: status 503: try later\n    \
             the receiver has trouble of its own\n  \
             next: due for 1m30s; its turn comes"
        );
        assert_eq!(
            page(&delivery(DeliveryStatus::Pending), &attempts, Some(&endpoint())),
            expected
        );
    }

    #[test]
    fn a_tenant_reads_nothing_of_the_inside() {
        let limited = endpoint().with_rate("10/s".parse().ok());
        for status in DeliveryStatus::ALL {
            for endpoint in [None, Some(&endpoint()), Some(&limited)] {
                let kinds = [FailureKind::Blocked, FailureKind::Local, FailureKind::Resolve];
                let attempts = kinds.map(|kind| attempt(kind, None, "c4nary at 10.0.0.7"));
                let page = page(&delivery(status), &attempts, endpoint);
                for inside in ["c4nary", "10.0.0.7", "worker", "lease", "slot"] {
                    assert!(!page.contains(inside), "{page}");
                }
            }
        }
    }
}
