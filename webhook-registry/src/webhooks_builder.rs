use std::sync::Arc;

use webhook_core::{
    Clock, Dispatcher, DispatcherConfig, Ids, NewEvent, TenantId,
    engine::{EventPublisher, Ports, Wake},
    signing::Signer,
    store::{Capability, Store},
    transport::Transport,
};

use crate::{
    clock::SystemClock, engine::Engine, error::BuildError, ids::UuidV7, mode::Mode,
    settings::Settings, webhooks::Webhooks, worker::this_process,
};

/// Puts [`Webhooks`] together from a store, a transport, a signer and a clock.
///
/// Only the store has no default; with the feature `http` the transport is `HttpTransport` and the
/// signer `RingSigner`, unless others are given.
#[derive(Debug, Default)]
pub struct WebhooksBuilder {
    store: Option<Arc<dyn Store>>,
    transport: Option<Arc<dyn Transport>>,
    signer: Option<Arc<dyn Signer>>,
    clock: Option<Arc<dyn Clock>>,
    ids: Option<Arc<dyn Ids>>,
    mode: Mode,
    dispatcher: DispatcherConfig,
    max_body: Option<usize>,
    notices_to: Option<TenantId>,
    #[cfg(feature = "http")]
    http: Option<webhook_http::HttpTransportBuilder>,
}

impl WebhooksBuilder {
    /// Sets where events, endpoints and deliveries are kept.
    #[must_use]
    pub fn store(mut self, store: impl Store) -> Self {
        self.store = Some(Arc::new(store));
        self
    }

    /// Sets where events, endpoints and deliveries are kept, when that was chosen at run time.
    #[must_use]
    pub fn shared_store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// Sets what sends.
    #[must_use]
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Sets what sends, when that was chosen at run time.
    #[must_use]
    pub fn shared_transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Sets what signs.
    #[must_use]
    pub fn signer(mut self, signer: impl Signer) -> Self {
        self.signer = Some(Arc::new(signer));
        self
    }

    /// Sets what tells the time; by default [`SystemClock`].
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// Sets what makes identifiers; by default [`UuidV7`].
    #[must_use]
    pub fn ids(mut self, ids: impl Ids) -> Self {
        self.ids = Some(Arc::new(ids));
        self
    }

    /// Sets what this process does; by default [`Mode::Both`].
    #[must_use]
    pub const fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Takes what these settings say: mode, delivering, the largest body, and where events may be
    /// sent. The store is opened by `Settings::store`.
    #[must_use]
    pub fn settings(mut self, settings: &Settings) -> Self {
        self.mode = settings.mode();
        self.dispatcher = settings.dispatcher().clone();
        self.max_body = settings.max_body().or(self.max_body);
        self.notices_to = settings.notices_to().cloned().or(self.notices_to);
        #[cfg(feature = "http")]
        {
            self.http = Some(settings.transport());
        }
        self
    }

    /// Sets how this process delivers. Unless that has a [name](DispatcherConfig::name), what is
    /// claimed stands under the name of this host and process, such as `host-1:4711`.
    #[must_use]
    pub fn dispatcher(mut self, config: DispatcherConfig) -> Self {
        self.dispatcher = config;
        self
    }

    /// Sets the largest body, in bytes; by default [`NewEvent::MAX_BODY`].
    #[must_use]
    pub const fn max_body(mut self, bytes: usize) -> Self {
        self.max_body = Some(bytes);
        self
    }

    /// Publishes notices (endpoints that fail, are disabled or recover, deliveries that are given
    /// up) as events of `tenant` while this process delivers: see
    /// [`Notices::publish`](crate::Notices::publish).
    #[must_use]
    pub fn notices_to(mut self, tenant: TenantId) -> Self {
        self.notices_to = Some(tenant);
        self
    }

    /// Puts it together.
    ///
    /// # Errors
    ///
    /// [`BuildError`] says what is missing or does not fit.
    pub fn build(self) -> Result<Webhooks, BuildError> {
        let store = self.store.ok_or(BuildError::Missing("store"))?;
        if self.notices_to.is_some() {
            store.require(Capability::Notices)?;
        }
        if !store.supports(Capability::Durability) {
            tracing::warn!("the store is not durable: what it holds ends with this process");
        }
        #[cfg(feature = "http")]
        let default_transport = || default_transport(self.http.unwrap_or_default());
        let transport = self.transport.map_or_else(default_transport, Ok)?;
        let signer = self.signer.map_or_else(default_signer, Ok)?;
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock::new()));
        let ids = self.ids.unwrap_or_else(|| Arc::new(UuidV7));
        let wake = Wake::default();
        // Another number for each process, so that workers do not poll in step.
        let mut config = self.dispatcher.seed(ids.next_id().as_u64_pair().1);
        if config.worker_name().is_none() {
            config = config.name(this_process());
        }
        let ports = Ports::new(store.clone(), transport.clone(), signer.clone(), clock.clone());
        let dispatcher = Dispatcher::new(ports, config)?.with_wake(wake.clone());
        let mode = self.mode;
        let publisher = match mode {
            Mode::Both => dispatcher.publisher(),
            _ => EventPublisher::new(store.clone(), wake.clone()),
        };
        Ok(Webhooks::over(Engine {
            store,
            transport,
            signer,
            clock,
            ids,
            wake,
            mode,
            publisher,
            dispatcher,
            max_body: self.max_body.unwrap_or(NewEvent::MAX_BODY),
            notices_to: self.notices_to,
        }))
    }
}

#[cfg(feature = "http")]
fn default_transport(
    http: webhook_http::HttpTransportBuilder,
) -> Result<Arc<dyn Transport>, BuildError> {
    let transport = http.build().map_err(|error| BuildError::Transport(error.into()))?;
    Ok(Arc::new(transport))
}

#[cfg(feature = "http")]
fn default_signer() -> Result<Arc<dyn Signer>, BuildError> {
    Ok(Arc::new(webhook_http::RingSigner))
}

#[cfg(not(feature = "http"))]
fn default_transport() -> Result<Arc<dyn Transport>, BuildError> {
    Err(BuildError::Missing("transport"))
}

#[cfg(not(feature = "http"))]
fn default_signer() -> Result<Arc<dyn Signer>, BuildError> {
    Err(BuildError::Missing("signer"))
}
