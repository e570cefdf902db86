//! The dispatcher over fakes: stories of deliveries, told by the world's timeline.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a panic is the failed test"
)]

use std::time::Duration;

use webhook_core::{
    DeliveryId, DeliveryStatus, EndpointState, FailureKind, RetryPolicy, Trigger,
    store::{DeliveryLog, DeliveryOperations as _, Enqueue, Redeliver, Store, Updated},
};
use webhook_testkit::{World, expect, refused, sample, silence, stale, status, timeout};

const URL: &str = "https://billing.example/hooks";

async fn delivery_of(world: &World, event: webhook_core::EventId) -> webhook_core::Delivery {
    let query = webhook_core::store::DeliveryQuery::new().event(event);
    world.store.deliveries(query).await.unwrap().items.remove(0)
}

async fn kinds(world: &World, id: DeliveryId) -> Vec<(u32, Option<FailureKind>)> {
    let attempts = world.store.attempts(id).await.unwrap();
    attempts
        .into_iter()
        .map(|attempt| (attempt.number, attempt.failure.map(|failure| failure.kind)))
        .collect()
}

#[tokio::test]
async fn a_delivery_survives_an_outage_and_a_slow_down() {
    let world = World::with_endpoint(URL, "invoice.*").await;
    world.transport.answers([
        status(503),
        timeout(),
        status(429).retry_after_secs(600),
        status(200),
    ]);

    world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;

    world.timeline().assert_eq(expect![[r#"
        00:00:00  attempt 1  503            retry at 00:00:05
        00:00:05  attempt 2  timeout        retry at 00:05:35
        00:05:35  attempt 3  429 after 600s retry at 00:35:35
        00:35:35  attempt 4  200            success
    "#]]);
}

#[tokio::test]
async fn ten_failures_in_three_days_are_enough() {
    let world = World::with_endpoint(URL, "**").await;
    world.transport.otherwise(refused());
    let event = world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    let delivery = delivery_of(&world, event).await;
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Failed, 10));
    assert_eq!(delivery.last_error.as_deref(), Some("could not connect"));
}

#[tokio::test]
async fn each_attempt_says_why_it_was_made() {
    let world = World::with_endpoint(URL, "**").await;
    world.transport.answers([status(503), status(503), status(410), status(503), status(200)]);
    let event = world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    let id = delivery_of(&world, event).await.id;
    let endpoint = world.store.endpoints(&[id.endpoint]).await.unwrap().remove(0).unwrap().unwrap();
    world.store.update_endpoint(endpoint.with_state(EndpointState::Active)).await.unwrap();
    world.store.redeliver(vec![Redeliver::new(id)]).await.unwrap();
    world.run_to_idle().await;
    world.store.redeliver(vec![Redeliver::new(id).with_cause(Trigger::Replay)]).await.unwrap();
    // Attempt 6 is lost.
    world.transport.answers([silence()]);
    world.run_due().await;
    world.crash();
    world.run_to_idle().await;

    let attempts = world.store.attempts(id).await.unwrap();
    let triggers: Vec<_> = attempts.iter().map(|attempt| attempt.trigger).collect();
    use Trigger::{First, Manual, Replay, Retry};
    assert_eq!(triggers, [First, Retry, Retry, Manual, Manual, Replay, Replay]);
    assert_eq!(attempts[5].failure.as_ref().unwrap().kind, FailureKind::Unknown);
}

#[tokio::test]
async fn gone_ends_the_delivery_and_disables_the_endpoint() {
    let world = World::with_endpoint(URL, "**").await;
    world.transport.answers([status(410)]);
    let first = world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    assert_eq!(delivery_of(&world, first).await.status, DeliveryStatus::Failed);

    let endpoint = delivery_of(&world, first).await.id.endpoint;
    let endpoint = world.store.endpoints(&[endpoint]).await.unwrap().remove(0).unwrap().unwrap();
    assert_eq!(endpoint.state.to_string(), "disabled-gone");

    let second = world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    let missed = delivery_of(&world, second).await;
    assert_eq!(missed.status, DeliveryStatus::Missed, "nothing is routed to it");
    assert_eq!(world.transport.requests().len(), 1);
}

#[tokio::test]
async fn a_kept_connection_that_was_closed_costs_a_short_wait() {
    let world = World::with_endpoint(URL, "**").await;
    world.transport.answers([status(503), stale(), status(200)]);
    world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    world.timeline().assert_eq(expect![[r#"
        00:00:00  attempt 1  503            retry at 00:00:05
        00:00:05  attempt 2  stale-connection retry at 00:00:10
        00:00:10  attempt 3  200            success
    "#]]);
}

#[tokio::test]
async fn an_attempt_lost_with_its_worker_is_on_record_as_unknown() {
    let world = World::with_endpoint(URL, "**").await;
    world.transport.answers([silence()]);
    let event = world.publish(sample::event("invoice.paid")).await;
    world.run_due().await;
    world.crash();
    world.run_to_idle().await;
    let delivery = delivery_of(&world, event).await;
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Success, 2));
    assert_eq!(kinds(&world, delivery.id).await, [(1, Some(FailureKind::Unknown)), (2, None)]);
}

#[tokio::test]
async fn workers_that_die_of_a_delivery_use_up_its_attempts() {
    let world = World::new();
    let once = world.endpoint(URL).with_retry(RetryPolicy::none());
    world.add_endpoint(once).await;
    world.transport.answers([silence()]);
    let event = world.publish(sample::event("invoice.paid")).await;
    world.run_due().await;
    world.crash();
    world.run_to_idle().await;
    let delivery = delivery_of(&world, event).await;
    assert_eq!((delivery.status, delivery.attempts), (DeliveryStatus::Failed, 1));
    assert_eq!(kinds(&world, delivery.id).await, [(1, Some(FailureKind::Unknown))]);
    assert_eq!(world.transport.requests().len(), 1, "the policy allowed one attempt");
}

#[tokio::test]
async fn a_transport_that_never_answers_is_cut_off() {
    let world = World::with_endpoint(URL, "**").await;
    world.transport.answers([silence()]);
    let event = world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    let delivery = delivery_of(&world, event).await;
    assert_eq!(kinds(&world, delivery.id).await, [(1, Some(FailureKind::Timeout)), (2, None)]);
    let attempts = world.store.attempts(delivery.id).await.unwrap();
    assert_eq!(attempts[0].duration, Duration::from_millis(30_250));
}

#[tokio::test]
async fn an_edit_counts_from_the_next_attempt_on() {
    let world = World::with_endpoint(URL, "**").await;
    world.transport.answers([status(503)]);
    let event = world.publish(sample::event("invoice.paid")).await;
    world.run_due().await;
    let id = delivery_of(&world, event).await.id.endpoint;
    let mut endpoint = world.store.endpoints(&[id]).await.unwrap().remove(0).unwrap().unwrap();
    endpoint.url = "https://elsewhere.example/".parse().unwrap();
    assert!(matches!(world.store.update_endpoint(endpoint).await.unwrap(), Updated::Done(_)));
    world.run_to_idle().await;
    let urls: Vec<_> =
        world.transport.requests().iter().map(|sent| sent.request.url.to_string()).collect();
    assert_eq!(urls, [URL, "https://elsewhere.example/"]);
}

#[tokio::test]
async fn what_a_paused_endpoint_is_owed_waits() {
    let world = World::new();
    let endpoint = world.endpoint(URL).with_state(EndpointState::Paused);
    let id = world.add_endpoint(endpoint).await;
    world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    assert_eq!(world.transport.requests().len(), 0);
    let endpoint = world.store.endpoints(&[id]).await.unwrap().remove(0).unwrap().unwrap();
    world.store.update_endpoint(endpoint.with_state(EndpointState::Active)).await.unwrap();
    world.run_to_idle().await;
    assert_eq!(world.transport.requests().len(), 1);
}

#[tokio::test]
async fn removing_an_endpoint_cancels_what_it_is_owed() {
    let world = World::with_endpoint(URL, "**").await;
    world.transport.answers([status(503)]);
    let event = world.publish(sample::event("invoice.paid")).await;
    world.run_due().await;
    let delivery = delivery_of(&world, event).await;
    assert!(world.store.remove_endpoint(&delivery.tenant, delivery.id.endpoint).await.unwrap());
    world.run_to_idle().await;
    assert_eq!(delivery_of(&world, event).await.status, DeliveryStatus::Cancelled);
    assert_eq!(world.transport.requests().len(), 1);
}

#[tokio::test]
async fn an_event_stored_unrouted_is_routed_by_the_endpoints_of_that_moment() {
    let world = World::new();
    let event = sample::event("invoice.paid")
        .into_event(|| world.ids.event(), webhook_testkit::ManualClock::START);
    world.store.enqueue(vec![Enqueue::unrouted(event)]).await.unwrap();
    world.add_endpoint(world.endpoint(URL)).await;
    world.run_to_idle().await;
    world.timeline().assert_eq(expect![[r#"
        00:00:00  attempt 1  200            success
    "#]]);
}

#[tokio::test]
async fn a_backlog_of_one_endpoint_never_waits_for_a_poll() {
    let world = World::with_endpoint(URL, "**").await;
    for _ in 0..100 {
        world.publish(sample::event("invoice.paid")).await;
    }
    world.run_due().await;
    assert_eq!(world.transport.requests().len(), 100, "the clock has not been turned");
}
