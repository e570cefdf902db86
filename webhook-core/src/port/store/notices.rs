//! Optional trait of a store: notices that wait to be acknowledged.

use std::fmt;

use async_trait::async_trait;

use crate::{
    model::notice::{Notice, NoticeId},
    port::store::error::StoreError,
};

/// Notices that wait to be acknowledged.
#[async_trait]
pub trait NoticeQueue: fmt::Debug + Send + Sync + 'static {
    /// Returns up to `limit` unacknowledged notices, oldest first. A notice keeps its id and is
    /// returned until it is acknowledged.
    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError>;

    /// Marks notices as acknowledged; [`notices`](Self::notices) no longer returns them. Unknown
    /// ids are ignored.
    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError>;
}
