//! The whole, put together: publish, deliver, look up.

use std::{future::Future, sync::Arc, time::Duration};

use serde::Serialize;
use webhook_core::{
    Backlog, Endpoint, EndpointId, InvalidEvent, NewEvent, Publisher, Report, Secret, StoreError,
    until_idle,
};

use crate::{
    builder::WebhooksBuilder,
    engine::Engine,
    error::{EndpointError, PublishError},
    new_endpoint::{InvalidEndpoint, NewEndpoint},
    operator::Operator,
    publish::{Published, publish_many},
};

/// Publishes events and delivers them. Cheap to clone; clones share everything.
///
/// [`publish`](Self::publish) returns once the event and its deliveries are stored; a
/// [`run`](Self::run) somewhere (in this process, another, or several) delivers them: at least once,
/// in no particular order, with the same `webhook-id` on every attempt.
#[derive(Clone, Debug)]
pub struct Webhooks(Arc<Engine>);

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
    /// # Errors
    ///
    /// [`PublishError`] says whether the event is stored, and what to do.
    pub async fn publish(&self, event: NewEvent) -> Result<Published, PublishError> {
        match self.publish_many(vec![event]).await.pop() {
            Some(answer) => answer,
            None => Err(PublishError::Invalid(InvalidEvent::Json("no event".to_owned()))),
        }
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
        let engine = &self.0;
        let id = EndpointId::from_uuid(engine.ids.next_id());
        let generated =
            if new.wants_new_secret() { Some(Secret::generate(&*engine.signer)?) } else { None };
        let endpoint = new.read(id, engine.clock.now(), generated)?;
        if let Err(error) = engine.transport.accepts(&endpoint.url) {
            return Err(InvalidEndpoint::Refused(crate::text_of(&error)).into());
        }
        engine.store.add_endpoint(endpoint.clone()).await?;
        engine.registry.forget(&endpoint.tenant);
        let secret = endpoint.signing.keys().first().map(|key| key.secret.clone());
        Ok(Registered { endpoint, secret })
    }

    /// What operators may see and do, whoever's it is.
    pub fn operator(&self) -> Operator<'_> {
        Operator::new(&self.0)
    }

    /// A publisher that posts to one endpoint within the call, with the endpoint's settings and a
    /// record in the store.
    pub fn send_now(&self, endpoint: Endpoint) -> Publisher {
        let engine = &self.0;
        let (transport, signer, clock) =
            (engine.transport.clone(), engine.signer.clone(), engine.clock.clone());
        Publisher::to_endpoint(endpoint, transport, signer, clock).tracked(engine.store.clone())
    }

    /// Says that there may be work, such as after committing an event that was stored in a
    /// transaction of the caller's own. Saves the wait for the next poll, no more.
    pub fn wake(&self) {
        self.0.wake.wake();
    }

    /// Delivers until `shutdown` completes, then lets attempts in flight end, records them and
    /// answers with a report.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Report {
        self.0.dispatcher.run(shutdown).await
    }

    /// Delivers until nothing is left to do: nothing unrouted, nothing in flight (in other processes
    /// neither) and nothing due within `horizon`; without a horizon, until nothing is pending.
    /// Deliveries of paused and disabled endpoints do not count. Ends early with `shutdown`.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store cannot be asked what is left.
    pub async fn run_until_idle(
        &self,
        horizon: Option<Duration>,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(Report, Backlog), StoreError> {
        let idle = async {
            let watched = until_idle(&*self.0.store, &*self.0.clock, horizon);
            if let Err(error) = watched.await {
                tracing::error!(%error, "stopped, because the store did not say what is left");
            }
        };
        let report = self.run(first_of(idle, shutdown)).await;
        Ok((report, self.0.store.backlog().await?))
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

/// An endpoint that was just registered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Registered {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// Its secret, to be shown to its owner once; absent when it is unsigned.
    pub secret: Option<Secret>,
}
