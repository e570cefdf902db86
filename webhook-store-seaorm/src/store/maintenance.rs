//! The store's port for operators: redeliver, cancel, skip, replay, prune, notices.

use async_trait::async_trait;
use webhook_core::{
    Cancelled, DeliveryId, Maintenance, Notice, NoticeId, Prune, Pruned, Redeliver, Redelivered,
    ReplayPage, Replayed, Skipped, StoreError, StoreStatus,
};

use super::SeaOrmStore;
use crate::work::{
    cancel::{CancelBatch, SkipBatch},
    notices::{Acknowledge, ReadNotices},
    prune::PruneBatch,
    redeliver::RedeliverBatch,
    replay::ReplayBatch,
    store_status::ReadStoreStatus,
};

#[async_trait]
impl Maintenance for SeaOrmStore {
    async fn redeliver(&self, batch: Vec<Redeliver>) -> Result<Vec<Redelivered>, StoreError> {
        self.perform(RedeliverBatch(batch)).await
    }

    async fn replay(&self, page: ReplayPage) -> Result<Replayed, StoreError> {
        if page.dry_run {
            return self.perform(ReplayBatch::<false>(page)).await;
        }
        self.perform(ReplayBatch::<true>(page)).await
    }

    async fn cancel(&self, batch: Vec<DeliveryId>) -> Result<Vec<Cancelled>, StoreError> {
        self.perform(CancelBatch(batch)).await
    }

    async fn skip(&self, batch: Vec<DeliveryId>) -> Result<Vec<Skipped>, StoreError> {
        self.perform(SkipBatch(batch)).await
    }

    async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.perform(ReadStoreStatus).await
    }

    async fn prune(&self, prune: Prune) -> Result<Pruned, StoreError> {
        if prune.dry_run {
            return self.perform(PruneBatch::<false>(prune)).await;
        }
        self.perform(PruneBatch::<true>(prune)).await
    }

    async fn notices(&self, limit: usize) -> Result<Vec<Notice>, StoreError> {
        self.perform(ReadNotices(limit)).await
    }

    async fn acknowledge(&self, ids: Vec<NoticeId>) -> Result<(), StoreError> {
        self.perform(Acknowledge(ids)).await
    }
}
