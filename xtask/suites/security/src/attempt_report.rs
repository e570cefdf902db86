//! Reports of a failed attempt: for its tenant and for operators.

use std::{error::Error, future::pending, sync::Arc};

use async_trait::async_trait;
use webhook_core::{
    DeliveryId, EndpointUrl, NewEvent, TenantId,
    store::Store,
    transport::{Request, Response, Transport, TransportError, TransportErrorKind},
    view::AttemptView,
};
use webhook_registry::{NewEndpoint, SystemClock, Webhooks};
use webhook_testkit::MemoryStore;

pub(crate) struct AttemptReport {
    /// For the tenant: class, meaning and response.
    pub(crate) tenant: String,
    /// Explanation of the delivery for the tenant.
    pub(crate) page: String,
    /// For operators.
    pub(crate) operator: String,
}

/// One attempt by `transport`, to an endpoint that was registered when nobody was so strict.
pub(crate) async fn attempt(transport: Arc<dyn Transport>, url: &str) -> AttemptReport {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(SystemClock::new())));
    let tenant = tenant();
    let lax = webhooks(Arc::clone(&store), Failing::by(TransportErrorKind::Other, ""));
    let new = NewEndpoint::new(url).retry("none");
    let endpoint = lax.tenant(&tenant).endpoints().create(new).await.unwrap().endpoint;
    let strict = webhooks(store, transport);
    let event = NewEvent::new("a", "{}").unwrap().tenant(tenant.clone());
    let event = strict.publish(event).await.unwrap().event;
    strict.run_until_idle(None, pending()).await.unwrap();
    let (id, door) = (DeliveryId::new(event, endpoint.id), strict.tenant(&tenant));
    let attempt = strict.operator().attempts(id).await.unwrap().remove(0);
    let view = serde_json::to_value(AttemptView::of(&attempt)).unwrap();
    let text = |name: &str| view[name].as_str().unwrap_or_default().to_owned();
    AttemptReport {
        tenant: format!("{}: {}{}", text("kind"), text("meaning"), text("response")),
        page: door.explain(id).await.unwrap().unwrap().to_string(),
        operator: attempt.failure.map(|failure| failure.text).unwrap_or_default(),
    }
}

pub(crate) fn webhooks(store: Arc<dyn Store>, transport: Arc<dyn Transport>) -> Webhooks {
    Webhooks::builder().shared_store(store).shared_transport(transport).build().unwrap()
}

pub(crate) fn tenant() -> TenantId {
    "ours".parse().unwrap()
}

/// Fails each exchange alike, and refuses no URL.
#[derive(Debug)]
pub(crate) struct Failing(TransportErrorKind, String);

impl Failing {
    pub(crate) fn by(kind: TransportErrorKind, text: &str) -> Arc<dyn Transport> {
        Arc::new(Self(kind, text.to_owned()))
    }
}

#[async_trait]
impl Transport for Failing {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        Err(TransportError::because(self.0, self.1.clone()))
    }

    fn accepts(&self, _: &EndpointUrl) -> Result<(), TransportError> {
        Ok(())
    }
}

/// The error and its causes, as people and as programmers see them.
pub(crate) fn error_text(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("{error} {error:?} {error:#?}");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!("{error} {error:?}");
        cause = error.source();
    }
    text
}
