//! Registration as a way to see which ports are open.

use std::sync::Arc;

use tokio::net::TcpListener;
use webhook_http::HttpTransport;
use webhook_registry::NewEndpoint;
use webhook_testkit::MemoryStore;

pub(super) use crate::secrets::root;

use super::tenant;
use crate::{attempt_report::webhooks, canary::Canary};

/// `{open}` and `{closed}` stand for ports that are.
pub(crate) async fn play(url: &str) -> String {
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
    format!("{outcome_text}. {came}")
}

async fn closed_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap().port()
}
