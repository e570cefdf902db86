//! A secret is replaced while deliveries are under way.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

mod fakes;

use std::{ops::Deref, time::Duration};

use fakes::Fakes;

use webhook_registry::{
    DispatcherConfig, EndpointId, HealthPolicy, NewEndpoint, NewEvent, Rotation, Secret,
    error::{EndpointError, InvalidEndpoint, InvalidSigning},
    signing::{RingSigner, Verifier},
};
use webhook_testkit::{SentRequest, status};

const SECRET_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);
/// Deliveries made before the rotation, stored before and made after it, stored in the overlap, and
/// after it: 20,000.
const DELIVERIES_PER_PHASE: usize = 5_000;

/// A process with an endpoint, and its first secret.
struct RotationFixture {
    fakes: Fakes,
    endpoint: EndpointId,
    secret: Secret,
}

impl Deref for RotationFixture {
    type Target = Fakes;

    fn deref(&self) -> &Fakes {
        &self.fakes
    }
}

impl RotationFixture {
    async fn new() -> Self {
        // All are tried, however many fail.
        let config = DispatcherConfig::new().health(HealthPolicy::off());
        let fakes = Fakes::with(RingSigner, config);
        let new = NewEndpoint::new("https://billing.example/hooks").retry("1h");
        let registered = fakes.webhooks.add_endpoint(new).await.unwrap();
        let (endpoint, secret) = (registered.endpoint.id, registered.secret.unwrap());
        Self { fakes, endpoint, secret }
    }

    async fn publish(&self, count: usize) {
        let events = (0..count).map(|_| NewEvent::json("a", "x").unwrap()).collect();
        for published in self.webhooks.publish_many(events).await {
            published.unwrap();
        }
    }

    /// Makes what is due within a minute.
    async fn deliver(&self) {
        self.fakes.deliver(Some(Duration::from_secs(60))).await;
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
    let world = RotationFixture::new().await;
    world.publish(DELIVERIES_PER_PHASE).await;
    world.deliver().await;
    // Some are under way when the secret changes: stored before, and tried again after it.
    world.transport.answers((0..DELIVERIES_PER_PHASE).map(|_| status(503)));
    world.publish(DELIVERIES_PER_PHASE).await;
    world.deliver().await;
    let before = world.transport.requests().len();
    let new = world.rotate().await;
    world.clock.advance(Duration::from_secs(2 * 60 * 60));
    world.publish(DELIVERIES_PER_PHASE).await;
    world.deliver().await;
    let during = world.transport.requests().len();
    world.clock.advance(SECRET_OVERLAP);
    world.publish(DELIVERIES_PER_PHASE).await;
    world.deliver().await;

    let sent = world.transport.requests();
    assert_eq!(
        (before, during, sent.len()),
        (2 * DELIVERIES_PER_PHASE, 4 * DELIVERIES_PER_PHASE, 5 * DELIVERIES_PER_PHASE)
    );
    let trusted = |range: &[SentRequest]| {
        let count = |secret| range.iter().filter(|sent| trusts(secret, sent)).count();
        (count(&world.secret), count(&new))
    };
    assert_eq!(trusted(&sent[..before]), (before, 0));
    assert_eq!(trusted(&sent[before..during]), (during - before, during - before));
    assert_eq!(trusted(&sent[during..]), (0, sent.len() - during));
}

#[tokio::test]
async fn a_secret_that_has_leaked_is_replaced_at_once() {
    let world = RotationFixture::new().await;
    let at_once = Rotation::new().overlap(Duration::ZERO);
    let rotated = world.webhooks.operator().rotate_secret(world.endpoint, at_once).await.unwrap();
    world.publish(1).await;
    world.deliver().await;
    let sent = world.transport.requests();
    assert!(!trusts(&world.secret, &sent[0]) && trusts(&rotated.secret.unwrap(), &sent[0]));
}

#[tokio::test]
async fn a_rotation_that_cannot_be_changes_nothing() {
    let world = RotationFixture::new().await;
    let operator = world.webhooks.operator();
    let before = operator.endpoint(world.endpoint).await.unwrap().revision;
    let plain = Rotation::new().secret("plain".parse().unwrap());
    for (rotation, expected) in [
        (plain, InvalidSigning::NeedsPrefix),
        (Rotation::new().overlap(SECRET_OVERLAP * 8), InvalidSigning::LongOverlap),
    ] {
        let refused = operator.rotate_secret(world.endpoint, rotation).await;
        let Err(EndpointError::Invalid(InvalidEndpoint::Signing(reason))) = refused else {
            unreachable!("it is refused: {refused:?}")
        };
        assert_eq!(reason, expected);
    }
    assert_eq!(operator.endpoint(world.endpoint).await.unwrap().revision, before);
    let gone = EndpointId::from_uuid(uuid::Uuid::nil());
    let refused = operator.rotate_secret(gone, Rotation::new()).await;
    assert!(matches!(refused, Err(EndpointError::NotFound(id)) if id == gone));
}
