//! What a tenant is shown of a failure or a refusal, and what only operators read.

use std::sync::Arc;

use webhook_core::transport::{Transport, TransportErrorKind};
use webhook_http::{AddressPolicy, HttpTransport};
use webhook_registry::{NewEndpoint, error::EndpointError};
use webhook_testkit::MemoryStore;

use super::errors::root;
use crate::{
    attempt_report::{Failing, attempt, tenant, webhooks},
    case::Seen,
};

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
    let outcome_text = attempt(transport, url).await;
    let inside = |text: &str| inside(input).any(|word| text.contains(word));
    let mut guarded = outcome_text.tenant;
    // The URL on the page is the tenant's own.
    if inside(&guarded) || inside(&outcome_text.page.replace(url, "")) {
        guarded += ", and shows the inside";
    }
    Seen::new(guarded, outcome_text.operator)
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
    let entered = outcome_text(entered.err());
    let literal = attempt(transport, url).await;
    // A name that leads to such a place is not told apart.
    let name = attempt(Failing::by(TransportErrorKind::BlockedName, url), "https://a.example/");
    let name = name.await.tenant;
    let same = if name == literal.tenant { "" } else { ", and another thing of a name" };
    let operator = outcome_text(strict.add_endpoint(NewEndpoint::new(url)).await.err());
    let customer = format!("entered: {entered}. Sent to: {}{same}", literal.tenant);
    Seen::new(customer, rule(&operator))
}

fn outcome_text(error: Option<EndpointError>) -> String {
    error.map_or_else(|| "accepted".to_owned(), |error| error.to_string())
}

/// Without the advice.
fn rule(operator: &str) -> &str {
    operator.split(';').next().unwrap_or_default()
}
