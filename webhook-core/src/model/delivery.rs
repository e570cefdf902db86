//! Deliveries: the obligation to bring one event to one endpoint, and how far it has come.

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

/// How far a delivery has come. The last four are final.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum DeliveryStatus {
    /// Waits until it is due.
    Pending,
    /// A worker holds it under a lease.
    InFlight,
    /// The receiver has accepted it.
    Success,
    /// Given up.
    Failed,
    /// Its endpoint was removed, or somebody cancelled it.
    Cancelled,
    /// Its endpoint was disabled when the event was routed: never tried, on record to be sent later.
    Missed,
}

impl DeliveryStatus {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::InFlight, Self::Success, Self::Failed, Self::Cancelled, Self::Missed];

    /// Its name in records.
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

    /// Whether nothing more happens to it by itself.
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

/// The text is no delivery status.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid delivery status; expected pending, in_flight, success, failed, cancelled or missed"
)]
pub struct InvalidDeliveryStatus;

/// A delivery as its record shows it.
#[derive(Clone, Debug, Eq, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Delivery {
    /// Which event to which endpoint.
    pub id: DeliveryId,
    /// Whose it is.
    pub tenant: TenantId,
    /// The event's type.
    pub event_type: EventType,
    /// Where it goes, or went. Serialized without its query, which may hold a token.
    #[serde(serialize_with = "shown")]
    pub url: EndpointUrl,
    /// How far it has come.
    pub status: DeliveryStatus,
    /// Attempts so far, one in flight included.
    pub attempts: u32,
    /// When the next attempt is due, while pending, by the store's clock.
    pub due_at: Option<Timestamp>,
    /// When the last attempt was claimed, by the store's clock.
    pub last_attempt_at: Option<Timestamp>,
    /// Who claimed the last attempt, if it had a name; it stays after the attempt. Nobody, when a
    /// later claim led to no attempt. For operators.
    pub claimed_by: Option<WorkerName>,
    /// When the lease of the attempt in flight ends, by the store's clock. For operators.
    pub leased_until: Option<Timestamp>,
    /// Attempts made before the present budget began: 0, until somebody redelivers.
    pub budget_from: u32,
    /// Attempts of the present budget that failed by our own fault and do not count.
    pub forgiven: u32,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When the obligation came about, by the store's clock.
    pub created_at: Timestamp,
}

fn shown<S: serde::Serializer>(url: &EndpointUrl, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(url)
}

impl Delivery {
    /// A pending delivery without attempts.
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

/// A delivery, and the epoch it was claimed under.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Lease {
    /// The delivery.
    pub delivery: DeliveryId,
    /// The epoch.
    pub epoch: LeaseEpoch,
}

/// How far a delivery is through its policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// The number of the attempt, from 1, over the delivery's whole life.
    pub attempt: u32,
    /// Attempts made before the present budget began: 0, until somebody redelivers by hand.
    pub budget_from: u32,
    /// Attempts of the present budget that failed by our own fault and do not count.
    pub forgiven: u32,
}

impl Progress {
    /// The `attempt`-th attempt of a delivery nobody has redelivered and nothing of ours has hurt.
    pub const fn of_attempt(attempt: u32) -> Self {
        Self { attempt, budget_from: 0, forgiven: 0 }
    }

    /// Sets where the present budget began.
    #[must_use]
    pub const fn with_budget_from(mut self, attempts: u32) -> Self {
        self.budget_from = attempts;
        self
    }

    /// Sets how many attempts of it do not count.
    #[must_use]
    pub const fn with_forgiven(mut self, forgiven: u32) -> Self {
        self.forgiven = forgiven;
        self
    }

    /// Which counted try this attempt is, from 1.
    pub const fn tries(self) -> u32 {
        self.attempt.saturating_sub(self.budget_from).saturating_sub(self.forgiven)
    }

    /// Whether the policy allows this attempt at all. It may not: attempts are counted when they are
    /// claimed, so the last one can be lost with its worker.
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
