//! One tenant publishes far more than there is room for, and another a single event while that is sent.

use std::{future::pending, sync::Arc, time::Duration};

use webhook_core::{Clock, DispatcherConfig, TenantId};
use webhook_registry::{NewEndpoint, NewEvent, Webhooks};
use webhook_testkit::{ManualClock, MemoryStore, ScriptedTransport, SequenceIds, status};

/// Attempts in flight at once.
const ROOM: usize = 256;

/// How long each takes.
const TAKES: Duration = Duration::from_secs(1);

/// Where the other tenant has its endpoint.
const OTHER: &str = "https://other.example/";

/// Time until the other tenant's event is sent, during the storm that `input` describes:
/// `5 events to each of 400 endpoints`.
pub(crate) async fn play(input: &str) -> String {
    let mut numbers = input.split(' ').filter_map(|word| word.parse::<usize>().ok());
    let (events, endpoints) = (numbers.next().unwrap(), numbers.next().unwrap());
    let clock = ManualClock::new();
    let shared: Arc<dyn Clock> = Arc::new(clock.clone());
    let transport = ScriptedTransport::with_clock(Arc::clone(&shared));
    transport.otherwise(status(200).after(TAKES));
    let builder = Webhooks::builder().store(MemoryStore::new(shared)).transport(transport.clone());
    let builder = builder.clock(clock.clone()).ids(SequenceIds::new());
    let webhooks = builder.dispatcher(DispatcherConfig::new().concurrency(ROOM)).build().unwrap();
    let (storm, other): (TenantId, TenantId) = ("storm".parse().unwrap(), "other".parse().unwrap());
    for n in 0..endpoints {
        register(&webhooks, &storm, &format!("https://storm.example/{n}")).await;
    }
    register(&webhooks, &other, OTHER).await;
    for _ in 0..events {
        publish(&webhooks, &storm).await;
    }
    let turn = async {
        while transport.requests().len() < ROOM {
            tokio::task::yield_now().await;
        }
        publish(&webhooks, &other).await;
        turn(&clock).await;
    };
    tokio::select! {
        biased;
        done = webhooks.run_until_idle(None, pending()) => { done.unwrap(); }
        () = turn => {}
    }
    let requests = transport.requests();
    let sent = requests.iter().find(|sent| sent.request.url.as_str() == OTHER);
    let begun = requests.first().expect("something is sent").at;
    let wait = sent.expect("every event is sent").at.since(begun);
    let (seconds, all) = (wait.as_secs(), requests.len());
    format!("the other one's is sent after {seconds} s, of {all} in all")
}

async fn register(webhooks: &Webhooks, tenant: &TenantId, url: &str) {
    webhooks.tenant(tenant).endpoints().create(NewEndpoint::new(url)).await.unwrap();
}

async fn publish(webhooks: &Webhooks, tenant: &TenantId) {
    webhooks.tenant(tenant).publish(NewEvent::new("a", "{}").unwrap()).await.unwrap();
}

/// Turns the clock whenever everybody waits.
async fn turn(clock: &ManualClock) {
    loop {
        tokio::task::yield_now().await;
        if let Some(wait) = clock.next_deadline() {
            clock.advance(wait);
        }
    }
}
