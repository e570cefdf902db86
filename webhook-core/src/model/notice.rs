//! Notices: what somebody should know about an endpoint or a delivery.
//!
//! A notice is written in the transaction that records its cause, so that none is lost and none is
//! without cause. It is named by its cause as well: saying the same again is one notice.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::model::{
    delivery::Lease,
    endpoint_state::EndpointState,
    event::EventType,
    id::{DeliveryId, EndpointId, TenantId},
    time::Timestamp,
};

/// Something to know about an endpoint or a delivery.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Notice {
    /// Names it: what is read again has the same one.
    pub id: NoticeId,
    /// When it came about, by the store's clock.
    pub at: Timestamp,
    /// Whose endpoint.
    pub tenant: TenantId,
    /// Which one.
    pub endpoint: EndpointId,
    /// What there is to know.
    #[serde(flatten)]
    pub kind: NoticeKind,
}

impl Notice {
    /// A notice that the attempt under this lease has caused.
    pub fn new(lease: Lease, at: Timestamp, tenant: TenantId, kind: NoticeKind) -> Self {
        let id = NoticeId(format!("{}.{}.{}", lease.delivery, lease.epoch, kind.name()));
        Self { id, at, tenant, endpoint: lease.delivery.endpoint, kind }
    }

    /// A notice that was stored under this id.
    pub const fn stored(
        id: NoticeId,
        at: Timestamp,
        tenant: TenantId,
        endpoint: EndpointId,
        kind: NoticeKind,
    ) -> Self {
        Self { id, at, tenant, endpoint, kind }
    }
}

/// The name of a notice: `<delivery>.<lease epoch>.<what>`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct NoticeId(String);

impl NoticeId {
    /// Takes a name that a notice was told with.
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What there is to know.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum NoticeKind {
    /// An endpoint has failed several times in a row.
    EndpointFailing {
        /// How often.
        failures: u32,
        /// Since when.
        since: Timestamp,
        /// What went wrong last.
        last_error: String,
    },
    /// An endpoint is disabled: events are routed past it from now on.
    EndpointDisabled {
        /// Its state: `disabled-gone` after `410 Gone`, `disabled-failing` after days of failures.
        state: EndpointState,
        /// Failures in a row; none, when one answer was enough.
        failures: u32,
        /// Since when there was no success.
        since: Option<Timestamp>,
        /// What went wrong last.
        last_error: String,
    },
    /// An endpoint that failed accepts again.
    EndpointRecovered,
    /// A delivery is given up: its policy allows no further attempt, or its URL is refused.
    DeliveryExhausted {
        /// Which one.
        delivery: DeliveryId,
        /// The type of its event.
        event_type: EventType,
        /// How often it was tried.
        attempts: u32,
        /// What went wrong last.
        last_error: String,
    },
}

impl NoticeKind {
    pub(crate) fn failing(failures: u32, since: Timestamp, error: Option<&str>) -> Self {
        Self::EndpointFailing { failures, since, last_error: text(error) }
    }

    pub(crate) fn disabled_failing(failures: u32, since: Timestamp, error: Option<&str>) -> Self {
        let state = EndpointState::Disabled(crate::model::endpoint_state::DisabledReason::Failing);
        Self::EndpointDisabled { state, failures, since: Some(since), last_error: text(error) }
    }

    /// An endpoint was disabled by a single answer.
    pub fn disabled(state: EndpointState, error: Option<&str>) -> Self {
        Self::EndpointDisabled { state, failures: 0, since: None, last_error: text(error) }
    }

    /// Its name in records, and the last part of the type it has as an event.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::EndpointFailing { .. } => "endpoint_failing",
            Self::EndpointDisabled { .. } => "endpoint_disabled",
            Self::EndpointRecovered => "endpoint_recovered",
            Self::DeliveryExhausted { .. } => "delivery_exhausted",
        }
    }
}

fn text(error: Option<&str>) -> String {
    error.unwrap_or_default().to_owned()
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EndpointFailing { failures, last_error, .. } => {
                write!(f, "the endpoint has failed {failures} times in a row, last by {last_error}")
            }
            Self::EndpointDisabled { state, failures: 0, last_error, .. } => {
                write!(f, "the endpoint is disabled ({state}) after {last_error}")
            }
            Self::EndpointDisabled { state, failures, last_error, .. } => write!(
                f,
                "the endpoint is disabled ({state}) after {failures} failures without a success, last by {last_error}"
            ),
            Self::EndpointRecovered => f.write_str("the endpoint accepts again"),
            Self::DeliveryExhausted { delivery, event_type, attempts, last_error } => write!(
                f,
                "delivery {delivery} of {event_type} is given up after {attempts} attempts, last by {last_error}"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        endpoint_state::DisabledReason,
        id::{EventId, LeaseEpoch},
    };
    use uuid::Uuid;

    const FAILING_SINCE: Timestamp = Timestamp::from_unix_millis(0);

    fn delivery() -> DeliveryId {
        let event = EventId::from_uuid(Uuid::from_u128(1));
        DeliveryId::new(event, EndpointId::from_uuid(Uuid::from_u128(2)))
    }

    /// Each kind, its name, and what people read.
    fn table() -> [(NoticeKind, &'static str, String); 5] {
        let gone = EndpointState::Disabled(DisabledReason::Gone);
        let exhausted = NoticeKind::DeliveryExhausted {
            delivery: delivery(),
            event_type: "a.b".parse().unwrap(),
            attempts: 10,
            last_error: "status 500".to_owned(),
        };
        let error = Some("status 500");
        [
            (
                NoticeKind::failing(5, FAILING_SINCE, error),
                "endpoint_failing",
                "the endpoint has failed 5 times in a row, last by status 500".to_owned(),
            ),
            (
                NoticeKind::disabled(gone, Some("status 410")),
                "endpoint_disabled",
                "the endpoint is disabled (disabled-gone) after status 410".to_owned(),
            ),
            (
                NoticeKind::disabled_failing(20, FAILING_SINCE, error),
                "endpoint_disabled",
                "the endpoint is disabled (disabled-failing) after 20 failures without a success, last by \
                 status 500"
                    .to_owned(),
            ),
            (
                NoticeKind::EndpointRecovered,
                "endpoint_recovered",
                "the endpoint accepts again".to_owned(),
            ),
            (
                exhausted,
                "delivery_exhausted",
                format!(
                    "delivery {} of a.b is given up after 10 attempts, last by status 500",
                    delivery()
                ),
            ),
        ]
    }

    #[test]
    fn each_kind_has_a_name_and_a_text() {
        for (kind, name, text) in table() {
            assert_eq!(kind.name(), name);
            assert_eq!(kind.to_string(), text);
        }
        let unsaid = NoticeKind::failing(5, FAILING_SINCE, None).to_string();
        assert!(unsaid.ends_with("last by "), "{unsaid}");
    }

    #[test]
    fn a_kind_comes_back_from_json_and_is_told_by_its_name() {
        for (kind, name, _) in table() {
            let json = serde_json::to_value(&kind).unwrap();
            assert_eq!(json["kind"], name);
            assert_eq!(serde_json::from_value::<NoticeKind>(json).unwrap(), kind);
        }
    }

    #[test]
    fn a_notice_is_named_by_its_cause() {
        let lease = Lease { delivery: delivery(), epoch: LeaseEpoch::from_u64(3) };
        let tenant: TenantId = "acme".parse().unwrap();
        let kind = NoticeKind::EndpointRecovered;
        let notice = Notice::new(lease, FAILING_SINCE, tenant.clone(), kind.clone());
        let name = format!("{}.3.endpoint_recovered", delivery());
        assert_eq!((notice.id.as_str(), notice.id.to_string()), (name.as_str(), name.clone()));
        let stored =
            Notice::stored(NoticeId::new(name), FAILING_SINCE, tenant, delivery().endpoint, kind);
        assert_eq!(notice, stored, "what is read again is the same");
        let json = serde_json::to_value(&notice).unwrap();
        assert_eq!(json["id"], notice.id.as_str());
        assert_eq!(json["kind"], "endpoint_recovered", "the kind stands beside the rest");
    }
}
