//! J: Customers that use us against others, or against ourselves.

mod circle;
mod scanner;
mod storm;

use std::sync::{Arc, atomic::Ordering::Relaxed};

use webhook_core::NewEvent;
use webhook_http::HttpTransport;
use webhook_registry::Webhooks;
use webhook_testkit::{MemoryStore, Reply, ScriptedTransport, TestReceiver};

use crate::{
    attempt_report::{attempt, tenant},
    ids::Id,
    literal,
    run::RECEIVERS,
};

pub(crate) async fn play(id: Id, input: &str) -> String {
    match id.number {
        1 => circle::play(input).await,
        3 => large(literal::bytes(input)).await,
        4 => storm::play(input).await,
        5 => echo(&literal::text(input)).await,
        6 => scanner::play(input).await,
        _ => "not played".to_owned(),
    }
}

/// A body that would be stored once, and sent to every endpoint again and again.
async fn large(body: Vec<u8>) -> String {
    let builder = Webhooks::builder().store(MemoryStore::default());
    let webhooks = builder.transport(ScriptedTransport::new()).build().unwrap();
    match webhooks.publish(NewEvent::new("a", body).unwrap()).await {
        Ok(_) => "it is stored".to_owned(),
        // Advice follows the reason.
        Err(error) => {
            format!("refused: {}", error.to_string().split(';').next().unwrap_or_default())
        }
    }
}

/// A receiver inside our network, that answers what nobody outside should read.
async fn echo(inside: &str) -> String {
    RECEIVERS.fetch_add(1, Relaxed);
    let reply = Reply::status(500).body(inside.to_owned());
    let receiver = TestReceiver::answering([reply]).await;
    let strict = HttpTransport::builder().root_certificates_pem(scanner::root()).build().unwrap();
    let report = attempt(Arc::new(strict), &receiver.url()).await;
    let shows = report.tenant.contains(inside) || report.page.contains(inside);
    let asked = if receiver.connections() == 0 { "nobody is asked" } else { "it is asked" };
    let shown = if shows { "its tenant reads it" } else { "its tenant reads nothing of it" };
    format!("{asked}, {shown}")
}
