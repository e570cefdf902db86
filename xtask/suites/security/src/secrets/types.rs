//! `Debug` of whatever is public and may hold a secret, and the panics that print it.

use std::{fmt::Debug, panic};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header::AUTHORIZATION};
use webhook_core::{
    ClientIdentity, CustomHeaders, Delivery, DeliveryId, Endpoint, EndpointId, EndpointTls,
    EndpointUrl, EventId, Publisher, Secret, Signing, SigningKey, Timestamp,
    signing::{Message, Verifier},
    store::{RoutingEntry, Snapshot, TenantVersion},
    transport::{Request, Response, compose},
    view::{DeliveryView, EndpointView},
};
use webhook_http::{HttpTransport, RingSigner, RingVault, VaultKey};
use webhook_registry::{
    NewEndpoint, NewEvent, Registry, Rotation, Settings, SystemClock, UuidV7, Webhooks,
    database::SeaOrmStore,
};
use webhook_testkit::MemoryStore;

use super::{
    pem,
    scan::{count, times},
};

pub(crate) async fn debug(canary: &str) -> String {
    let shown = all(canary).await;
    let counted: usize = shown.iter().map(|text| count(text.as_bytes(), canary)).sum();
    format!("{} in {} types", times(counted), shown.len())
}

/// Whoever unwraps a thing of ours, or prints one in a panic.
pub(crate) fn panics(canary: &str) -> String {
    let secret = format!("whsec_{canary}!").parse::<Secret>();
    let url = format!("https://user:{canary}@a.example/").parse::<EndpointUrl>();
    let (endpoint, request) = (endpoint(canary), request(canary));
    let messages = [
        message(|| drop(secret.unwrap())),
        message(|| drop(url.unwrap())),
        message(|| unwrap(Err(endpoint))),
        message(|| panic!("cannot send {request:?}")),
    ];
    times(messages.iter().map(|message| count(message.as_bytes(), canary)).sum())
}

fn unwrap(answer: Result<(), impl Debug>) {
    answer.unwrap();
}

/// With what `what` panics. The hook prints the same, and would print it here.
fn message(what: impl FnOnce()) -> String {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let payload = panic::catch_unwind(panic::AssertUnwindSafe(what));
    panic::set_hook(hook);
    *payload.expect_err("it panics").downcast::<String>().expect("a panic with values has a text")
}

/// Every public type that can hold it, formatted.
async fn all(canary: &str) -> Vec<String> {
    let mut shown = of_core(canary);
    shown.extend(of_adapters(canary));
    shown.extend(of_registry(canary).await);
    shown
}

fn of_core(canary: &str) -> Vec<String> {
    let (endpoint, request) = (endpoint(canary), request(canary));
    let secret = || secret(canary);
    let headers = request.headers.clone();
    let response = Response::new(StatusCode::OK).with_headers(headers);
    let id = DeliveryId::new(EventId::from_uuid(uuid(1)), endpoint.id);
    let (tenant, event_type) = (endpoint.tenant.clone(), "a".parse().unwrap());
    let url = endpoint.url.clone();
    let delivery = Delivery::new(id, tenant.clone(), event_type, url, Timestamp::default());
    let snapshot = Snapshot::new(tenant, TenantVersion::default(), [RoutingEntry::of(&endpoint)]);
    let body = canary.as_bytes();
    let event = NewEvent::new("a", Bytes::copy_from_slice(body)).unwrap();
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap();
    vec![
        show(&secret()),
        show(&SigningKey::new(secret())),
        show(&Signing::with_secret(secret())),
        show(&Verifier::new(secret()).or(secret())),
        show(&endpoint.headers),
        show(&endpoint.url),
        show(&tls(canary)),
        show(tls(canary).identity().unwrap()),
        show(&EndpointView::of(&endpoint)),
        show(&DeliveryView::of(&delivery)),
        show(&delivery),
        show(&snapshot),
        show(&event),
        show(&event.into_event(|| id.event, Timestamp::default())),
        show(&Message::new("id", Timestamp::default(), body)),
        show(&response.with_body(canary.to_owned())),
        show(&Publisher::for_endpoint(
            endpoint.clone(),
            std::sync::Arc::new(transport),
            std::sync::Arc::new(RingSigner),
            std::sync::Arc::new(SystemClock::new()),
        )),
        show(&request),
        show(&endpoint),
    ]
}

fn of_adapters(canary: &str) -> Vec<String> {
    let key: VaultKey = canary.parse().unwrap();
    let proxy = format!("http://user:{canary}@proxy.example:3128");
    let database = format!("sqlite:///srv/webhooks.db?token={canary}");
    let builder = HttpTransport::builder().proxy(proxy.parse().unwrap());
    let builder = builder.dangerous_allow_private_addresses();
    vec![
        show(&key),
        show(&RingVault::new(key)),
        show(&proxy.parse::<webhook_http::Proxy>().unwrap()),
        show(&builder),
        show(&builder.build().unwrap()),
        show(&SeaOrmStore::builder(database)),
    ]
}

async fn of_registry(canary: &str) -> Vec<String> {
    let new = NewEndpoint::new(format!("https://a.example/hooks?token={canary}"))
        .secret(format!("whsec_{canary}"))
        .header("Authorization", format!("Bearer {canary}"));
    let registry = Registry::new();
    registry.register(endpoint(canary));
    let builder = Webhooks::builder().store(MemoryStore::default()).ids(UuidV7);
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap();
    let webhooks = builder.transport(transport).build().unwrap();
    let registered = webhooks.add_endpoint(new.clone()).await.unwrap();
    let settings = Settings::from_lookup(|name| match name {
        "WEBHOOK_DB" => Some(format!("postgres://user:{canary}@db.example/webhooks").into()),
        "WEBHOOK_PROXY" => Some(format!("http://user:{canary}@proxy.example:3128").into()),
        "WEBHOOK_VAULT_KEY" => Some(canary.into()),
        _ => None,
    });
    vec![
        show(&new),
        show(&NewEndpoint::new(format!("https://user:{canary}@a.example/"))),
        show(&Rotation::new().secret(secret(canary))),
        show(&registry),
        show(&webhooks),
        show(&webhooks.operator()),
        show(&registered),
        show(&settings.unwrap()),
    ]
}

fn endpoint(canary: &str) -> Endpoint {
    let url = format!("https://a.example/hooks?token={canary}").parse().unwrap();
    let headers = CustomHeaders::new([("Authorization", format!("Bearer {canary}"))]);
    Endpoint::new(EndpointId::from_uuid(uuid(2)), url)
        .with_signing(Signing::with_secret(secret(canary)))
        .with_headers(headers.unwrap())
        .with_tls(Some(tls(canary)))
}

/// A request of that endpoint, and with one more header that nobody has marked as a secret.
fn request(canary: &str) -> Request {
    let event = NewEvent::new("a", canary.to_owned()).unwrap();
    let event = event.into_event(|| EventId::from_uuid(uuid(1)), Timestamp::default());
    let mut request =
        compose(&event, &endpoint(canary), &RingSigner, Timestamp::default()).unwrap();
    let value = HeaderValue::from_str(canary).unwrap();
    request.headers.extend(HeaderMap::from_iter([(AUTHORIZATION, value)]));
    request
}

fn secret(canary: &str) -> Secret {
    format!("whsec_{canary}").parse().unwrap()
}

fn tls(canary: &str) -> EndpointTls {
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let identity = ClientIdentity::from_pem(certificate, pem(canary)).unwrap();
    EndpointTls::new().with_identity(identity)
}

const fn uuid(number: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(number)
}

fn show(thing: &impl Debug) -> String {
    format!("{thing:?} {thing:#?}")
}
