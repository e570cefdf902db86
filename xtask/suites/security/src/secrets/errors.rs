//! What errors say of an input with a secret in it: themselves, and all that caused them.

use std::error::Error;

use http::HeaderMap;
use webhook_core::{
    ClientIdentity, CustomHeaders, EndpointTls, EndpointUrl, NewEvent, Secret, Signing, SigningKey,
    Timestamp,
    signing::{Message, Verifier, WEBHOOK_SIGNATURE, standard_signature},
    store::SecretVault as _,
    transport::{Request, Transport as _},
};
use webhook_http::{HttpTransport, Proxy, RingSigner, RingVault, VaultKey};
use webhook_registry::{NewEndpoint, Settings, Webhooks, database::SeaOrmStore};
use webhook_testkit::MemoryStore;

use super::{
    pem,
    scan::{count, times},
};
use crate::attempt_report::error_text;

/// An input that is refused, and what is said of it.
struct Refused {
    input: String,
    outcome_text: String,
}

pub(crate) async fn outcome_text(canary: &str) -> String {
    let mut refused = of_core(canary);
    refused.extend(of_adapters(canary));
    refused.extend(of_exchanges(canary).await);
    refused.extend(of_registry(canary).await);
    let count = |text: &str| count(text.as_bytes(), canary);
    if let Some(beside) = refused.iter().find(|one| count(&one.input) == 0) {
        return format!("the canary is not in `{}`", beside.input);
    }
    let guarded: usize = refused.iter().map(|one| count(&one.outcome_text)).sum();
    format!("{} in {} errors", times(guarded), refused.len())
}

fn of_core(canary: &str) -> Vec<Refused> {
    let mut all = Vec::new();
    for text in
        [format!("whsec_{canary}!"), format!("whpk_{canary}"), format!("{canary}\n"), many(canary)]
    {
        all.push(refused(&text, text.parse::<Secret>()));
    }
    for url in [
        format!("https://user:{canary}@a.example/"),
        format!("https://a.example:port/?{canary}"),
        format!("https://[{canary}]/"),
        format!("https://a.example/#{canary}"),
        format!("https://a.example/ ?{canary}"),
        format!("ftp://user:{canary}@a.example/"),
    ] {
        all.push(refused(&url, url.parse::<EndpointUrl>()));
    }
    for (name, value) in [
        ("authorization", format!("{canary}\n")),
        ("host", canary.to_owned()),
        ("a b", canary.to_owned()),
        ("authorization", many(canary)),
    ] {
        all.push(refused(&value, CustomHeaders::new([(name, &value)])));
    }
    all.push(refused(canary, CustomHeaders::parse([canary])));
    let certificate = "-----BEGIN CERTIFICATE-----";
    let key = pem(canary);
    for (certificate, key) in [
        (canary, &*key),
        (&*key, &*key),
        (certificate, canary),
        (certificate, &*key.replace("PRIVATE", "ENCRYPTED PRIVATE")),
    ] {
        let input = format!("{certificate}{key}");
        all.push(refused(&input, ClientIdentity::from_pem(certificate, key)));
    }
    all.extend(of_signing(canary));
    all
}

fn of_signing(canary: &str) -> Vec<Refused> {
    let plain: Secret = canary.parse().unwrap();
    let message = Message::new("id", Timestamp::default(), b"");
    let standard = webhook_core::Profile::Standard;
    let keys = vec![SigningKey::new(plain.clone())];
    let headers = HeaderMap::from_iter([
        (webhook_core::signing::WEBHOOK_ID, "id".parse().unwrap()),
        (webhook_core::signing::WEBHOOK_TIMESTAMP, "0".parse().unwrap()),
        (WEBHOOK_SIGNATURE, format!("v1,{canary}").parse().unwrap()),
    ]);
    let verifier = Verifier::new(format!("whsec_{canary}").parse().unwrap());
    vec![
        refused(canary, standard_signature(&RingSigner, &plain, &message)),
        refused(canary, Signing::new(keys, vec![standard])),
        refused(canary, verifier.verify(&RingSigner, &headers, b"", Timestamp::default())),
    ]
}

fn of_adapters(canary: &str) -> Vec<Refused> {
    let (key, pem) = (VaultKey::generate().unwrap(), pem(canary));
    let ours: VaultKey = canary.parse().unwrap();
    let sealed = RingVault::new(ours).seal(canary.as_bytes(), b"").unwrap();
    let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let identity = ClientIdentity::from_pem(certificate, &*pem).unwrap();
    let tls = EndpointTls::new().with_identity(identity);
    let transport = HttpTransport::builder().dangerous_allow_private_addresses();
    let proxy = format!("ftp://user:{canary}@proxy.example");
    let two = format!("{canary}{canary}");
    vec![
        refused(&two, two.parse::<VaultKey>()),
        refused(canary, RingVault::new(key.clone()).open(canary, b"")),
        refused(&format!("{sealed} of {canary}"), RingVault::new(key).open(&sealed, b"")),
        refused(&proxy, proxy.parse::<Proxy>()),
        refused(&pem, transport.clone().root_certificates_pem(&*pem).build()),
        refused(&pem, transport.build().unwrap().accepts_tls(&tls)),
    ]
}

/// Requests that go nowhere: nobody listens, and a place that is refused.
async fn of_exchanges(canary: &str) -> Vec<Refused> {
    let mut all = Vec::new();
    let strict = HttpTransport::builder().root_certificates_pem(root());
    for transport in [strict.clone(), strict.dangerous_allow_private_addresses()] {
        let url = format!("https://127.0.0.1:9/?token={canary}");
        let value = format!("Bearer {canary}").parse().unwrap();
        let headers = HeaderMap::from_iter([(http::header::AUTHORIZATION, value)]);
        let request = Request::new(url.parse().unwrap(), headers, canary.to_owned().into());
        all.push(refused(&url, transport.build().unwrap().send(request).await));
    }
    all
}

async fn of_registry(canary: &str) -> Vec<Refused> {
    let mut all = Vec::new();
    for (variable, value) in [
        ("WEBHOOK_VAULT_KEY", format!("{canary}{canary}")),
        ("WEBHOOK_PROXY", format!("ftp://user:{canary}@proxy.example")),
    ] {
        let lookup = |name: &str| (name == variable).then(|| value.clone().into());
        all.push(refused(&value, Settings::from_lookup(lookup)));
    }
    for url in [
        format!("oracle://user:{canary}@db.example/x"),
        format!("postgres://user:{canary}@127.0.0.1:9/x?password={canary}"),
        format!("mysql://user:{canary}@127.0.0.1:9/x"),
        format!("sqlite:///nowhere/webhooks.db?key={canary}"),
    ] {
        all.push(refused(&url, SeaOrmStore::connect(&url).await));
    }
    let builder = Webhooks::builder().store(MemoryStore::default()).max_body(1);
    let transport = HttpTransport::builder().root_certificates_pem(root()).build().unwrap();
    let webhooks = builder.transport(transport).build().unwrap();
    for url in [
        format!("https://user:{canary}@a.example/"),
        format!("https://127.0.0.1/?token={canary}"),
        format!("https://a.example:6379/?token={canary}"),
    ] {
        all.push(refused(&url, webhooks.add_endpoint(NewEndpoint::new(&url)).await));
    }
    let good = || NewEndpoint::new("https://a.example/");
    for (input, new) in [
        (format!("whsec_{canary}!"), good().secret(format!("whsec_{canary}!"))),
        (format!("{canary}\n"), good().header("authorization", format!("{canary}\n"))),
        (pem(canary), good().client_certificate("", pem(canary))),
    ] {
        all.push(refused(&input, webhooks.add_endpoint(new).await));
    }
    let event = NewEvent::new("a", canary.to_owned()).unwrap();
    all.push(refused(canary, webhooks.publish(event).await));
    all
}

fn refused<T>(input: &str, answer: Result<T, impl Error + 'static>) -> Refused {
    let outcome_text = match answer {
        Ok(_) => format!("nothing: {input} is taken"),
        Err(error) => error_text(&error),
    };
    Refused { input: input.to_owned(), outcome_text }
}

/// More of it than fits anywhere.
fn many(canary: &str) -> String {
    canary.repeat(200)
}

/// A root, so that a transport can be built on any machine.
pub(crate) fn root() -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(vec!["a.example".to_owned()]).unwrap();
    params.self_signed(&key).unwrap().pem()
}
