//! The store's port for operators: redeliver, cancel, skip, replay, prune, notices.

use async_trait::async_trait;
use webhook_core::{
    Cancelled, DeliveryId, Notice, NoticeId, Prune, Pruned, Redeliver, Redelivered, ReplayPage,
    Replayed, Skipped, StoreError, StoreStatus, Upkeep,
};

use super::SeaOrmStore;
use crate::work::{
    cancel::{CancelSome, SkipSome},
    notices::{Acknowledge, ReadNotices},
    prune::PruneSome,
    redeliver::RedeliverSome,
    replay::ReplaySome,
    status::ReadStatus,
};

#[async_trait]
impl Upkeep for SeaOrmStore {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        self.perform(RedeliverSome(batch)).await
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        if page.dry_run {
            return self.perform(ReplaySome::<false>(page)).await;
        }
        self.perform(ReplaySome::<true>(page)).await
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        self.perform(CancelSome(batch)).await
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        self.perform(SkipSome(batch)).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.perform(ReadStatus).await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        if prune.dry_run {
            return self.perform(PruneSome::<false>(prune)).await;
        }
        self.perform(PruneSome::<true>(prune)).await
    }

    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        self.perform(ReadNotices(limit)).await
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.perform(Acknowledge(ids)).await
    }
}
