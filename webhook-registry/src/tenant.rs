//! A customer's door: what one tenant may see and do, and nothing of anybody else's.
//!
//! Whatever another tenant has is answered as if it did not exist. What belongs to whom never
//! changes, so it is looked up first and acted on then.

mod tenant_endpoints;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use webhook_core::{
    Attempt, Delivery, DeliveryId, EndpointId, EndpointStats, Event, EventId, NewEvent, Replay,
    StoreError, TenantId,
    explain::{TenantExplanation, explain_to_tenant},
    store::{Cancelled, DeliveryLog as _, DeliveryQuery, Page, Redelivered, ReplayState, Skipped},
};

pub use tenant_endpoints::TenantEndpoints;

use crate::{
    engine::Engine,
    error::{EndpointError, PublishError},
    operator::Operator,
    publish::{Published, publish},
    replay::Replaying,
};

/// What one customer may see and do. Take the tenant from who has signed in, never from what they
/// ask for.
///
/// ```
/// use webhook_registry::{DeliveryStatus, StoreError, TenantId, Webhooks, store::DeliveryQuery};
///
/// /// What a customer's page shows.
/// async fn what_failed(webhooks: &Webhooks, signed_in: &TenantId) -> Result<usize, StoreError> {
///     let failed = DeliveryQuery::new().status(DeliveryStatus::Failed);
///     Ok(webhooks.tenant(signed_in).deliveries(failed).await?.items.len())
/// }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Tenant<'a> {
    engine: &'a Engine,
    id: &'a TenantId,
}

impl<'a> Tenant<'a> {
    pub(crate) const fn new(engine: &'a Engine, id: &'a TenantId) -> Self {
        Self { engine, id }
    }

    /// Its endpoints.
    pub const fn endpoints(&self) -> TenantEndpoints<'a> {
        TenantEndpoints::new(self.engine, self.id)
    }

    /// Publishes an event of this tenant, whatever tenant it names.
    ///
    /// # Errors
    ///
    /// As [`Webhooks::publish`](crate::Webhooks::publish).
    pub async fn publish(&self, event: NewEvent) -> Result<Published, PublishError> {
        publish(self.engine, event.tenant(self.id.clone())).await
    }

    /// One of its events.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn event(&self, id: EventId) -> Result<Option<Arc<Event>>, StoreError> {
        let event = self.engine.store.event(id).await?;
        Ok(event.filter(|event| event.tenant == *self.id))
    }

    /// Its deliveries, newest first, a page at a time, whatever tenant `query` names.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn deliveries(&self, query: DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        let page = self.engine.store.deliveries(query.tenant(self.id.clone())).await?;
        Ok(page.map(without_worker))
    }

    /// One of its deliveries.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let delivery = self.engine.store.delivery(id).await?;
        Ok(delivery.filter(|delivery| delivery.tenant == *self.id).map(without_worker))
    }

    /// The attempts on record of one of its deliveries, the first one first. The text of a failure
    /// may name internal addresses: show a customer an [`AttemptView`](webhook_core::view::AttemptView).
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn attempts(&self, id: DeliveryId) -> Result<Option<Vec<Attempt>>, StoreError> {
        match self.delivery(id).await? {
            Some(_) => self.operator().attempts(id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Why one of its deliveries is where it is, for its own eyes: what the receiver said, what
    /// that means and what comes next, and nothing of what is inside.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn explain(&self, id: DeliveryId) -> Result<Option<TenantExplanation>, StoreError> {
        let Some(delivery) = self.delivery(id).await? else { return Ok(None) };
        let attempts = self.operator().attempts(id).await?;
        let endpoint = self.engine.store.endpoint(id.endpoint).await?;
        let first = self.engine.store.first_in_line(id).await?;
        let (endpoint, first, now) = (endpoint.as_ref(), first.as_ref(), self.engine.clock.now());
        Ok(Some(explain_to_tenant(&delivery, &attempts, endpoint, first, now)))
    }

    /// How one of its endpoints does, as
    /// [`Operator::endpoint_stats`](crate::Operator::endpoint_stats) tells it.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`], or the store's.
    pub async fn stats(
        &self,
        endpoint: EndpointId,
        window: Duration,
    ) -> Result<EndpointStats, EndpointError> {
        self.endpoints().get(endpoint).await?;
        self.operator().endpoint_stats(endpoint, window).await
    }

    /// Makes final deliveries due again, as
    /// [`Operator::redeliver`](crate::Operator::redeliver) does. Answers each, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn redeliver(&self, ids: &[DeliveryId]) -> Result<Vec<Redelivered>, StoreError> {
        let own = self.own(ids).await?;
        let answers = self.operator().redeliver(&own).await?;
        Ok(in_order(ids, &own, &answers, &Redelivered::NotFound))
    }

    /// Begins to send deliveries of one of its endpoints again, as
    /// [`Operator::replay`](crate::Operator::replay) does.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`], or the store's.
    pub async fn replay(&self, replay: Replay) -> Result<Replaying<'a>, EndpointError> {
        self.endpoints().get(replay.endpoint).await?;
        self.operator().replay(replay).await
    }

    /// Goes on with a replay from where it [stood](Replaying::state).
    ///
    /// # Errors
    ///
    /// As [`replay`](Self::replay).
    pub async fn resume_replay(&self, state: ReplayState) -> Result<Replaying<'a>, EndpointError> {
        self.endpoints().get(state.replay.endpoint).await?;
        Ok(self.operator().resume_replay(state))
    }

    /// Cancels deliveries that are not final, as [`Operator::cancel`](crate::Operator::cancel)
    /// does. Answers each, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn cancel(&self, ids: &[DeliveryId]) -> Result<Vec<Cancelled>, StoreError> {
        let own = self.own(ids).await?;
        let answers = self.operator().cancel(&own).await?;
        Ok(in_order(ids, &own, &answers, &Cancelled::NotFound))
    }

    /// Lets ordering keys go on that its failed deliveries block, as
    /// [`Operator::skip`](crate::Operator::skip) does. Answers each, in their order.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store fails.
    pub async fn skip(&self, ids: &[DeliveryId]) -> Result<Vec<Skipped>, StoreError> {
        let own = self.own(ids).await?;
        let answers = self.operator().skip(&own).await?;
        Ok(in_order(ids, &own, &answers, &Skipped::NotFound))
    }

    /// Those of these deliveries that are its own, each once, sorted.
    async fn own(&self, ids: &[DeliveryId]) -> Result<Vec<DeliveryId>, StoreError> {
        let ids: BTreeSet<_> = ids.iter().copied().collect();
        let mut own = Vec::with_capacity(ids.len());
        for id in ids {
            own.extend(self.delivery(id).await?.map(|delivery| delivery.id));
        }
        Ok(own)
    }

    const fn operator(&self) -> Operator<'a> {
        Operator::new(self.engine)
    }
}

/// Which of our processes has it is none of a customer's business.
fn without_worker(mut delivery: Delivery) -> Delivery {
    (delivery.claimed_by, delivery.leased_until) = (None, None);
    delivery
}

/// An answer for each of `ids`: that of `own`, which are sorted, or `not_found`.
fn in_order<T: Clone>(
    ids: &[DeliveryId],
    own: &[DeliveryId],
    answers: &[T],
    not_found: &T,
) -> Vec<T> {
    let answer = |id| own.binary_search(id).ok().and_then(|at| answers.get(at));
    ids.iter().map(|id| answer(id).unwrap_or(not_found).clone()).collect()
}
