//! What operators may see and do, whoever's it is.

mod manage_endpoints;
mod rotation;
mod test;

use std::{sync::Arc, time::Duration};

use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, EndpointId, EndpointStats, Event, EventId,
    Replay, StoreError,
    explain::{Explanation, explain},
    store::{
        Backlog, Cancelled, Cursor, DeliveryLog as _, DeliveryOperations as _, DeliveryQuery,
        Maintenance as _, Page, Prune, Pruned, Redeliver, Redelivered, ReplayState, Skipped,
        StoreStatus,
    },
};

use crate::{engine::Engine, error::EndpointError, replay::Replaying};

pub use rotation::Rotation;

/// Reads and acts by bare identifiers, across tenants. For operators, never for customers.
#[derive(Clone, Copy, Debug)]
pub struct Operator<'a> {
    engine: &'a Engine,
}

impl<'a> Operator<'a> {
    pub(crate) const fn new(engine: &'a Engine) -> Self {
        Self { engine }
    }

    /// One event.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        self.engine.store.event(id).await
    }

    /// One delivery.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        self.engine.store.delivery(id).await
    }

    /// Deliveries, newest first, a page at a time.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.engine.store.deliveries(query).await
    }

    /// The attempts on record of a delivery, the first one first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn attempts(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        self.engine.store.attempts(id).await
    }

    /// How an endpoint does: its newest deliveries of those that came about within `window` before
    /// now, up to [`MAX_DELIVERIES`](EndpointStats::MAX_DELIVERIES), and their attempts.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`], or the store's.
    pub async fn endpoint_stats(
        &self,
        id: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, EndpointError> {
        self.endpoint(id).await?;
        Ok(self.engine.store.endpoint_stats(id, window).await?)
    }

    /// Why a delivery is where it is, for people: why the endpoint gets the event, what each
    /// attempt meant, what happens next, and what stands in the way. How long ago is by this
    /// process's clock.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn explain(&self, id: DeliveryId) -> Result<Option<Explanation>, StoreError> {
        let store = &self.engine.store;
        let Some(delivery) = store.delivery(id).await? else { return Ok(None) };
        let attempts = store.attempts(id).await?;
        let endpoint = store.endpoint(id.endpoint).await?;
        let first = store.first_in_line(id).await?;
        let now = self.engine.clock.now();
        Ok(Some(explain(&delivery, &attempts, endpoint.as_ref(), first.as_ref(), now)))
    }

    /// Makes final deliveries due again, with a fresh budget of attempts; their numbers go on.
    /// Answers each, in their order. What is pending already is left as it is, so it is safe to
    /// repeat.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn redeliver(&self, ids: &[DeliveryId]) -> Result<Vec<Redelivered>, StoreError> {
        let batch = ids.iter().copied().map(Redeliver::new).collect();
        let answers = self.engine.store.redeliver(batch).await;
        self.engine.wake.wake();
        answers
    }

    /// The same for one page of what `query` finds, of its status; of those that failed, when it
    /// names none. Call it again with [`after`](DeliveryQuery::after) the page's
    /// [`next`](RedeliveredPage::next) to go on, or from the start: those that are due already are
    /// not found again.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn redeliver_page(
        &self,
        mut query: DeliveryQuery,
    ) -> Result<RedeliveredPage, StoreError> {
        let status = *query.status.get_or_insert(DeliveryStatus::Failed);
        let page = self.engine.store.deliveries(query).await?;
        let ids: Vec<_> = page.items.iter().map(|delivery| delivery.id).collect();
        let batch = ids.iter().map(|id| Redeliver::new(*id).with_status(status)).collect();
        let answers = self.engine.store.redeliver(batch).await?;
        self.engine.wake.wake();
        Ok(RedeliveredPage { answers: ids.into_iter().zip(answers).collect(), next: page.next })
    }

    /// Begins to send an endpoint's deliveries again: those that were given up, or missed while it
    /// was disabled. Nothing is sent before the first page of it is asked for. New attempts say
    /// that they are [a replay's](webhook_core::Trigger::Replay), and tell nothing of the
    /// endpoint's health.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`], or the store's.
    pub async fn replay(&self, replay: Replay) -> Result<Replaying<'a>, EndpointError> {
        Replaying::begin(self.engine, replay).await
    }

    /// Goes on with a replay from where it [stood](Replaying::state).
    pub const fn resume_replay(&self, state: ReplayState) -> Replaying<'a> {
        Replaying::resume(self.engine, state)
    }

    /// Cancels deliveries that are not final: no attempt of theirs begins that was not claimed
    /// before this. One in flight may still arrive. Answers each, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn cancel(&self, ids: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        let answers = self.engine.store.cancel(ids.to_vec()).await;
        // What has waited for one of them may be due.
        self.engine.wake.wake();
        answers
    }

    /// Lets the ordering keys go on that these failed deliveries block, without them: the next of
    /// each is due now. Those that block nothing are left as they are, so it is safe to repeat.
    /// Answers each, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn skip(&self, ids: &[DeliveryId]) -> Result<Vec<Skipped>, StoreError> {
        let answers = self.engine.store.skip(ids.to_vec()).await;
        self.engine.wake.wake();
        answers
    }

    /// Removes what was over for longer than [`Prune::older_than`], or counts it: final deliveries
    /// with their attempts, then events that have none left, then endpoints that were removed. Goes
    /// on from `prune.cursor` to the end, a few rows in each transaction, between which others
    /// work. It may be dropped at any time: what is removed stays removed, and the next one removes
    /// the rest.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails; what was removed before that stays removed.
    pub async fn prune(&self, mut prune: Prune) -> Result<Pruned, StoreError> {
        let mut all = Pruned::default();
        loop {
            let some = self.engine.store.prune(prune).await?;
            all = all.and(some);
            match some.next {
                Some(next) => prune = prune.after(next),
                None => return Ok(all),
            }
        }
    }

    /// How the store is doing, told by probes of indexes: cheap enough to ask every minute.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be asked.
    pub async fn status(&self) -> Result<StoreStatus, StoreError> {
        self.engine.store.status().await
    }

    /// What is left to do.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be asked.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.engine.store.backlog().await
    }
}

/// What became of a page of deliveries to try again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RedeliveredPage {
    /// Each delivery of the page.
    pub answers: Vec<(DeliveryId, Redelivered)>,
    /// Where the next page begins; absent when this was the last.
    pub next: Option<Cursor>,
}
