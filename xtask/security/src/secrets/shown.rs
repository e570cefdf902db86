//! What a tenant is shown of a failure or a refusal, and what only operators read.

use std::{future::pending, sync::Arc};

use async_trait::async_trait;
use webhook_core::{
    AttemptView, DeliveryId, EndpointUrl, NewEvent, Request, Response, Store, TenantId, Transport,
    TransportError, TransportErrorKind,
};
use webhook_http::{AddressPolicy, HttpTransport};
use webhook_registry::{NewEndpoint, Webhooks};
use webhook_testkit::MemoryStore;

use super::errors::root;
use crate::case::Seen;

/// An attempt that failed, as it is told.
struct Told {
    /// To its tenant, in a view and on a page.
    tenant: String,
    page: String,
    /// To operators.
    operator: String,
}

/// `kind: text` as a transport says it, or a URL where nobody listens.
pub(crate) async fn failure(input: &str) -> Seen {
    let transport: Arc<dyn Transport> = match input.split_once(": ") {
        Some(("connect", text)) => Failing::by(TransportErrorKind::Connect, text),
        Some((_, text)) => Failing::by(TransportErrorKind::Resolve, text),
        None => {
            Arc::new(HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap())
        }
    };
    let url = if input.contains("://") { input } else { "https://a.example/" };
    let told = attempt(transport, url).await;
    let inside = |text: &str| inside(input).any(|word| text.contains(word));
    let mut guarded = told.tenant;
    // The URL on the page is the tenant's own.
    if inside(&guarded) || inside(&told.page.replace(url, "")) {
        guarded += ", and shows the inside";
    }
    Seen::new(guarded, told.operator)
}

/// The words that name something: addresses, ports, hosts and codes.
fn inside(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split([' ', '(', ')', ',', '/']);
    words.filter(|word| word.len() > 2 && word.contains(|c: char| c.is_ascii_digit() || c == '.'))
}

/// A URL that is refused: what its tenant reads when it is entered, and of an attempt to send there.
pub(crate) async fn refusal(url: &str) -> Seen {
    let policy = AddressPolicy::new()
        .deny_net("9.9.9.0/24".parse().unwrap())
        .own_name("api.ours.example".parse().unwrap());
    let transport = HttpTransport::builder().addresses(policy).root_certificates_pem(root());
    let transport: Arc<dyn Transport> = Arc::new(transport.build().unwrap());
    let strict = webhooks(Arc::new(MemoryStore::default()), Arc::clone(&transport));
    let tenant = tenant();
    let entered = strict.tenant(&tenant).endpoints().create(NewEndpoint::new(url)).await;
    let entered = told(entered.err());
    let literal = attempt(transport, url).await;
    // A name that leads to such a place is not told apart.
    let name = attempt(Failing::by(TransportErrorKind::BlockedName, url), "https://a.example/");
    let name = name.await.tenant;
    let same = if name == literal.tenant { "" } else { ", and another thing of a name" };
    let operator = told(strict.add_endpoint(NewEndpoint::new(url)).await.err());
    let guarded = format!("entered: {entered}. Sent to: {}{same}", literal.tenant);
    Seen::new(guarded, rule(&operator))
}

fn told(error: Option<webhook_registry::EndpointError>) -> String {
    error.map_or_else(|| "accepted".to_owned(), |error| error.to_string())
}

/// Without the advice.
fn rule(operator: &str) -> &str {
    operator.split(';').next().unwrap_or_default()
}

/// One attempt by `transport` to an endpoint that was registered before anybody was so strict.
async fn attempt(transport: Arc<dyn Transport>, url: &str) -> Told {
    let store: Arc<dyn Store> =
        Arc::new(MemoryStore::new(Arc::new(webhook_registry::SystemClock::new())));
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
    Told {
        tenant: format!("{}: {}{}", text("kind"), text("meaning"), text("response")),
        page: door.explain(id).await.unwrap().unwrap().to_string(),
        operator: attempt.failure.unwrap().text,
    }
}

fn webhooks(store: Arc<dyn Store>, transport: Arc<dyn Transport>) -> Webhooks {
    Webhooks::builder().shared_store(store).shared_transport(transport).build().unwrap()
}

fn tenant() -> TenantId {
    "ours".parse().unwrap()
}

/// Fails each exchange alike, and refuses no URL.
#[derive(Debug)]
struct Failing(TransportErrorKind, String);

impl Failing {
    fn by(kind: TransportErrorKind, text: &str) -> Arc<dyn Transport> {
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
