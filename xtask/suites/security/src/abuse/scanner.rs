//! Registration as a way to see which ports are open.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use webhook_http::HttpTransport;
use webhook_registry::NewEndpoint;
use webhook_testkit::MemoryStore;

pub(super) use crate::secrets::root;

use super::tenant;
use crate::{attempt_report::webhooks, canary::Canary, case::Seen};

/// `{open}` and `{closed}` stand for ports that are.
pub(crate) async fn play(url: &str) -> Seen {
    let canary = Canary::at([127, 0, 0, 1].into()).await;
    let closed = closed_port().await;
    let url = url.replace("{open}", &canary.port().to_string());
    let url = url.replace("{closed}", &closed.to_string());
    let transport = HttpTransport::builder().root_certificates_pem(root()).build().unwrap();
    let webhooks = webhooks(Arc::new(MemoryStore::default()), Arc::new(transport));
    let tenant = tenant();
    let created = webhooks.tenant(&tenant).endpoints().create(NewEndpoint::new(&url)).await;
    let outcome_text = created.map_or_else(|error| error.to_string(), |_| "accepted".to_owned());
    let came = if canary.is_reached().await { "somebody came" } else { "nobody came" };
    Seen::new(format!("{outcome_text}. {came}"), try_it(&url).await)
}

/// Looks whether anybody is there, to be helpful.
async fn try_it(url: &str) -> &'static str {
    let url = url::Url::parse(url).unwrap();
    let port = url.port_or_known_default().unwrap();
    match TcpStream::connect((url.host_str().unwrap(), port)).await {
        Ok(_) => "registered",
        Err(_) => "could not connect to it",
    }
}

async fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}
