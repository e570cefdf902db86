//! An endpoint that is our own API: each event would cause the next.

use std::sync::Arc;

use http::HeaderMap;
use webhook_core::{
    Endpoint, EndpointId, EventId, NewEvent, Timestamp, error::InvalidEvent, transport::compose,
};
use webhook_http::{AddressPolicy, HttpTransport, RingSigner};
use webhook_registry::NewEndpoint;
use webhook_testkit::MemoryStore;

use super::{scanner::root, tenant};
use crate::attempt_report::webhooks;

/// Number of rounds after which the circle counts as endless.
const MAX_ROUNDS: usize = 100;

pub(crate) async fn play(url: &str) -> String {
    let host = url::Url::parse(url).unwrap().host_str().unwrap().to_owned();
    let ours = AddressPolicy::new().own_name(host.parse().unwrap());
    registered(ours, url).await + ", " + &round_and_round(url)
}

async fn registered(policy: AddressPolicy, url: &str) -> String {
    let transport = HttpTransport::builder().addresses(policy).root_certificates_pem(root());
    let transport = Arc::new(transport.build().unwrap());
    let webhooks = webhooks(Arc::new(MemoryStore::default()), transport);
    let tenant = tenant();
    let created = webhooks.tenant(&tenant).endpoints().create(NewEndpoint::new(url)).await;
    if created.is_ok() { "accepted" } else { "refused" }.to_owned()
}

/// Each webhook that arrives makes our API publish the next event, as one that follows it.
fn round_and_round(url: &str) -> String {
    let id = EndpointId::from_uuid(uuid::Uuid::from_u128(2));
    let endpoint = Endpoint::new(id, url.parse().unwrap());
    let mut received = HeaderMap::new();
    for round in 0..MAX_ROUNDS {
        let event = NewEvent::new("a", "{}").unwrap();
        let event = match event.follows(&received) {
            Ok(event) => event.into_event(|| EventId::from_uuid(uuid::Uuid::nil()), NOW),
            Err(InvalidEvent::Loop) => return format!("and ends after {round} where nobody knew"),
            Err(error) => return error.to_string(),
        };
        received = compose(&event, &endpoint, &RingSigner, NOW).unwrap().headers;
    }
    format!("and still goes round after {MAX_ROUNDS}")
}

const NOW: Timestamp = Timestamp::from_unix_secs(1_700_000_000);
