//! A capability that the store lacks is refused by its name, and nothing is sent or stored.

use std::sync::Arc;

use webhook_registry::{
    DispatcherConfig, EndpointId, Event, EventId, HealthPolicy, Mode, NewEndpoint, NewEvent,
    OrderPolicy, Publisher, RateLimit, StoreError, StoreErrorKind, TenantId, Webhooks,
    store::{Capability, DeliveryQuery, Prune},
};
use webhook_testkit::{MemoryStore, PlainSigner, ScriptedTransport};

/// Settings that a store without shared health and tenant shares accepts.
fn modest() -> DispatcherConfig {
    DispatcherConfig::new().health(HealthPolicy::off()).tenant_share(DispatcherConfig::CONCURRENCY)
}

#[expect(clippy::unwrap_used, reason = "all ports are given")]
fn without(capability: Capability) -> (Webhooks, ScriptedTransport) {
    let transport = ScriptedTransport::new();
    let builder = Webhooks::builder()
        .store(MemoryStore::default().without(capability))
        .transport(transport.clone())
        .signer(PlainSigner::new())
        .dispatcher(modest());
    (builder.build().unwrap(), transport)
}

fn endpoint() -> NewEndpoint {
    NewEndpoint::new("https://billing.example/hooks")
}

fn delivery() -> webhook_registry::DeliveryId {
    let (event, endpoint) = (uuid::Uuid::from_u128(1), uuid::Uuid::from_u128(2));
    webhook_registry::DeliveryId::new(EventId::from_uuid(event), EndpointId::from_uuid(endpoint))
}

/// Capability that an error names, looked for in its causes.
fn named(error: &(dyn std::error::Error + 'static)) -> Option<Capability> {
    let kind = error.downcast_ref::<StoreError>().map(StoreError::kind);
    match (kind, error.source()) {
        (Some(StoreErrorKind::Unsupported(capability)), _) => Some(capability),
        (_, Some(source)) => named(source),
        _ => None,
    }
}

macro_rules! refused {
    ($capability:expr, $call:expr) => {
        let error = $call.await.unwrap_err();
        assert!(
            error.to_string().contains(&format!("does not support {}", $capability)),
            "{error}"
        );
    };
}

#[tokio::test]
async fn settings_of_endpoints_are_refused_without_their_capability() {
    let rate: RateLimit = "10/s".parse().unwrap();
    let ordered = endpoint().order(OrderPolicy::Block);
    for (capability, new) in
        [(Capability::Ordering, ordered), (Capability::RateLimits, endpoint().rate(rate))]
    {
        let (webhooks, _) = without(capability);
        refused!(capability, webhooks.add_endpoint(new));
        let plain = webhooks.add_endpoint(endpoint()).await.unwrap().endpoint;
        let edited = plain.with_order(Some(OrderPolicy::Block)).with_rate(Some(rate));
        refused!(capability, webhooks.operator().update_endpoint(edited));
    }
}

#[test]
fn settings_of_the_dispatcher_are_refused_without_their_capability() {
    let capabilities = [Capability::SharedHealth, Capability::TenantShares];
    for capability in capabilities {
        let build = |config| {
            let store = MemoryStore::default().without(capability);
            let builder = Webhooks::builder().store(store).transport(ScriptedTransport::new());
            builder.signer(PlainSigner::new()).dispatcher(config).build()
        };
        let error = build(DispatcherConfig::new()).unwrap_err().to_string();
        assert!(error.contains(&format!("does not support {capability}; set the ")), "{error}");
        assert!(build(modest()).is_ok(), "{capability}");
    }
}

#[tokio::test]
async fn calls_of_optional_traits_are_refused_by_name() {
    let webhooks = |capability| without(capability).0;
    let directory = webhooks(Capability::Directory);
    refused!(Capability::Directory, directory.operator().endpoints(None));
    let log = webhooks(Capability::Log);
    refused!(Capability::Log, log.operator().deliveries(DeliveryQuery::new()));
    let operations = webhooks(Capability::Operations);
    refused!(Capability::Operations, operations.operator().redeliver(&[delivery()]));
    refused!(Capability::Operations, operations.operator().cancel(&[delivery()]));
    refused!(Capability::Operations, operations.operator().skip(&[delivery()]));
    let maintenance = webhooks(Capability::Maintenance);
    refused!(Capability::Maintenance, maintenance.operator().status());
    refused!(
        Capability::Maintenance,
        maintenance.operator().prune(Prune::older_than(Default::default()))
    );
    let notices = webhooks(Capability::Notices);
    refused!(Capability::Notices, notices.notices().read(10));
}

#[tokio::test]
async fn a_tracked_publish_is_refused_before_anything_is_sent() {
    let transport = ScriptedTransport::new();
    let url = "https://billing.example/hooks".parse().unwrap();
    let clock = Arc::new(webhook_testkit::ManualClock::new());
    let (signer, sent_by) = (Arc::new(PlainSigner::new()), Arc::new(transport.clone()));
    let publisher = Publisher::new(delivery().endpoint, url, sent_by, signer, clock.clone())
        .tracked(Arc::new(MemoryStore::new(clock).without(Capability::Tracking)));
    let event = Event::new(delivery().event, "a".parse().unwrap(), Default::default(), "{}");
    let error = publisher.publish(&event).await.unwrap_err();
    assert_eq!(named(&error), Some(Capability::Tracking));
    assert!(transport.requests().is_empty());
}

#[test]
fn notices_are_not_published_without_their_queue() {
    let builder = Webhooks::builder()
        .store(MemoryStore::default().without(Capability::Notices))
        .transport(ScriptedTransport::new())
        .signer(PlainSigner::new())
        .mode(Mode::Both)
        .notices_to(TenantId::default());
    let error = builder.build().unwrap_err();
    assert_eq!(error.to_string(), "the store does not support notices; use a store that does");
}

#[tokio::test]
async fn a_store_without_any_optional_part_publishes_and_delivers() {
    let store = Capability::ALL.into_iter().fold(MemoryStore::default(), MemoryStore::without);
    let transport = ScriptedTransport::new();
    let webhooks = Webhooks::builder()
        .store(store)
        .transport(transport.clone())
        .signer(PlainSigner::new())
        .dispatcher(modest())
        .build()
        .unwrap();
    webhooks.add_endpoint(endpoint()).await.unwrap();
    let event = NewEvent::new("invoice.paid", "{}").unwrap();
    webhooks.publish(event).await.unwrap();
    webhooks.run_until_idle(None, std::future::pending()).await.unwrap();
    assert_eq!(transport.requests().len(), 1);
}
