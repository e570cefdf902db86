//! Publishing that is given up, over a store with a single connection.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic here is the failed assertion")]
#![allow(unreachable_pub, dead_code, reason = "each database uses some of it")]

use std::{
    env,
    future::{Future, poll_fn},
    pin::pin,
    process,
    task::Poll,
};

use webhook_registry::{
    Deliveries, DeliveryId, EndpointId, EventId, Ids as _, NewEndpoint, NewEvent, UuidV7, Webhooks,
    database::{
        SeaOrmStore, SeaOrmStoreBuilder,
        sea_orm::{ConnectionTrait as _, Database},
    },
    store::DeliveryQuery,
};
use webhook_testkit::{PlainSigner, ScriptedTransport};

/// When a call is polled again, and how often before it is given up.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// When it is woken: it is given up wherever it waits.
    Woken(usize),
    /// After others had a turn: whoever does the work is a bit further at each.
    InTurn(usize),
}

impl Cut {
    /// Whether `call` came to its end before it was given up.
    async fn short<T>(self, call: impl Future<Output = T>) -> bool {
        let (Self::Woken(mut left) | Self::InTurn(mut left)) = self;
        let mut call = pin!(call);
        while left > 0 {
            let poll = poll_fn(|context| {
                left -= 1;
                match call.as_mut().poll(context) {
                    Poll::Pending if left > 0 && matches!(self, Self::Woken(_)) => Poll::Pending,
                    poll => Poll::Ready(poll.is_ready()),
                }
            });
            if poll.await {
                return true;
            }
            tokio::task::yield_now().await;
        }
        false
    }
}

fn over(store: SeaOrmStore) -> Webhooks {
    let builder = Webhooks::builder().store(store).signer(PlainSigner::new());
    builder.transport(ScriptedTransport::new()).build().unwrap()
}

fn event(id: EventId) -> NewEvent {
    NewEvent::new("invoice.paid", "{}").unwrap().id(id)
}

fn new_id() -> EventId {
    EventId::from_uuid(UuidV7.next_id())
}

/// Whether the event is there with its delivery; it may be stored while this looks.
async fn is_there(webhooks: &Webhooks, event: EventId, endpoint: EndpointId) -> bool {
    let operator = webhooks.operator();
    let id = DeliveryId::new(event, endpoint);
    let before = operator.delivery(id).await.unwrap().is_some();
    let there = operator.event(event).await.unwrap().is_some();
    let after = operator.delivery(id).await.unwrap().is_some();
    assert!(there || !before, "a delivery without its event");
    assert!(after || !there, "an event without its delivery");
    there
}

/// The tables are where `open` leads.
pub async fn a_dropped_publish_is_stored_wholly_or_not_at_all(open: SeaOrmStoreBuilder) {
    let store = open.clone().connect().await.unwrap();
    store.migrate().await.unwrap();
    let other = over(store);
    let endpoint = NewEndpoint::new("https://a.example/hooks");
    let endpoint = other.add_endpoint(endpoint).await.unwrap().endpoint.id;
    for warm in [false, true] {
        for polls in 0..1_000 {
            if drop_one(&open, &other, endpoint, warm, Cut::Woken(polls)).await {
                break;
            }
        }
        for polls in 1..8 {
            drop_one(&open, &other, endpoint, warm, Cut::InTurn(polls)).await;
        }
    }
}

/// In a process of its own. A cold one has to read the tables and the endpoints first.
async fn drop_one(
    open: &SeaOrmStoreBuilder,
    other: &Webhooks,
    endpoint: EndpointId,
    warm: bool,
    cut: Cut,
) -> bool {
    let store = open.clone().pool_size(1).connect().await.unwrap();
    let webhooks = over(store.clone());
    if warm {
        webhooks.publish(event(new_id())).await.unwrap();
    }
    let (dropped, next) = (new_id(), new_id());
    let ended = cut.short(webhooks.publish(event(dropped))).await;
    let published = webhooks.publish(event(next)).await.unwrap();
    assert_eq!(published.deliveries, Deliveries::Routed(1), "{cut:?}");
    assert!(is_there(other, next, endpoint).await, "{cut:?}: the next one is not committed");
    is_there(other, dropped, endpoint).await;
    let again = webhooks.publish(event(dropped)).await.unwrap();
    let safe = [Deliveries::Routed(1), Deliveries::AlreadyPublished];
    assert!(safe.contains(&again.deliveries), "{cut:?}: {again:?}");
    assert!(is_there(other, dropped, endpoint).await, "{cut:?}: it is not committed");
    let query = DeliveryQuery::new().event(dropped);
    assert_eq!(other.operator().deliveries(query).await.unwrap().items.len(), 1, "{cut:?}");
    store.close().await;
    ended
}

/// The server that this variable names, and a name on it that no other test has taken.
pub fn server(variable: &str, what: &str) -> (String, String) {
    let server = env::var(variable)
        .unwrap_or_else(|_| panic!("{variable} names no server; cargo xtask test finds one"));
    (server, format!("webhook_{what}_{}", process::id()))
}

/// Runs `case`, and `leave` on the server after it, whichever way it ends.
pub async fn leaving(
    case: impl Future<Output = ()> + Send + 'static,
    server: &str,
    leave: &[String],
) {
    let ended = tokio::spawn(case).await;
    for sql in leave {
        run(server, sql).await;
    }
    ended.unwrap();
}

/// Runs a statement on the server.
pub async fn run(server: &str, sql: &str) {
    let connection = Database::connect(server).await.unwrap();
    connection.execute_unprepared(sql).await.unwrap();
    connection.close().await.unwrap();
}
