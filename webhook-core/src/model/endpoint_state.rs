//! States of an endpoint, as its owner and its receiver set them.

use std::{fmt, str::FromStr};

use crate::model::text::serde_as_text;

/// State of an endpoint.
///
/// A removed endpoint has no state: its open deliveries are cancelled, and its record stays.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum EndpointState {
    /// Events are routed to the endpoint and delivered.
    Active,
    /// Events are routed to the endpoint. Their deliveries stay pending until it is resumed.
    Paused,
    /// New events are recorded as [missed](crate::DeliveryStatus::Missed). Pending deliveries stay
    /// pending until the endpoint is enabled; missed ones are sent by a replay.
    Disabled(DisabledReason),
}

impl EndpointState {
    /// Returns true if new events are routed to the endpoint.
    pub const fn is_routed(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }

    /// Returns true if workers may claim its deliveries.
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Active)
    }
}

/// Reason for which an endpoint is disabled.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum DisabledReason {
    /// Disabled by its owner or an operator.
    ByHand,
    /// The receiver responded with `410 Gone`.
    Gone,
    /// No attempt has succeeded for days.
    Failing,
}

impl fmt::Display for EndpointState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Disabled(DisabledReason::ByHand) => "disabled",
            Self::Disabled(DisabledReason::Gone) => "disabled-gone",
            Self::Disabled(DisabledReason::Failing) => "disabled-failing",
        })
    }
}

impl FromStr for EndpointState {
    type Err = InvalidEndpointState;

    fn from_str(text: &str) -> Result<Self, InvalidEndpointState> {
        Ok(match text {
            "active" => Self::Active,
            "paused" => Self::Paused,
            "disabled" => Self::Disabled(DisabledReason::ByHand),
            "disabled-gone" => Self::Disabled(DisabledReason::Gone),
            "disabled-failing" => Self::Disabled(DisabledReason::Failing),
            _ => return Err(InvalidEndpointState),
        })
    }
}

serde_as_text!(EndpointState);

/// Text that names no endpoint state.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "not a valid endpoint state; expected active, paused, disabled, disabled-gone or disabled-failing"
)]
pub struct InvalidEndpointState;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_stored_as_text_and_come_back() {
        for text in ["active", "paused", "disabled", "disabled-gone", "disabled-failing"] {
            assert_eq!(text.parse::<EndpointState>().unwrap().to_string(), text);
        }
        assert_eq!("asleep".parse::<EndpointState>(), Err(InvalidEndpointState));
    }
}
