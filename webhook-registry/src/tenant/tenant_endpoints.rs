use webhook_core::{DeliveryId, Endpoint, EndpointId, StoreError, TenantId};

use crate::{
    engine::Engine,
    error::{EndpointError, TestError},
    new_endpoint::{InvalidEndpoint, NewEndpoint},
    operator::{Operator, Rotation},
    replay::Replaying,
    webhooks::{Registered, register},
};

/// The endpoints of one customer. Another's are [`NotFound`](EndpointError::NotFound).
#[derive(Clone, Copy, Debug)]
pub struct TenantEndpoints<'a> {
    engine: &'a Engine,
    tenant: &'a TenantId,
}

impl<'a> TenantEndpoints<'a> {
    pub(super) const fn new(engine: &'a Engine, tenant: &'a TenantId) -> Self {
        Self { engine, tenant }
    }

    /// Registers an endpoint of this tenant, whatever tenant `new` names. Answers it and its
    /// secret, which is to be shown once.
    ///
    /// # Errors
    ///
    /// As [`Webhooks::add_endpoint`](crate::Webhooks::add_endpoint), but that a URL which is
    /// refused is [`NotAllowed`](InvalidEndpoint::NotAllowed) whatever the rule; the log has the
    /// rule.
    pub async fn create(&self, new: NewEndpoint) -> Result<Registered, EndpointError> {
        let registered = register(self.engine, new.tenant(self.tenant.clone())).await;
        registered.map_err(|error| self.without_rule(error))
    }

    /// One of them.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`], or the store's.
    pub async fn get(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        let endpoint = self.operator().endpoint(id).await?;
        if endpoint.tenant == *self.tenant {
            Ok(endpoint)
        } else {
            Err(EndpointError::NotFound(id))
        }
    }

    /// All of them, oldest first.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be read.
    pub async fn list(&self) -> Result<Vec<Endpoint>, StoreError> {
        self.operator().endpoints(Some(self.tenant)).await
    }

    /// Changes one, as [`Operator::update_endpoint`](crate::Operator::update_endpoint) does:
    /// `endpoint` carries the revision it was read at.
    ///
    /// # Errors
    ///
    /// [`EndpointError::Stale`] when it was changed meanwhile, [`EndpointError::NotFound`]; a URL
    /// that is refused as in [`create`](Self::create).
    pub async fn update(&self, endpoint: Endpoint) -> Result<Endpoint, EndpointError> {
        let endpoint = endpoint.with_tenant(self.tenant.clone());
        let updated = self.operator().update_endpoint(endpoint).await;
        updated.map_err(|error| self.without_rule(error))
    }

    /// Keeps its deliveries waiting from now on.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn pause(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        self.get(id).await?;
        self.operator().pause_endpoint(id).await
    }

    /// Lets a paused or disabled one get its deliveries again, those that waited first.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn resume(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        self.get(id).await?;
        self.operator().resume_endpoint(id).await
    }

    /// Routes nothing more to it from now on: what it wants is put on record as missed. The
    /// deliveries it has are kept waiting.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn disable(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        self.get(id).await?;
        self.operator().disable_endpoint(id).await
    }

    /// Lets a disabled one get events and deliveries again, those that waited first.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn enable(&self, id: EndpointId) -> Result<Endpoint, EndpointError> {
        self.get(id).await?;
        self.operator().enable_endpoint(id).await
    }

    /// The same, and begins to send it what it has missed, as
    /// [`Operator::enable_and_resend`](crate::Operator::enable_and_resend) does.
    ///
    /// # Errors
    ///
    /// As [`update`](Self::update).
    pub async fn enable_and_resend(&self, id: EndpointId) -> Result<Replaying<'a>, EndpointError> {
        self.get(id).await?;
        self.operator().enable_and_resend(id).await
    }

    /// Sends it a test, as [`Operator::send_test`](crate::Operator::send_test) does.
    ///
    /// # Errors
    ///
    /// [`TestError::NotActive`] when it is paused or disabled; [`TestError::Endpoint`].
    pub async fn send_test(&self, id: EndpointId) -> Result<DeliveryId, TestError> {
        self.get(id).await?;
        self.operator().send_test(id).await
    }

    /// Replaces its secret, as [`Operator::rotate_secret`](crate::Operator::rotate_secret) does.
    ///
    /// # Errors
    ///
    /// As there; [`EndpointError::NotFound`].
    pub async fn rotate_secret(
        &self,
        id: EndpointId,
        rotation: Rotation,
    ) -> Result<Registered, EndpointError> {
        self.get(id).await?;
        self.operator().rotate_secret(id, rotation).await
    }

    /// Removes one and cancels its unfinished deliveries; their records stay.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`], or the store's.
    pub async fn remove(&self, id: EndpointId) -> Result<(), EndpointError> {
        self.get(id).await?;
        self.operator().remove_endpoint(id).await
    }

    /// By which rule a URL is refused is the operator's to read: it may name nets of theirs, or say
    /// where they listen.
    fn without_rule(&self, error: EndpointError) -> EndpointError {
        match error {
            EndpointError::Invalid(InvalidEndpoint::Refused(rule)) => {
                tracing::info!(tenant = %self.tenant, rule, "an endpoint was refused");
                InvalidEndpoint::NotAllowed.into()
            }
            other => other,
        }
    }

    const fn operator(&self) -> Operator<'a> {
        Operator::new(self.engine)
    }
}
