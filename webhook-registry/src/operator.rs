//! What operators may see and do, whoever's it is.

use std::sync::Arc;

use webhook_core::{
    Attempt, Backlog, Delivery, DeliveryId, DeliveryQuery, Endpoint, EndpointId, EndpointState,
    Event, EventId, Page, StoreError, TenantId, Updated,
};

use crate::{engine::Engine, error::EndpointError, new_endpoint::InvalidEndpoint};

/// Reads and acts by bare identifiers, across tenants. For operators, never for customers.
#[derive(Clone, Copy, Debug)]
pub struct Operator<'a> {
    engine: &'a Engine,
}

impl<'a> Operator<'a> {
    pub(crate) const fn new(engine: &'a Engine) -> Self {
        Self { engine }
    }

    /// The endpoints of one tenant, or of all, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn endpoints(
        &self,
        tenant: Option<&TenantId>,
    ) -> Result<Vec<Arc<Endpoint>>, StoreError> {
        let tenants = match tenant {
            Some(tenant) => vec![tenant.clone()],
            None => self.engine.store.tenants().await?,
        };
        let mut endpoints = Vec::new();
        for tenant in tenants {
            endpoints.extend_from_slice(self.engine.store.snapshot(&tenant).await?.endpoints());
        }
        Ok(endpoints)
    }

    /// One endpoint.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`], or the store's.
    pub async fn endpoint(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        let found = self.engine.store.endpoints(&[id]).await?.pop();
        found.ok_or(EndpointError::NotFound(id))
    }

    /// Changes an endpoint's settings; attempts that begin after this use them. `endpoint` carries
    /// the revision it was read at. A new URL is judged as when an endpoint is added.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Stale`] when it was changed meanwhile, [`EndpointError::NotFound`] when it
    /// is gone.
    pub async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Endpoint, EndpointError> {
        if self.endpoint(endpoint.id).await?.url != endpoint.url {
            let refused =
                |error| EndpointError::Invalid(InvalidEndpoint::Refused(crate::text_of(&error)));
            self.engine.transport.accepts(&endpoint.url).map_err(refused)?;
        }
        self.store(endpoint).await
    }

    async fn store(&self, endpoint: Endpoint) -> Result<Endpoint, EndpointError> {
        let id = endpoint.id;
        let updated = self.engine.store.update_endpoint(endpoint.clone()).await?;
        self.engine.registry.forget(&endpoint.tenant);
        self.engine.wake.wake();
        match updated {
            Updated::Done(revision) => Ok(endpoint.with_revision(revision)),
            Updated::Stale => Err(EndpointError::Stale(id)),
            Updated::NotFound => Err(EndpointError::NotFound(id)),
        }
    }

    /// Keeps an endpoint's deliveries waiting from now on.
    ///
    /// # Errors
    ///
    /// As [`update_endpoint`](Self::update_endpoint).
    pub async fn pause_endpoint(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        self.set_state(id, EndpointState::Paused).await
    }

    /// Lets a paused or disabled endpoint get its deliveries again, those that waited first.
    ///
    /// # Errors
    ///
    /// As [`update_endpoint`](Self::update_endpoint).
    pub async fn resume_endpoint(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        self.set_state(id, EndpointState::Active).await
    }

    async fn set_state(
        &self,
        id: EndpointId,
        state: EndpointState,
    ) -> Result<Endpoint, EndpointError> {
        let endpoint = self.endpoint(id).await?;
        if endpoint.state == state {
            return Ok(endpoint);
        }
        self.store(endpoint.with_state(state)).await
    }

    /// Removes an endpoint and cancels its unfinished deliveries; their records stay.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`], or the store's.
    pub async fn remove_endpoint(&self, id: EndpointId) -> Result<(), EndpointError> {
        let endpoint = self.endpoint(id).await?;
        let removed = self.engine.store.remove_endpoint(&endpoint.tenant, id).await?;
        self.engine.registry.forget(&endpoint.tenant);
        if removed { Ok(()) } else { Err(EndpointError::NotFound(id)) }
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

    /// What is left to do.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be asked.
    pub async fn backlog(&self) -> Result<Backlog, StoreError> {
        self.engine.store.backlog().await
    }
}
