//! F: Bodies, connections and time.

use crate::{case::Seen, fixture::guarded, ids::Id, naive_sender::unguarded};

pub(crate) async fn play(_id: Id, input: &str) -> Seen {
    Seen::new(guarded(input).await, unguarded(input).await)
}
