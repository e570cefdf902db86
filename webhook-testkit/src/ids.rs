//! Identifiers that a test can foresee.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use uuid::Uuid;
use webhook_core::{EndpointId, EventId, Ids};

use crate::ManualClock;

/// Rising identifiers in the shape of UUIDv7 (RFC 9562, section 5.7), the same in every run.
/// Clones go on with the same sequence.
///
/// ```
/// use webhook_core::Ids;
/// use webhook_testkit::SequenceIds;
///
/// let ids = SequenceIds::new();
/// assert_eq!(ids.next_id().to_string(), "019b76da-a800-7000-8000-000000000001");
/// assert_eq!(ids.next_id().to_string(), "019b76da-a800-7000-8000-000000000002");
/// ```
#[derive(Clone, Debug, Default)]
pub struct SequenceIds(Arc<AtomicU64>);

impl SequenceIds {
    /// A sequence that begins at 1.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next identifier, of an event.
    pub fn event(&self) -> EventId {
        EventId::from_uuid(self.next_id())
    }

    /// The next identifier, of an endpoint.
    pub fn endpoint(&self) -> EndpointId {
        EndpointId::from_uuid(self.next_id())
    }
}

impl Ids for SequenceIds {
    fn next_id(&self) -> Uuid {
        let number = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        let time = u64::try_from(ManualClock::START.as_unix_millis()).unwrap_or_default();
        // Version 7 and the variant of RFC 9562, with the number where the randomness would be.
        Uuid::from_u64_pair(time << 16 | 0x7000, 0x8000_0000_0000_0000 | number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_and_look_like_version_7() {
        let ids = SequenceIds::new();
        let (first, second) = (ids.next_id(), ids.clone().next_id());
        assert!(first < second);
        assert_eq!(first.get_version_num(), 7);
        assert_eq!(first.get_variant(), uuid::Variant::RFC4122);
    }
}
