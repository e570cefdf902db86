//! Order per key, for endpoints that ask for it.
//!
//! An event may carry an [`OrderingKey`], an endpoint may have an [`OrderPolicy`]. The deliveries of one
//! key to such an endpoint stand in a line, in the order in which they were committed. Only the first of
//! a line is ever due; the others are pending and wait for it, its retries included. That is what order
//! costs: one key is delivered at the pace of its receiver's answers, one after the other.
//!
//! Whoever ends a delivery lets the next one of its line go, in the same transaction, if
//! [`OrderPolicy::leaves_line`] says so. Everything else is in no line and has no part in this.

use std::{fmt, str::FromStr};

use crate::model::{delivery::DeliveryStatus, text::serde_as_text};

/// What happens to the later deliveries of an ordering key when one is given up.
///
/// ```
/// use webhook_core::{DeliveryStatus, OrderPolicy};
///
/// let policy: OrderPolicy = "block".parse()?;
/// assert!(policy.leaves_line(DeliveryStatus::Success));
/// assert!(!policy.leaves_line(DeliveryStatus::Failed));
/// # Ok::<(), webhook_core::error::InvalidOrderPolicy>(())
/// ```
///
/// Closed: a store that does not know a policy would break the order.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum OrderPolicy {
    /// They wait until somebody redelivers or skips it: the receiver sees no gap.
    Block,
    /// They go on without it.
    Skip,
}

impl OrderPolicy {
    /// Whether a delivery in this status leaves its line, so that the next one may go.
    pub const fn leaves_line(self, status: DeliveryStatus) -> bool {
        match status {
            DeliveryStatus::Pending | DeliveryStatus::InFlight => false,
            DeliveryStatus::Failed => matches!(self, Self::Skip),
            DeliveryStatus::Success | DeliveryStatus::Cancelled | DeliveryStatus::Missed => true,
        }
    }

    /// Its name in settings.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Skip => "skip",
        }
    }
}

impl fmt::Display for OrderPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for OrderPolicy {
    type Err = InvalidOrderPolicy;

    fn from_str(name: &str) -> Result<Self, InvalidOrderPolicy> {
        let all = [Self::Block, Self::Skip];
        all.into_iter().find(|policy| policy.as_str() == name).ok_or(InvalidOrderPolicy)
    }
}

serde_as_text!(OrderPolicy);

/// The text is no order policy.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid order policy; expected block or skip")]
pub struct InvalidOrderPolicy;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_the_line() {
        use DeliveryStatus::{Cancelled, Failed, InFlight, Missed, Pending, Success};
        let table = [
            (Pending, false, false),
            (InFlight, false, false),
            (Success, true, true),
            (Failed, false, true),
            (Cancelled, true, true),
            (Missed, true, true),
        ];
        assert_eq!(table.map(|(status, ..)| status), DeliveryStatus::ALL);
        for (status, block, skip) in table {
            assert_eq!(OrderPolicy::Block.leaves_line(status), block, "block, {status}");
            assert_eq!(OrderPolicy::Skip.leaves_line(status), skip, "skip, {status}");
        }
    }

    #[test]
    fn policies_have_stable_names() {
        for text in ["block", "skip"] {
            assert_eq!(text.parse::<OrderPolicy>().unwrap().to_string(), text);
        }
        assert_eq!("stop".parse::<OrderPolicy>(), Err(InvalidOrderPolicy));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_order_policy_as_it_stands_or_refused(text in "[a-z]{0,6}|[ -~\u{0}-\u{ff}]{0,9}") {
            if let Ok(policy) = text.parse::<OrderPolicy>() {
                proptest::prop_assert_eq!(policy.as_str(), &text);
            }
        }
    }
}
