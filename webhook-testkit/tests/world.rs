//! The engine in a world of fakes: what a test of one's own looks like.

use std::time::Duration;

use webhook_core::{DeliveryId, EndpointState, store::DeliveryLog};
use webhook_testkit::{World, expect, reset, sample, silence, stale, status};

const URL: &str = "https://billing.example/hooks";

#[tokio::test]
async fn an_attempt_lost_with_its_worker_is_on_record() {
    let world = World::with_endpoint(URL, "**").await;
    world.transport.answers([silence()]);
    world.publish(sample::event("invoice.paid")).await;
    world.run_due().await;
    world.advance(Duration::from_secs(10));
    world.crash();
    world.run_to_idle().await;
    world.timeline().assert_eq(expect![[r#"
        00:00:00  attempt 1  unknown        lost
        00:00:45  attempt 2  200            success
    "#]]);
}

#[tokio::test]
async fn a_transport_without_a_deadline_of_its_own_is_cut_off() {
    let world = World::with_endpoint(URL, "**").await;
    world.transport.answers([silence(), reset(), stale()]);
    world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    world.timeline().assert_eq(expect![[r#"
        00:00:00  attempt 1  silence        retry at 00:00:35.250
        00:00:35.250  attempt 2  reset          retry at 00:05:35.250
        00:05:35.250  attempt 3  stale-connection retry at 00:05:40.250
        00:05:40.250  attempt 4  200            success
    "#]]);
}

#[tokio::test]
async fn a_receiver_that_is_gone_gets_nothing_more() {
    let world = World::with_endpoint(URL, "invoice.*").await;
    let other = world.endpoint("https://audit.example/all");
    world.add_endpoint(other).await;
    world.transport.answers_at(URL, [status(410)]);
    world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    world.publish(sample::event("invoice.sent")).await;
    world.run_to_idle().await;
    world.timeline().assert_eq(expect![[r#"
        00:00:00  attempt 1  410            failed  invoice.paid to https://billing.example/hooks
        00:00:00  attempt 1  200            success  invoice.paid to https://audit.example/all
        00:00:00  attempt 1  200            success  invoice.sent to https://audit.example/all
    "#]]);
}

#[tokio::test]
async fn a_world_is_idle_while_its_endpoint_is_paused() {
    let world = World::new();
    let id = world.add_endpoint(world.endpoint(URL)).await;
    world.set_endpoint_state(id, EndpointState::Paused).await;
    let event = world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    assert!(world.transport.requests().is_empty());
    world.set_endpoint_state(id, EndpointState::Active).await;
    world.run_to_idle().await;
    assert_eq!(world.transport.requests().len(), 1);
    assert_eq!(world.store.attempts(DeliveryId::new(event, id)).await.unwrap().len(), 1);
}
