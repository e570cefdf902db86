//! J: Customers that use us against others, or against ourselves.

mod circle;
mod scanner;
mod storm;

use std::sync::{Arc, atomic::Ordering::Relaxed};

use webhook_core::{NewEvent, Transport};
use webhook_http::HttpTransport;
use webhook_registry::Webhooks;
use webhook_testkit::{MemoryStore, ScriptedTransport, TestReceiver};

use crate::{
    attempt_report::{attempt, tenant},
    case::Seen,
    ids::Id,
    literal,
    run::RECEIVERS,
};

pub(crate) async fn play(id: Id, input: &str) -> Seen {
    match id.number {
        1 => circle::play(input).await,
        3 => large(literal::bytes(input)).await,
        4 => storm::play(input).await,
        5 => echo(&literal::text(input)).await,
        6 => scanner::play(input).await,
        _ => Seen::new("not played", "not played"),
    }
}

/// A body that would be stored once, and sent to every endpoint again and again.
async fn large(body: Vec<u8>) -> Seen {
    let unbounded = Webhooks::builder().max_body(usize::MAX);
    let mut seen = Vec::new();
    for builder in [Webhooks::builder(), unbounded] {
        let builder = builder.store(MemoryStore::default()).transport(ScriptedTransport::new());
        let event = NewEvent::new("a", body.clone()).unwrap();
        let published = builder.build().unwrap().publish(event).await;
        seen.push(match published {
            Ok(_) => format!("{} bytes are stored", body.len()),
            // What follows is advice.
            Err(error) => {
                format!("refused: {}", error.to_string().split(';').next().unwrap_or_default())
            }
        });
    }
    let [guarded, unguarded] = seen.try_into().unwrap();
    Seen::new(guarded, unguarded)
}

/// A receiver inside our network, that answers what nobody outside should read.
async fn echo(inside: &str) -> Seen {
    RECEIVERS.fetch_add(1, Relaxed);
    let receiver =
        TestReceiver::answering([webhook_testkit::Reply::status(500).body(inside.to_owned())])
            .await;
    let open = HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap();
    let strict = HttpTransport::builder().root_certificates_pem(scanner::root()).build().unwrap();
    let guarded = shown(Arc::new(strict), &receiver, inside).await;
    Seen::new(guarded, shown(Arc::new(open), &receiver, inside).await)
}

/// Whether the tenant whose endpoint it is reads the answer.
async fn shown(transport: Arc<dyn Transport>, receiver: &TestReceiver, inside: &str) -> String {
    let outcome_text = attempt(transport, &receiver.url()).await;
    let shows = outcome_text.tenant.contains(inside) || outcome_text.page.contains(inside);
    let asked = if receiver.connections() == 0 { "nobody is asked" } else { "it is asked" };
    let shown = if shows { "its tenant reads it" } else { "its tenant reads nothing of it" };
    format!("{asked}, {shown}")
}
