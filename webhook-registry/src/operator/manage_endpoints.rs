use webhook_core::{
    DisabledReason, Endpoint, EndpointId, EndpointState, Include, Replay, StoreError, TenantId,
    store::{EndpointDirectory as _, Updated},
};

use super::Operator;
use crate::{error::EndpointError, replay::Replaying, webhooks::accepts};

/// Number of tenants or endpoints that are read by one call.
const PAGE: usize = 500;

/// Endpoints.
impl<'a> Operator<'a> {
    /// The endpoints of one tenant, or of all, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn endpoints(&self, tenant: Option<&TenantId>) -> Result<Vec<Endpoint>, StoreError> {
        if let Some(tenant) = tenant {
            return self.endpoints_of(tenant).await;
        }
        let (mut endpoints, mut last) = (Vec::new(), None);
        loop {
            let tenants = self.engine.store.tenants(last.as_ref(), PAGE).await?;
            for tenant in &tenants {
                endpoints.extend(self.endpoints_of(tenant).await?);
            }
            last = tenants.last().cloned();
            if tenants.len() < PAGE {
                return Ok(endpoints);
            }
        }
    }

    async fn endpoints_of(&self, tenant: &TenantId) -> Result<Vec<Endpoint>, StoreError> {
        let mut endpoints: Vec<Endpoint> = Vec::new();
        loop {
            let last = endpoints.last().map(|endpoint| endpoint.id);
            let page = self.engine.store.tenant_endpoints(tenant, last, PAGE).await?;
            let count = page.len();
            endpoints.extend(page);
            if count < PAGE {
                endpoints.sort_by_key(|endpoint| (endpoint.created_at, endpoint.id));
                return Ok(endpoints);
            }
        }
    }

    /// One endpoint.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`], or the store's.
    pub async fn endpoint(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        let found = self.engine.store.endpoint(id).await?;
        found.ok_or(EndpointError::NotFound(id))
    }

    /// Changes an endpoint's settings; attempts that begin after this use them. `endpoint` carries
    /// the revision it was read at. A new URL, and what secures its
    /// connections, is judged as when an endpoint is added.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Stale`] when it was changed meanwhile, [`EndpointError::NotFound`] when it
    /// is gone. [`Unsupported`](webhook_core::StoreErrorKind::Unsupported) names a capability that
    /// the settings need and the store lacks.
    pub async fn update_endpoint(&self, endpoint: Endpoint) -> Result<Endpoint, EndpointError> {
        if let Err(refused) = accepts(self.engine, &endpoint) {
            // An address that is refused by now, and stays the same, keeps nothing else from being
            // edited.
            let stored = self.endpoint(endpoint.id).await?;
            if stored.url != endpoint.url || endpoint.tls.is_some() {
                return Err(refused.into());
            }
        }
        self.store(endpoint).await
    }

    pub(super) async fn store(&self, endpoint: Endpoint) -> Result<Endpoint, EndpointError> {
        let id = endpoint.id;
        self.engine.store.require_for(&endpoint)?;
        let updated = self.engine.store.update_endpoint(endpoint.clone()).await?;
        self.engine.publisher.forget(&endpoint.tenant);
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

    /// Routes nothing more to an endpoint from now on: what it wants is put on record as missed.
    /// The deliveries it has are kept waiting. One that is disabled stays as it is, with its
    /// reason.
    ///
    /// # Errors
    ///
    /// As [`update_endpoint`](Self::update_endpoint).
    pub async fn disable_endpoint(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        let endpoint = self.endpoint(id).await?;
        let disabled = EndpointState::Disabled(DisabledReason::ByHand);
        if endpoint.state.is_routed() {
            self.store(endpoint.with_state(disabled)).await
        } else {
            Ok(endpoint)
        }
    }

    /// Lets a disabled endpoint get events and deliveries again, those that waited first. One that
    /// is not disabled stays as it is.
    ///
    /// # Errors
    ///
    /// As [`update_endpoint`](Self::update_endpoint).
    pub async fn enable_endpoint(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        let endpoint = self.endpoint(id).await?;
        let active = EndpointState::Active;
        if endpoint.state.is_routed() {
            Ok(endpoint)
        } else {
            self.store(endpoint.with_state(active)).await
        }
    }

    /// The same, and begins to send it what it has missed and nobody has sent since: run what is
    /// answered.
    ///
    /// # Errors
    ///
    /// As [`update_endpoint`](Self::update_endpoint).
    pub async fn enable_and_resend(&self, id: EndpointId) -> Result<Replaying<'a>, EndpointError> {
        self.enable_endpoint(id).await?;
        self.replay(Replay::new(id, Include::Missed)).await
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
        self.engine.publisher.forget(&endpoint.tenant);
        if removed { Ok(()) } else { Err(EndpointError::NotFound(id)) }
    }
}
