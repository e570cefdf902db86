//! Each step, and what it works on.

use std::{hint::black_box, time::SystemTime};

use bytes::Bytes;
use criterion::Criterion;
use http::StatusCode;
use ring::hmac;
use tokio::runtime::Handle;
use uuid::Uuid;
use webhook_registry::{
    DeliveryId, Endpoint, EndpointId, EndpointUrl, Event, EventId, Mode, Outcome, RetryPolicy,
    Signing, TenantId, Timestamp, Webhooks,
    policy::{classify, decide, fan_out},
    signing::{RingSigner, Verifier, verify},
    store::{DeliveryQuery, Progress, RoutingEntry, Snapshot, TenantVersion},
    transport::{HttpTransport, Response, Transport as _, compose},
};

use crate::{
    Failure,
    fixture::{Fixture, TO_ALL, transport},
    load::event,
};

/// Endpoints of one tenant.
const ENDPOINTS: u128 = 10_000;

/// Deliveries on a page of the log.
const PAGE: usize = 100;

/// What a secret looks like.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Values that all steps use.
pub(super) struct StepFixture {
    now: Timestamp,
    event: Event,
    endpoint: Endpoint,
    exact: Snapshot,
    patterns: Snapshot,
    transport: HttpTransport,
    fixture: Fixture,
    stored: Webhooks,
}

impl StepFixture {
    pub(super) async fn set() -> Result<Self, Failure> {
        let fixture = Fixture::make("sqlite", "rows", 1).await?;
        let builder =
            Webhooks::builder().store(fixture.place.store().await?).mode(Mode::PublishOnly);
        let stored = builder.transport(transport()?).build()?;
        for _ in 0..PAGE {
            stored.publish(event(TO_ALL, &TenantId::default(), None)?).await?;
        }
        let now = Timestamp::from(SystemTime::now());
        let url: EndpointUrl = "https://93.184.215.14/hooks".parse()?;
        let endpoint = Endpoint::new(EndpointId::from_uuid(Uuid::now_v7()), url);
        let endpoint = endpoint.with_signing(Signing::with_secret(SECRET.parse()?));
        let body = format!(r#"{{"fill":"{}"}}"#, "x".repeat(1013));
        let id = EventId::from_uuid(Uuid::now_v7());
        Ok(Self {
            now,
            event: Event::new(id, "to.5000".parse()?, now, Bytes::from(body)),
            endpoint,
            exact: snapshot(|number| format!("to.{number}"))?,
            patterns: snapshot(|number| format!("from.{number}.*"))?,
            transport: HttpTransport::new()?,
            fixture,
            stored,
        })
    }

    /// Measures each step. Answers their names.
    pub(super) fn run(self, criterion: &mut Criterion) -> Result<Vec<&'static str>, Failure> {
        let mut names = self.signatures(criterion)?;
        names.extend(self.decisions(criterion));
        names.extend(self.rows(criterion)?);
        Handle::current().block_on(self.fixture.clear())?;
        Ok(names)
    }

    /// A request of 1 KiB signed in both profiles, beside what ring takes for the same; and one of its
    /// signatures checked.
    fn signatures(&self, criterion: &mut Criterion) -> Result<Vec<&'static str>, Failure> {
        let Self { event, endpoint, now, .. } = self;
        let keys = [SECRET.as_bytes(); 2].map(|key| hmac::Key::new(hmac::HMAC_SHA256, key));
        criterion.bench_function("ring signs twice", |bencher| {
            bencher.iter(|| keys.each_ref().map(|key| hmac::sign(key, black_box(&event.body))));
        });
        criterion.bench_function("compose and sign", |bencher| {
            bencher.iter(|| compose(black_box(event), endpoint, &RingSigner, *now));
        });
        let headers = compose(event, endpoint, &RingSigner, *now)?.headers;
        let verifier = Verifier::new(SECRET.parse()?);
        verify(&verifier, &headers, &event.body)?;
        criterion.bench_function("verify", |bencher| {
            bencher.iter(|| verify(&verifier, black_box(&headers), &event.body));
        });
        Ok(vec!["ring signs twice", "compose and sign", "verify"])
    }

    /// What an outcome means and leads to, who gets an event, and whether an address may be dialled.
    fn decisions(&self, criterion: &mut Criterion) -> Vec<&'static str> {
        let Self { event, endpoint, now, exact, patterns, transport, .. } = self;
        let outcome = Outcome::Answered(Response::new(StatusCode::SERVICE_UNAVAILABLE));
        let (id, policy) = (DeliveryId::new(event.id, endpoint.id), RetryPolicy::durable());
        criterion.bench_function("classify and decide", |bencher| {
            bencher.iter(|| {
                let verdict = classify(black_box(&outcome), *now);
                decide(id, Progress::of_attempt(3), verdict, &policy)
            });
        });
        for (name, snapshot) in
            [("fan out, 10,000 names", exact), ("fan out, 10,000 patterns", patterns)]
        {
            let event_type = &event.event_type;
            criterion.bench_function(name, |bencher| {
                bencher.iter(|| fan_out(snapshot, black_box(event_type)));
            });
        }
        criterion.bench_function("verdict on an address", |bencher| {
            bencher.iter(|| transport.accepts(black_box(&endpoint.url)).is_ok());
        });
        vec![
            "classify and decide",
            "fan out, 10,000 names",
            "fan out, 10,000 patterns",
            "verdict on an address",
        ]
    }

    /// A page of the log, rows and all.
    fn rows(&self, criterion: &mut Criterion) -> Result<Vec<&'static str>, Failure> {
        let (handle, stored) = (Handle::current(), &self.stored);
        let page =
            || handle.block_on(stored.operator().deliveries(DeliveryQuery::new().limit(PAGE)));
        if page()?.items.len() != PAGE {
            return Err("the page is not full".into());
        }
        criterion.bench_function("read 100 deliveries", |bencher| bencher.iter(|| page().is_ok()));
        Ok(vec!["read 100 deliveries"])
    }
}

/// Ten thousand endpoints, each with one filter.
fn snapshot(filter: impl Fn(u128) -> String) -> Result<Snapshot, Failure> {
    let entry = |number| {
        let id = EndpointId::from_uuid(Uuid::from_u128(number));
        Ok::<_, Failure>(RoutingEntry::new(id, vec![filter(number).parse()?]))
    };
    let endpoints = (0..ENDPOINTS).map(entry).collect::<Result<Vec<_>, _>>()?;
    Ok(Snapshot::new(TenantId::default(), TenantVersion::from_u64(1), endpoints))
}
