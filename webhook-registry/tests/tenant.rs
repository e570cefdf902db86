//! A customer sees and touches what is its own, and nothing else.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic is the failed test"
)]

mod fakes;

use std::{collections::BTreeSet, future::Future, pin::Pin, time::Duration};

use fakes::Fakes;

use webhook_registry::{
    DeliveryId, DeliveryStatus, Endpoint, EndpointUrl, Include, NewEndpoint, NewEvent, Replay,
    Rotation, Tenant, TenantId, Webhooks,
    error::{EndpointError, InvalidEndpoint, TestError},
    store::{Cancelled, DeliveryQuery, Redelivered, Skipped},
    transport::{Request, Response, Transport, TransportError, TransportErrorKind},
    view::{AttemptView, DeliveryView, EndpointView, EventView},
};
use webhook_testkit::{MemoryStore, PlainSigner, refused};

const STATS_WINDOW: Duration = Duration::from_secs(24 * 60 * 60);

/// Two customers, each with an endpoint and a delivery.
struct TenantFixture {
    webhooks: Webhooks,
    ours: TenantId,
    theirs: TenantId,
    endpoint: Endpoint,
    delivery: DeliveryId,
}

impl TenantFixture {
    async fn new() -> Self {
        let webhooks = Fakes::new(PlainSigner::new()).webhooks;
        let (ours, theirs): (TenantId, TenantId) =
            ("ours".parse().unwrap(), "theirs".parse().unwrap());
        let mut theirs_are = None;
        for tenant in [&ours, &theirs] {
            let door = webhooks.tenant(tenant);
            let new = NewEndpoint::new("https://a.example/hooks");
            let endpoint = door.endpoints().create(new).await.unwrap().endpoint;
            let published = door.publish(NewEvent::json("a", "x").unwrap()).await.unwrap();
            theirs_are = Some((DeliveryId::new(published.event, endpoint.id), endpoint));
        }
        let (delivery, endpoint) = theirs_are.unwrap();
        Self { webhooks, ours, theirs, endpoint, delivery }
    }

    fn ours(&self) -> Tenant<'_> {
        self.webhooks.tenant(&self.ours)
    }

    fn theirs(&self) -> Tenant<'_> {
        self.webhooks.tenant(&self.theirs)
    }
}

fn is_not_found<T>(answer: Result<T, EndpointError>) -> bool {
    matches!(answer, Err(EndpointError::NotFound(_)))
}

/// Whether our door, asked for what is theirs, answers as if that did not exist.
type RefusedCall = for<'w> fn(&'w TenantFixture) -> Pin<Box<dyn Future<Output = bool> + 'w>>;

macro_rules! table {
    ($($method:literal => |$world:ident| $refused:expr;)*) => {
        &[$(($method, |$world| Box::pin(async move { $refused }))),*]
    };
}

const REFUSED_CALLS: &[(&str, RefusedCall)] = table! {
    "publish" => |w| {
        let event = NewEvent::json("a", "x").unwrap().tenant(w.theirs.clone());
        let published = w.ours().publish(event).await.unwrap();
        w.theirs().event(published.event).await.unwrap().is_none()
    };
    "event" => |w| w.ours().event(w.delivery.event).await.unwrap().is_none();
    "deliveries" => |w| {
        let theirs = DeliveryQuery::new().tenant(w.theirs.clone());
        let page = w.ours().deliveries(theirs).await.unwrap();
        let by_endpoint = DeliveryQuery::new().endpoint(w.endpoint.id);
        let none = w.ours().deliveries(by_endpoint).await.unwrap().items.is_empty();
        let by_event = DeliveryQuery::new().event(w.delivery.event);
        let none = none && w.ours().deliveries(by_event).await.unwrap().items.is_empty();
        none && page.items.iter().all(|delivery| delivery.tenant == w.ours)
    };
    "delivery" => |w| w.ours().delivery(w.delivery).await.unwrap().is_none();
    "attempts" => |w| w.ours().attempts(w.delivery).await.unwrap().is_none();
    "explain" => |w| w.ours().explain(w.delivery).await.unwrap().is_none();
    "stats" => |w| is_not_found(w.ours().stats(w.endpoint.id, STATS_WINDOW).await);
    "redeliver" => |w| {
        w.theirs().cancel(&[w.delivery]).await.unwrap();
        w.ours().redeliver(&[w.delivery]).await.unwrap() == [Redelivered::NotFound]
    };
    "replay" => |w| {
        let theirs = Replay::new(w.endpoint.id, Include::All);
        is_not_found(w.ours().replay(theirs).await)
    };
    "resume_replay" => |w| {
        let theirs = Replay::new(w.endpoint.id, Include::All);
        let state = w.theirs().replay(theirs).await.unwrap().state().clone();
        is_not_found(w.ours().resume_replay(state).await)
    };
    "cancel" => |w| w.ours().cancel(&[w.delivery]).await.unwrap() == [Cancelled::NotFound];
    "skip" => |w| w.ours().skip(&[w.delivery]).await.unwrap() == [Skipped::NotFound];
    "create" => |w| {
        let new = NewEndpoint::new("https://b.example/").tenant(w.theirs.clone());
        w.ours().endpoints().create(new).await.unwrap().endpoint.tenant == w.ours
    };
    "get" => |w| is_not_found(w.ours().endpoints().get(w.endpoint.id).await);
    "list" => |w| {
        let ours = w.ours().endpoints().list().await.unwrap();
        ours.len() == 1 && ours[0].tenant == w.ours
    };
    "update" => |w| {
        let forged = w.endpoint.clone().with_tenant(w.ours.clone());
        is_not_found(w.ours().endpoints().update(forged).await)
    };
    "pause" => |w| is_not_found(w.ours().endpoints().pause(w.endpoint.id).await);
    "resume" => |w| is_not_found(w.ours().endpoints().resume(w.endpoint.id).await);
    "disable" => |w| is_not_found(w.ours().endpoints().disable(w.endpoint.id).await);
    "enable" => |w| is_not_found(w.ours().endpoints().enable(w.endpoint.id).await);
    "enable_and_resend" => |w| {
        is_not_found(w.ours().endpoints().enable_and_resend(w.endpoint.id).await)
    };
    "send_test" => |w| {
        let answer = w.ours().endpoints().send_test(w.endpoint.id).await;
        matches!(answer, Err(TestError::Endpoint(EndpointError::NotFound(_))))
    };
    "rotate_secret" => |w| {
        is_not_found(w.ours().endpoints().rotate_secret(w.endpoint.id, Rotation::new()).await)
    };
    "remove" => |w| is_not_found(w.ours().endpoints().remove(w.endpoint.id).await);
};

/// The public methods that ask the store, as the source has them: a new one needs a row.
fn methods() -> BTreeSet<&'static str> {
    let sources =
        [include_str!("../src/tenant.rs"), include_str!("../src/tenant/tenant_endpoints.rs")];
    let begins = sources.iter().flat_map(|source| source.split("pub async fn ").skip(1));
    begins.filter_map(|rest| rest.split('(').next()).collect()
}

#[tokio::test]
async fn another_tenants_things_do_not_exist() {
    let rows: BTreeSet<_> = REFUSED_CALLS.iter().map(|(method, _)| *method).collect();
    assert_eq!(rows, methods(), "each method has its row");
    for (method, refused) in REFUSED_CALLS {
        let world = TenantFixture::new().await;
        let before = world.theirs().endpoints().get(world.endpoint.id).await.unwrap();
        assert!(refused(&world).await, "{method} reaches what is theirs");
        let after = world.theirs().endpoints().get(world.endpoint.id).await.unwrap();
        assert_eq!(after.revision, before.revision, "{method} changes what is theirs");
        assert!(world.theirs().delivery(world.delivery).await.unwrap().is_some(), "{method}");
    }
}

#[tokio::test]
async fn a_tenant_reaches_what_is_its_own() {
    let world = TenantFixture::new().await;
    let (door, id) = (world.theirs(), world.endpoint.id);
    assert_eq!(door.event(world.delivery.event).await.unwrap().unwrap().tenant, world.theirs);
    assert_eq!(door.deliveries(DeliveryQuery::new()).await.unwrap().items.len(), 1);
    assert_eq!(door.attempts(world.delivery).await.unwrap(), Some(vec![]));
    let page = door.explain(world.delivery).await.unwrap().unwrap().to_string();
    assert!(page.ends_with("next: due for 0s; its turn comes"), "{page}");
    let stats = door.stats(id, STATS_WINDOW).await.unwrap();
    assert_eq!(stats.deliveries[&DeliveryStatus::Pending], 1);
    let unknown = DeliveryId::new(
        world.delivery.event,
        webhook_registry::EndpointId::from_uuid(uuid::Uuid::nil()),
    );
    let both = [unknown, world.delivery];
    assert_eq!(door.cancel(&both).await.unwrap(), [Cancelled::NotFound, Cancelled::Done]);
    assert_eq!(door.redeliver(&both).await.unwrap(), [Redelivered::NotFound, Redelivered::Done]);
    let pending_one = Skipped::Unchanged(DeliveryStatus::Pending);
    assert_eq!(door.skip(&both).await.unwrap(), [Skipped::NotFound, pending_one]);
    let pending = door.delivery(world.delivery).await.unwrap().unwrap();
    assert_eq!(pending.status, DeliveryStatus::Pending);

    let endpoints = door.endpoints();
    let paused = endpoints.pause(id).await.unwrap();
    let stale = endpoints.update(world.endpoint.clone()).await;
    assert!(matches!(stale, Err(EndpointError::Stale(stale)) if stale == id), "{stale:?}");
    let mut moved = paused;
    moved.url = "https://b.example/".parse().unwrap();
    assert_eq!(endpoints.update(moved).await.unwrap().url.as_str(), "https://b.example/");
    endpoints.resume(id).await.unwrap();
    endpoints.disable(id).await.unwrap();
    endpoints.enable(id).await.unwrap();
    assert!(endpoints.rotate_secret(id, Rotation::new()).await.unwrap().secret.is_some());
    endpoints.remove(id).await.unwrap();
    assert!(endpoints.list().await.unwrap().is_empty());
}

/// A transport that accepts one host. Its rules against the others name internals of the operator.
#[derive(Debug)]
struct OneHostTransport;

#[async_trait::async_trait]
impl Transport for OneHostTransport {
    async fn send(&self, _: Request) -> Result<Response, TransportError> {
        Err(TransportError::new(TransportErrorKind::Connect))
    }

    fn accepts(&self, url: &EndpointUrl) -> Result<(), TransportError> {
        let rule = match url.authority() {
            "a.example" => return Ok(()),
            "b.example" => "denied by the operator: 203.0.113.0/24",
            _ => "our own endpoint: events would come back to their sender",
        };
        Err(TransportError::because(TransportErrorKind::BlockedLiteral, rule))
    }
}

#[tokio::test]
async fn a_tenant_reads_the_same_of_every_refused_url_and_operators_read_the_rule() {
    let webhooks = Webhooks::builder().store(MemoryStore::default()).transport(OneHostTransport);
    let webhooks = webhooks.signer(PlainSigner::new()).build().unwrap();
    let tenant: TenantId = "ours".parse().unwrap();
    let endpoints = webhooks.tenant(&tenant).endpoints();
    let there = endpoints.create(NewEndpoint::new("https://a.example/")).await.unwrap().endpoint;
    for url in ["https://b.example/", "https://c.example/"] {
        let mut moved = there.clone();
        moved.url = url.parse().unwrap();
        for refused in [
            endpoints.create(NewEndpoint::new(url)).await.unwrap_err(),
            endpoints.update(moved).await.unwrap_err(),
        ] {
            let same = matches!(refused, EndpointError::Invalid(InvalidEndpoint::NotAllowed));
            assert!(same, "{url}: {refused:?}");
        }
    }
    let rule = webhooks.add_endpoint(NewEndpoint::new("https://b.example/")).await.unwrap_err();
    assert!(rule.to_string().ends_with("denied by the operator: 203.0.113.0/24"), "{rule}");
}

const CANARY_SECRET: &str = "c4nary-c4nary-c4nary-c4nary";

/// Everything that the door hands out, as a team's HTTP API would hand it on.
#[tokio::test]
async fn what_the_door_shows_holds_no_secret() {
    let fakes = Fakes::new(PlainSigner::new());
    fakes.transport.answers([refused()]);
    let tenant: TenantId = "ours".parse().unwrap();
    let door = fakes.webhooks.tenant(&tenant);
    let new = NewEndpoint::new(format!("https://a.example/hooks?token={CANARY_SECRET}"))
        .secret(CANARY_SECRET)
        .header("authorization", CANARY_SECRET)
        .description("for the books")
        .external_id("crm:7")
        .metadata("team", "billing")
        .retry("none");
    let created = door.endpoints().create(new).await.unwrap();
    assert_eq!(created.secret.as_ref().unwrap().reveal(), CANARY_SECRET, "this once");
    let id = created.endpoint.id;
    let event = door.publish(NewEvent::json("a", CANARY_SECRET).unwrap()).await.unwrap().event;
    fakes.deliver(None).await;

    let endpoint = door.endpoints().get(id).await.unwrap();
    let delivery = DeliveryId::new(event, id);
    let attempts = door.attempts(delivery).await.unwrap().unwrap();
    let endpoints = door.endpoints().list().await.unwrap();
    let deliveries = door.deliveries(DeliveryQuery::new()).await.unwrap();
    assert_eq!((endpoints.len(), deliveries.items.len(), attempts.len()), (1, 1, 1));
    let stored = fakes.webhooks.operator().delivery(delivery).await.unwrap().unwrap();
    assert!(stored.claimed_by.is_some(), "operators see who had it");
    let alone = door.delivery(delivery).await.unwrap().unwrap();
    assert!([&alone, &deliveries.items[0]].iter().all(|it| it.claimed_by.is_none()), "no customer");
    let shown = [
        json(&EndpointView::of(&endpoint)),
        json(&endpoints.iter().map(EndpointView::of).collect::<Vec<_>>()),
        json(&EventView::of(&door.event(event).await.unwrap().unwrap())),
        json(&deliveries.map(|one| DeliveryView::of(&one))),
        json(&attempts.iter().map(AttemptView::of).collect::<Vec<_>>()),
    ];
    for json in &shown {
        assert!(!json.contains("c4nary"), "{json}");
    }
    assert!(shown[0].contains("for the books") && shown[0].contains("crm:7"), "{}", shown[0]);
    assert!(shown[4].contains(r#""kind":"connect""#), "{}", shown[4]);
}

fn json(view: &impl serde::Serialize) -> String {
    serde_json::to_string(view).unwrap()
}
