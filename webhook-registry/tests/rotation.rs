//! A secret is replaced while deliveries are under way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

use std::{future::pending, sync::Arc, time::Duration};

use webhook_registry::{
    Clock, EndpointError, EndpointId, InvalidEndpoint, InvalidSigning, NewEndpoint, NewEvent,
    RingSigner, Rotation, Secret, Verifier, Webhooks,
};
use webhook_testkit::{
    ManualClock, MemoryStore, ScriptedTransport, SentRequest, SequenceIds, status,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Deliveries before the rotation, during the overlap, and after it.
const EACH: usize = 4_000;

struct Fakes {
    clock: ManualClock,
    transport: ScriptedTransport,
    webhooks: Webhooks,
    endpoint: EndpointId,
    secret: Secret,
}

impl Fakes {
    async fn new() -> Self {
        let clock = ManualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let transport = ScriptedTransport::with_clock(shared.clone());
        let webhooks = Webhooks::builder()
            .store(MemoryStore::new(shared))
            .transport(transport.clone())
            .signer(RingSigner)
            .clock(clock.clone())
            .ids(SequenceIds::new())
            .build()
            .unwrap();
        let new = NewEndpoint::new("https://billing.example/hooks").retry("1h");
        let registered = webhooks.add_endpoint(new).await.unwrap();
        let (endpoint, secret) = (registered.endpoint.id, registered.secret.unwrap());
        Self { clock, transport, webhooks, endpoint, secret }
    }

    async fn publish(&self, count: usize) {
        let events = (0..count).map(|_| NewEvent::json("a", "x").unwrap()).collect();
        for published in self.webhooks.publish_many(events).await {
            published.unwrap();
        }
    }

    /// Makes what is due within a minute, turning the clock whenever everybody waits.
    async fn deliver(&self) {
        let turn = async {
            loop {
                tokio::task::yield_now().await;
                if let Some(wait) = self.clock.next_deadline() {
                    self.clock.advance(wait);
                }
            }
        };
        let horizon = Some(Duration::from_secs(60));
        tokio::select! {
            biased;
            done = self.webhooks.run_until_idle(horizon, pending()) => { done.unwrap(); }
            () = turn => {}
        }
    }

    async fn rotate(&self) -> Secret {
        let rotated = self.webhooks.operator().rotate_secret(self.endpoint, Rotation::new()).await;
        rotated.unwrap().secret.unwrap()
    }
}

/// Whether a receiver that knows this secret alone trusts a request.
fn trusts(secret: &Secret, sent: &SentRequest) -> bool {
    let SentRequest { request, at, .. } = sent;
    let verifier = Verifier::new(secret.clone());
    verifier.verify(&RingSigner, &request.headers, &request.body, *at).is_ok()
}

#[tokio::test]
async fn either_secret_verifies_everything_during_the_overlap_and_the_old_one_nothing_after_it() {
    let fakes = Fakes::new().await;
    fakes.publish(EACH).await;
    fakes.deliver().await;
    // Some are under way when the secret changes: stored before, and tried again after it.
    fakes.transport.answers((0..EACH).map(|_| status(503)));
    fakes.publish(EACH).await;
    fakes.deliver().await;
    let before = fakes.transport.requests().len();
    let new = fakes.rotate().await;
    fakes.clock.advance(Duration::from_secs(2 * 60 * 60));
    fakes.publish(EACH).await;
    fakes.deliver().await;
    let during = fakes.transport.requests().len();
    fakes.clock.advance(DAY);
    fakes.publish(EACH).await;
    fakes.deliver().await;

    let sent = fakes.transport.requests();
    assert_eq!((before, during, sent.len()), (2 * EACH, 4 * EACH, 5 * EACH));
    let trusted = |range: &[SentRequest]| {
        let count = |secret| range.iter().filter(|sent| trusts(secret, sent)).count();
        (count(&fakes.secret), count(&new))
    };
    assert_eq!(trusted(&sent[..before]), (before, 0));
    assert_eq!(trusted(&sent[before..during]), (during - before, during - before));
    assert_eq!(trusted(&sent[during..]), (0, sent.len() - during));
}

#[tokio::test]
async fn a_secret_that_has_leaked_is_replaced_at_once() {
    let fakes = Fakes::new().await;
    let at_once = Rotation::new().overlap(Duration::ZERO);
    let rotated = fakes.webhooks.operator().rotate_secret(fakes.endpoint, at_once).await.unwrap();
    fakes.publish(1).await;
    fakes.deliver().await;
    let sent = fakes.transport.requests();
    assert!(!trusts(&fakes.secret, &sent[0]) && trusts(&rotated.secret.unwrap(), &sent[0]));
}

#[tokio::test]
async fn a_rotation_that_cannot_be_changes_nothing() {
    let fakes = Fakes::new().await;
    let operator = fakes.webhooks.operator();
    let before = operator.endpoint(fakes.endpoint).await.unwrap().revision;
    let plain = Rotation::new().secret("plain".parse().unwrap());
    for (rotation, expected) in [
        (plain, InvalidSigning::NeedsPrefix),
        (Rotation::new().overlap(DAY * 8), InvalidSigning::LongOverlap),
    ] {
        let refused = operator.rotate_secret(fakes.endpoint, rotation).await;
        let Err(EndpointError::Invalid(InvalidEndpoint::Signing(reason))) = refused else {
            unreachable!("it is refused: {refused:?}")
        };
        assert_eq!(reason, expected);
    }
    assert_eq!(operator.endpoint(fakes.endpoint).await.unwrap().revision, before);
    let gone = EndpointId::from_uuid(uuid::Uuid::nil());
    let refused = operator.rotate_secret(gone, Rotation::new()).await;
    assert!(matches!(refused, Err(EndpointError::NotFound(id)) if id == gone));
}
