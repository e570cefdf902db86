//! Tests of your own, told as stories: days in milliseconds, without a network.
//! `cargo test --example outage` plays them, `UPDATE_EXPECT=1` writes what happens into the source.
#![cfg_attr(not(test), allow(unused, reason = "it is all tests"))]

use std::time::Duration;
use webhook_core::{DisabledReason, EndpointState};
use webhook_testkit::{World, expect, sample, status};

const URL: &str = "https://billing.example/hooks";

#[tokio::test]
async fn a_delivery_survives_an_outage_of_three_days() {
    let world = World::with_endpoint(URL, "invoice.*").await;
    world.outage(Duration::from_hours(3 * 24));
    world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    world.timeline().assert_eq(expect![[r#"
        00:00:00  attempt 1  refused        retry at 00:00:05
        00:00:05  attempt 2  refused        retry at 00:05:05
        00:05:05  attempt 3  refused        retry at 00:35:05
        00:35:05  attempt 4  refused        retry at 02:35:05
        02:35:05  attempt 5  refused        retry at 07:35:05
        07:35:05  attempt 6  refused        retry at 17:35:05
        17:35:05  attempt 7  refused        retry at 31:35:05
        31:35:05  attempt 8  refused        retry at 51:35:05
        51:35:05  attempt 9  refused        retry at 75:35:05
        75:35:05  attempt 10  200            success
    "#]]);
}

#[tokio::test]
async fn a_receiver_that_is_gone_for_good_is_left_alone() {
    let world = World::new();
    let billing = world.add_endpoint(world.endpoint(URL)).await;
    world.transport.answers([status(410)]);
    world.publish(sample::event("invoice.paid")).await;
    world.run_to_idle().await;
    assert_eq!(world.endpoint_state(billing).await, EndpointState::Disabled(DisabledReason::Gone));
    world.publish(sample::event("invoice.sent")).await;
    world.run_to_idle().await;
    world.timeline().assert_eq(expect!["00:00:00  attempt 1  410            failed\n"]);
}

#[tokio::test]
async fn a_new_secret_signs_the_next_attempt() {
    let world = World::new();
    let billing = world.add_endpoint(world.endpoint(URL)).await;
    let old = world.rotate_secret(billing).await;
    world.transport.answers([status(503)]);
    world.publish(sample::event("invoice.paid")).await;
    world.run_due().await;
    let new = world.rotate_secret(billing).await;
    world.run_to_idle().await;
    let requests = world.transport.requests();
    assert_eq!([&requests[0], &requests[1]].map(|sent| sent.is_signed_with(&new)), [false, true]);
    assert!(requests[1].is_signed_with(&old), "for a day the receiver may know either");
}
fn main() {}
