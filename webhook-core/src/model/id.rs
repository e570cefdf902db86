//! Identifiers: who, what, and which version of it.
//!
//! Identifiers are opaque UUIDs. New ones come from the [`Ids`](crate::Ids) port, so that a test
//! can count them and a simulation can replay them; nothing here rolls dice.

use std::{
    fmt,
    str::FromStr,
    sync::{Arc, LazyLock},
};

use uuid::{Uuid, fmt::Simple};

use crate::model::text::{is_token, serde_as_text};

/// The text is no identifier.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid {what} id; expected {expected}")]
pub struct InvalidId {
    what: &'static str,
    expected: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes any UUID as identifier.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID behind it.
            pub const fn as_uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.simple().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = InvalidId { what: $what, expected: "a UUID such as 0192f0c1b6a97c3e8d0f5a4b3c2d1e0f" };
                Uuid::try_parse(text).map(Self).map_err(|_| invalid)
            }
        }

        serde_as_text!($name);
    };
}

uuid_id!(
    /// Identifies an event. It is the `webhook-id` header of every attempt of every delivery of the
    /// event, and with that the receiver's idempotency key.
    ///
    /// Shown as 32 hexadecimal digits without hyphens; parsed from any form of a UUID.
    EventId,
    "event"
);

impl EventId {
    /// The text that is shown, without an allocation: it is needed for every attempt.
    pub(crate) fn encode(self, room: &mut [u8; Simple::LENGTH]) -> &str {
        self.0.simple().encode_lower(room)
    }
}

uuid_id!(
    /// Identifies an endpoint.
    EndpointId,
    "endpoint"
);

/// Identifies a delivery: the obligation to bring one event to one endpoint.
///
/// The pair *is* the identifier, so that fanning out the same event twice cannot create a second
/// obligation. As text it is one token, `<event>.<endpoint>`.
///
/// ```
/// use webhook_core::DeliveryId;
///
/// let id: DeliveryId = "0192f0c1b6a97c3e8d0f5a4b3c2d1e0f.0192f0c1b6a97c3e8d0f5a4b3c2d1e10".parse()?;
/// assert_eq!(id.event.to_string(), "0192f0c1b6a97c3e8d0f5a4b3c2d1e0f");
/// # Ok::<(), webhook_core::error::InvalidId>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct DeliveryId {
    /// The event to deliver.
    pub event: EventId,
    /// The endpoint it is owed to.
    pub endpoint: EndpointId,
}

impl DeliveryId {
    /// The delivery of `event` to `endpoint`.
    pub const fn new(event: EventId, endpoint: EndpointId) -> Self {
        Self { event, endpoint }
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.event, self.endpoint)
    }
}

impl FromStr for DeliveryId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { what: "delivery", expected: "<event id>.<endpoint id>" };
        let (event, endpoint) = text.split_once('.').ok_or(invalid)?;
        let event = event.parse().map_err(|_| invalid)?;
        let endpoint = endpoint.parse().map_err(|_| invalid)?;
        Ok(Self { event, endpoint })
    }
}

serde_as_text!(DeliveryId);

/// Whose event and whose endpoint: an event reaches only endpoints of its own tenant.
///
/// 1 to [`MAX_LEN`](Self::MAX_LEN) bytes of `A-Z`, `a-z`, `0-9`, `.`, `_` and `-`. Those who need no
/// tenants use the default one, called `default`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TenantId(Arc<str>);

impl TenantId {
    /// The longest tenant, in bytes; every store has room for it.
    pub const MAX_LEN: usize = 128;

    /// The tenant as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    fn default() -> Self {
        static DEFAULT_TENANT: LazyLock<Arc<str>> = LazyLock::new(|| "default".into());
        Self(Arc::clone(&DEFAULT_TENANT))
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TenantId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid =
            InvalidId { what: "tenant", expected: "1 to 128 characters of A-Z a-z 0-9 . _ -" };
        if is_token(text, Self::MAX_LEN) { Ok(Self(text.into())) } else { Err(invalid) }
    }
}

serde_as_text!(TenantId);

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            /// Wraps a stored number.
            pub const fn from_u64(number: u64) -> Self {
                Self(number)
            }

            /// The number to store.
            pub const fn as_u64(self) -> u64 {
                self.0
            }

            /// The one after it.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

counter!(
    /// The fencing number of a lease: each claim of a delivery raises it, and every later write
    /// names it, so that a worker that slept through its lease changes nothing.
    LeaseEpoch
);

counter!(
    /// Counts the edits of one endpoint.
    Revision
);

counter!(
    /// Counts the edits of all endpoints of one tenant; routing by an old one is refused.
    TenantVersion
);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_delivery_id_is_one_token_that_parses_back() {
        let id = DeliveryId::new(
            EventId::from_uuid(Uuid::from_u128(7)),
            EndpointId::from_uuid(Uuid::from_u128(9)),
        );
        let text = id.to_string();
        assert_eq!(text, "00000000000000000000000000000007.00000000000000000000000000000009");
        assert_eq!(text.parse(), Ok(id));
    }

    #[test]
    fn an_event_id_is_encoded_as_it_is_shown() {
        let id = EventId::from_uuid(Uuid::from_u128(0xab << 64 | 7));
        assert_eq!(id.encode(&mut [0; 32]), id.to_string());
    }

    #[test]
    fn what_is_no_id_says_what_was_expected() {
        for text in ["", ".", "7", "x.y", "00000000000000000000000000000007"] {
            let error = text.parse::<DeliveryId>().unwrap_err();
            assert_eq!(
                error.to_string(),
                "not a valid delivery id; expected <event id>.<endpoint id>"
            );
        }
    }

    #[test]
    fn a_tenant_is_a_short_safe_token() {
        for good in ["default", "acme", "a.b-c_D9", &"x".repeat(128)] {
            assert!(good.parse::<TenantId>().is_ok(), "{good}");
        }
        for bad in ["", " ", "a b", "a\r\nb", "ä", &"x".repeat(129)] {
            assert!(bad.parse::<TenantId>().is_err(), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_id_that_prints_and_parses_to_itself_or_refused(
            text in prop_oneof![".*", "[0-9a-f]{32}", "[0-9a-fA-F{}-]{32,38}", "[0-9a-f]{32}[.][0-9a-f]{32}[.]?"],
        ) {
            if let Ok(id) = text.parse::<EventId>() {
                let printed = id.to_string();
                prop_assert!(printed.len() == 32 && printed.bytes().all(|byte| byte.is_ascii_hexdigit()));
                prop_assert_eq!(printed.parse(), Ok(id));
            }
            if let Ok(id) = text.parse::<DeliveryId>() {
                prop_assert_eq!(id.to_string().parse(), Ok(id));
            }
            if let Ok(tenant) = text.parse::<TenantId>() {
                prop_assert_eq!(tenant.as_str(), &text);
                prop_assert!(is_token(&text, TenantId::MAX_LEN));
            }
        }
    }
}
