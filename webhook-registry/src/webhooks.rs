//! The whole, put together: publish, deliver, look up.

use std::{future::Future, sync::Arc, time::Duration};

use serde::Serialize;
use webhook_core::{
    Endpoint, EndpointId, EventId, NewEvent, Publisher, Report, RetryPolicy, Secret, SendError,
    Sent, StoreError, StoreErrorKind, TenantId,
    engine::until_idle,
    store::{Backlog, WorkSignal as _},
};

use crate::{
    engine::Engine,
    error::{EndpointError, PublishError},
    mode::Mode,
    new_endpoint::{InvalidEndpoint, NewEndpoint},
    notices::Notices,
    operator::Operator,
    publish::{Published, publish, publish_many},
    tenant::Tenant,
    webhooks_builder::WebhooksBuilder,
};

/// Publishes events and delivers them. Cheap to clone; clones share everything.
///
/// [`publish`](Self::publish) returns once the event and its deliveries are stored; a
/// [`run`](Self::run) somewhere (in this process, another, or several) delivers them: at least
/// once, in no particular order, with the same `webhook-id` on every attempt.
#[derive(Clone, Debug)]
pub struct Webhooks(Arc<Engine>);

/// Tries of one write if the outcome of each commit is unknown.
const MAX_STORE_TRIES: usize = 3;

impl Webhooks {
    /// Begins to put one together.
    pub fn builder() -> WebhooksBuilder {
        WebhooksBuilder::default()
    }

    pub(crate) fn over(engine: Engine) -> Self {
        Self(Arc::new(engine))
    }

    /// Stores an event, and its delivery to every endpoint of its tenant that wants it.
    ///
    /// A process that publishes faster than it delivers is slowed down to that pace: where slots
    /// for attempts come free all the time, it waits for one, at most 250 ms. It does not for an
    /// endpoint that has been slow of late, and not at all under a clock that is turned by hand.
    ///
    /// # Errors
    ///
    /// [`PublishError`] says whether the event is stored, and what to do.
    pub async fn publish(&self, event: NewEvent) -> Result<Published, PublishError> {
        publish(&self.0, event).await
    }

    /// Publishes `data` as JSON, under this type and for the default tenant.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish); also when the type is not valid or `data` cannot be written
    /// as JSON.
    pub async fn publish_json<T: Serialize + ?Sized>(
        &self,
        event_type: &str,
        data: &T,
    ) -> Result<Published, PublishError> {
        self.publish(NewEvent::json(event_type, data)?).await
    }

    /// Publishes many events in few transactions. Answers each, in their order: what is wrong with
    /// one does not keep the others from being stored.
    pub async fn publish_many(
        &self,
        events: Vec<NewEvent>,
    ) -> Vec<Result<Published, PublishError>> {
        publish_many(&self.0, events).await
    }

    /// Registers an endpoint. Every event published from now on reaches it, whichever process
    /// publishes.
    ///
    /// # Errors
    ///
    /// [`EndpointError`] says what is wrong with it, or with the store.
    pub async fn add_endpoint(&self, new: NewEndpoint) -> Result<Registered, EndpointError> {
        register(&self.0, new).await
    }

    /// What operators may see and do, whoever's it is.
    pub fn operator(&self) -> Operator<'_> {
        Operator::new(&self.0)
    }

    /// What has to be told of endpoints and deliveries.
    pub fn notices(&self) -> Notices<'_> {
        Notices::new(&self.0)
    }

    /// What one customer may see and do, and nothing of anybody else's.
    pub fn tenant<'a>(&'a self, tenant: &'a TenantId) -> Tenant<'a> {
        Tenant::new(&self.0, tenant)
    }

    /// Creates a publisher that posts to one endpoint within the call, with the endpoint's settings
    /// and a record in the store. Its caller waits, so it makes three attempts within seconds,
    /// regardless of the endpoint's retry policy. [`Publisher::retry`] sets another policy.
    pub fn publisher(&self, endpoint: Endpoint) -> Publisher {
        let engine = &self.0;
        let (transport, signer, clock) =
            (engine.transport.clone(), engine.signer.clone(), engine.clock.clone());
        Publisher::for_endpoint(endpoint, transport, signer, clock)
            .retry(RetryPolicy::send_now())
            .tracked(engine.store.clone())
    }

    /// Posts one event to one endpoint within the call, as [`publisher`](Self::publisher) does.
    ///
    /// # Errors
    ///
    /// [`SendError`] after the last attempt, or when the record could not be opened.
    pub async fn send(&self, endpoint: Endpoint, event: NewEvent) -> Result<Sent, SendError> {
        let new_id = || EventId::from_uuid(self.0.ids.next_id());
        let event = event.into_event(new_id, self.0.clock.now());
        self.publisher(endpoint).publish(&event).await
    }

    /// Says that there may be work, such as after committing an event that was stored in a
    /// transaction of the caller's own. Saves the wait for the next poll, no more.
    ///
    /// It reaches the dispatcher of this process, and on PostgreSQL, a few times a second, those of
    /// others. Where nobody tells them, they find the first of such events at their next poll,
    /// about a second later unless that is set otherwise, and those that follow it within
    /// milliseconds.
    pub fn wake(&self) {
        self.0.wake.wake();
        self.0.store.notify_work();
    }

    /// What this process does with webhooks.
    pub fn mode(&self) -> Mode {
        self.0.mode
    }

    /// Delivers until `shutdown` completes, then lets attempts in flight end, records them and
    /// answers with a report. One run at a time is enough for a process, and its limits are its
    /// own.
    ///
    /// In [`Mode::PublishOnly`] it says once in the log that nothing is delivered here, and waits
    /// for `shutdown`: a program may be deployed in all modes without a line of it being different.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Report {
        if !self.0.mode.delivers() {
            tracing::info!(mode = %self.0.mode, "this process delivers nothing; others have to");
            shutdown.await;
            return Report::default();
        }
        let Some(tenant) = &self.0.notices_to else {
            return self.0.dispatcher.run(shutdown).await;
        };
        let mut report = Report::default();
        let deliver = async { report = self.0.dispatcher.run(shutdown).await };
        let notices = self.notices();
        first_of(deliver, async { match notices.publish_until_dropped(tenant).await {} }).await;
        // What the last attempts have caused.
        notices.publish_or_log(tenant).await;
        report
    }

    /// Delivers until nothing is left to do: nothing unrouted, nothing in flight (in other
    /// processes neither) and nothing due within `horizon`; without a horizon, until nothing is
    /// pending. Deliveries of paused and disabled endpoints do not count. Ends early with
    /// `shutdown`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be asked what is left.
    pub async fn run_until_idle(
        &self,
        horizon: Option<Duration>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(Report, Backlog), StoreError> {
        let mut failed = None;
        let idle = async {
            let watched = until_idle(&*self.0.store, &*self.0.clock, horizon);
            failed = watched.await.err();
        };
        let report = self.run(first_of(idle, shutdown)).await;
        match failed {
            Some(error) => Err(error),
            None => Ok((report, self.0.store.backlog().await?)),
        }
    }
}

/// Adds an endpoint, and again after a lost answer: its id makes that safe. An error of a repeat is
/// `Unknown`, since the first try may have taken effect.
async fn add(engine: &Engine, endpoint: &Endpoint) -> Result<(), StoreError> {
    let mut tries = 1;
    loop {
        match engine.store.add_endpoint(endpoint.clone()).await {
            // Stored by an earlier try whose answer was lost.
            Err(error) if error.kind() == StoreErrorKind::Exists && tries > 1 => return Ok(()),
            Err(error) if error.kind() == StoreErrorKind::Unknown && tries < MAX_STORE_TRIES => {
                tries += 1;
            }
            Err(error) if tries > 1 => return Err(error.with_kind(StoreErrorKind::Unknown)),
            answer => return answer,
        }
    }
}

/// Ends with whichever of the two ends first.
async fn first_of(one: impl Future<Output = ()>, other: impl Future<Output = ()>) {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    std::future::poll_fn(|context| {
        if one.as_mut().poll(context).is_ready() {
            std::task::Poll::Ready(())
        } else {
            other.as_mut().poll(context)
        }
    })
    .await;
}

/// Registers an endpoint, with a new secret where none was given.
pub(crate) async fn register(
    engine: &Engine,
    new: NewEndpoint,
) -> Result<Registered, EndpointError> {
    let id = EndpointId::from_uuid(engine.ids.next_id());
    let generated =
        if new.wants_new_secret() { Some(engine.signer.generate_secret()?) } else { None };
    let endpoint = new.read(id, engine.clock.now(), generated)?;
    accepts(engine, &endpoint)?;
    engine.store.require_for(&endpoint)?;
    add(engine, &endpoint).await?;
    engine.publisher.forget(&endpoint.tenant);
    let secret = endpoint.signing.keys().first().map(|key| key.secret.clone());
    Ok(Registered { endpoint, secret })
}

/// Whether the transport would ever send to it, as it is.
pub(crate) fn accepts(engine: &Engine, endpoint: &Endpoint) -> Result<(), InvalidEndpoint> {
    let transport = &engine.transport;
    transport
        .accepts(&endpoint.url)
        .map_err(|error| InvalidEndpoint::Refused(crate::text_of(&error)))?;
    let Some(tls) = &endpoint.tls else { return Ok(()) };
    // What is wrong is the material, and its reason says so; the kind is about an exchange.
    transport.accepts_tls(tls).map_err(|error| {
        let reason = std::error::Error::source(&error).map(ToString::to_string);
        InvalidEndpoint::Unusable(reason.unwrap_or_else(|| error.to_string()))
    })
}

/// An endpoint that was just registered, or whose secret was just replaced.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Registered {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its secret, to be shown to its owner once; absent when it is unsigned.
    pub secret: Option<Secret>,
}
