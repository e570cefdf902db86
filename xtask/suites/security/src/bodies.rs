//! F: Bodies, connections and time.

use crate::{careless::unguarded, case::Seen, ids::Id, stage::guarded};

pub(crate) async fn play(_id: Id, input: &str) -> Seen {
    Seen::new(guarded(input).await, unguarded(input).await)
}
