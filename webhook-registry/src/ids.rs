use uuid::Uuid;
use webhook_core::Ids;

/// New identifiers as UUIDv7 (RFC 9562): they rise with time, so that indexes stay compact.
#[derive(Clone, Copy, Debug, Default)]
pub struct UuidV7;

impl Ids for UuidV7 {
    fn next_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}
