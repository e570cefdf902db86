//! Deliveries: the obligation to send one event to one endpoint, and its state.

use std::{fmt, str::FromStr};

use crate::model::{
    event::EventType,
    id::{DeliveryId, LeaseEpoch, TenantId},
    retry::RetryPolicy,
    text::serde_as_text,
    time::Timestamp,
    url::EndpointUrl,
    worker::WorkerName,
};

/// Status of a delivery. The last four are final.
///
/// Closed: each store and each view handles every status.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DeliveryStatus {
    /// Waiting until it is due.
    Pending,
    /// Held by a worker under a lease.
    InFlight,
    /// Accepted by the receiver.
    Success,
    /// Failed after the last attempt of its policy, or for a reason that is not retried.
    Failed,
    /// Cancelled, by the removal of its endpoint or by a caller.
    Cancelled,
    /// Never attempted, because the endpoint was disabled when the event was routed. A replay can
    /// send it.
    Missed,
}

impl DeliveryStatus {
    /// All statuses.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::InFlight, Self::Success, Self::Failed, Self::Cancelled, Self::Missed];

    /// Name of the status in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::InFlight => "in_flight",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Missed => "missed",
        }
    }

    /// Returns true if the engine does nothing more with the delivery.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Cancelled | Self::Missed)
    }
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeliveryStatus {
    type Err = InvalidDeliveryStatus;

    fn from_str(name: &str) -> Result<Self, InvalidDeliveryStatus> {
        Self::ALL.into_iter().find(|status| status.as_str() == name).ok_or(InvalidDeliveryStatus)
    }
}

serde_as_text!(DeliveryStatus);

/// Text that names no delivery status.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid delivery status; expected pending, in_flight, success, failed, cancelled or missed"
)]
pub struct InvalidDeliveryStatus;

/// A delivery as its record shows it.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Delivery {
    /// Event and endpoint.
    pub id: DeliveryId,
    /// Tenant of event and endpoint.
    pub tenant: TenantId,
    /// Type of the event.
    pub event_type: EventType,
    /// URL of the endpoint. Serialized without its query, which may hold a token.
    #[serde(serialize_with = "shown")]
    pub url: EndpointUrl,
    /// Current status.
    pub status: DeliveryStatus,
    /// Number of attempts, including one in flight.
    pub attempts: u32,
    /// Due time of the next attempt by the store's clock; `None` unless pending.
    pub due_at: Option<Timestamp>,
    /// Time of the last claim by the store's clock.
    pub last_attempt_at: Option<Timestamp>,
    /// Name of the worker that claimed the last attempt, for operators. `None` if it has no name,
    /// or if a later claim led to no attempt.
    pub claimed_by: Option<WorkerName>,
    /// End of the current lease by the store's clock, for operators.
    pub leased_until: Option<Timestamp>,
    /// Number of attempts before the present budget: 0 until a redelivery.
    pub budget_from: u32,
    /// Attempts of the present budget that failed by a fault of the sender and do not count.
    pub forgiven: u32,
    /// Failure of the last attempt.
    pub last_error: Option<String>,
    /// Time of creation by the store's clock.
    pub created_at: Timestamp,
}

fn shown<S: serde::Serializer>(url: &EndpointUrl, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(url)
}

impl Delivery {
    /// Creates a pending delivery without attempts.
    pub const fn new(
        id: DeliveryId,
        tenant: TenantId,
        event_type: EventType,
        url: EndpointUrl,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            tenant,
            event_type,
            url,
            status: DeliveryStatus::Pending,
            attempts: 0,
            due_at: None,
            last_attempt_at: None,
            claimed_by: None,
            leased_until: None,
            budget_from: 0,
            forgiven: 0,
            last_error: None,
            created_at,
        }
    }
}

/// Delivery with the epoch of its claim.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Lease {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The epoch.
    pub epoch: LeaseEpoch,
}

/// Position of an attempt within the retry policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// Number of the attempt, from 1, over the whole life of the delivery.
    pub attempt: u32,
    /// Number of attempts before the present budget: 0 until a redelivery.
    pub budget_from: u32,
    /// Attempts of the present budget that failed by a fault of the sender and do not count.
    pub forgiven: u32,
}

impl Progress {
    /// Creates the position of an attempt of a delivery that was never redelivered and had no fault
    /// of the sender.
    pub const fn of_attempt(attempt: u32) -> Self {
        Self { attempt, budget_from: 0, forgiven: 0 }
    }

    /// Sets the number of attempts before the present budget.
    #[must_use]
    pub const fn with_budget_from(mut self, attempts: u32) -> Self {
        self.budget_from = attempts;
        self
    }

    /// Sets the number of attempts of the present budget that do not count.
    #[must_use]
    pub const fn with_forgiven(mut self, forgiven: u32) -> Self {
        self.forgiven = forgiven;
        self
    }

    /// Number of this attempt among those that count, from 1.
    pub const fn tries(self) -> u32 {
        self.attempt.saturating_sub(self.budget_from).saturating_sub(self.forgiven)
    }

    /// Returns true if the policy allows this attempt. A claim counts as an attempt, so the last
    /// one can be lost with its worker.
    pub fn is_allowed(self, policy: &RetryPolicy) -> bool {
        self.tries() <= policy.max_attempts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::id::{EndpointId, EventId};
    use proptest::prelude::*;

    #[test]
    fn statuses_have_stable_names() {
        for status in DeliveryStatus::ALL {
            assert_eq!(status.as_str().parse(), Ok(status));
        }
        assert_eq!("done".parse::<DeliveryStatus>(), Err(InvalidDeliveryStatus));
    }

    fn delivery() -> Delivery {
        let [event, endpoint] = [1, 2].map(uuid::Uuid::from_u128);
        let id = DeliveryId::new(EventId::from_uuid(event), EndpointId::from_uuid(endpoint));
        let url = "https://a.example/hooks?token=c4nary".parse().unwrap();
        let at = Timestamp::from_unix_secs(7);
        Delivery::new(id, TenantId::default(), "a.b".parse().unwrap(), url, at)
    }

    #[test]
    fn as_json_a_delivery_shows_its_url_without_the_query() {
        let json = serde_json::to_value(delivery()).unwrap();
        assert_eq!(json["url"], "https://a.example/hooks");
        assert!(!json.to_string().contains("c4nary"), "{json}");
    }

    proptest! {
        #[test]
        fn any_text_parses_to_a_status_of_that_name_or_is_refused(text in ".*") {
            if let Ok(status) = text.parse::<DeliveryStatus>() {
                prop_assert_eq!(status.as_str(), &text);
            }
        }
    }
}
