//! Slots: deliveries that are leased when they are stored, and publishers that wait for a slot.

use std::time::Duration;

use webhook_core::{
    Clock as _,
    DeliveryStatus::{InFlight, Pending, Success},
    DispatcherConfig, EndpointState, OrderPolicy, TenantId,
    engine::EventPublisher,
};
use webhook_testkit::{StoreCall, status};

use crate::process::{Process, ready};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

#[test]
fn publishes_without_a_claim_while_the_dispatcher_runs() {
    let mut process = Process::running(16);
    let claims = process.claims();
    for _ in 0..10 {
        assert_eq!(process.publish(1), 1);
        process.work();
    }
    assert_eq!(process.states(), [(Success, 1); 10]);
    assert_eq!(process.claims(), claims);
    assert_eq!(process.store.calls(StoreCall::Endpoints), 1, "it is loaded once");
    assert_eq!(process.store.calls(StoreCall::Routing), 1, "it is cached");
}

#[test]
fn leased_and_claimed_deliveries_record_the_worker() {
    let config = DispatcherConfig::new().name("host-1:4711".parse().unwrap());
    for leased in [true, false] {
        let mut process = Process::new(config.clone(), 16).started();
        process.transport.otherwise(status(200).after(SECOND * 5));
        if leased {
            assert_eq!(process.publish(1), 1);
        } else {
            process.publish_elsewhere(1);
            process.advance_to_poll();
        }
        let delivery = &process.deliveries()[0];
        let ends = process.clock.now().after(DispatcherConfig::LEASE);
        assert_eq!(delivery.claimed_by, config.worker_name().cloned(), "leased: {leased}");
        assert_eq!(delivery.leased_until, Some(ends), "leased: {leased}");
    }
}

#[test]
fn slots_are_taken_only_while_the_dispatcher_runs() {
    let mut process = Process::new(DispatcherConfig::new(), 16);
    assert_eq!(process.publish(1), 0, "not started");
    process.start_for(SECOND * 9);
    assert_eq!(process.publish(1), 1, "running");
    process.work();
    process.transport.answers([status(200).after(SECOND * 20)]);
    assert_eq!(process.publish(1), 1);
    process.work();
    process.advance(SECOND * 9);
    assert_eq!(process.publish(1), 0, "draining");
    process.crash();
    assert_eq!(process.publish(1), 0, "stopped");
    process.start();
    assert_eq!(process.publish(1), 1, "running again");
}

#[test]
fn a_publisher_without_a_dispatcher_takes_no_slots() {
    let mut process = Process::running(1);
    let other = EventPublisher::new(process.store.clone(), process.wake.clone());
    ready(other.publish(&process.events(1))).unwrap();
    assert_eq!(process.states(), [(Pending, 0)]);
    process.work();
    assert_eq!(process.sent(), 1, "a wake-up claims it without a poll");
}

#[test]
fn deliveries_without_a_slot_wait_and_are_not_overtaken() {
    let mut process = Process::running(4);
    process.transport.otherwise(status(200).after(SECOND));
    assert_eq!(process.publish(6), 4);
    process.work();
    assert_eq!(process.sent(), 4);
    process.clock.advance(SECOND);
    assert_eq!(process.publish(1), 0, "it does not overtake");
    process.work();
    assert_eq!(process.sent(), 7, "as soon as slots are free, without a poll");
    process.advance(SECOND);
    assert_eq!(process.publish(1), 1, "no delivery waits any longer");
}

#[test]
fn a_paused_endpoint_gets_no_slot() {
    let mut process = Process::running(4);
    assert_eq!(process.publish(1), 1);
    process.edit(|endpoint| endpoint.state = EndpointState::Paused);
    process.publisher.forget(&TenantId::default());
    assert_eq!(process.publish(1), 0);
    process.work();
    assert_eq!(process.sent(), 1);
}

#[test]
fn ordered_deliveries_take_no_slot_and_are_claimed() {
    let mut process = Process::running(4);
    process.edit(|endpoint| endpoint.order = Some(OrderPolicy::Block));
    let claims = process.claims();
    let ordered = || process.event().with_ordering_key("order-17".parse().ok());
    let events = [ordered(), ordered(), process.event()];
    ready(process.publisher.publish(&events)).unwrap();
    let leased = (InFlight, 1);
    assert_eq!(process.states(), [leased, (Pending, 0), (Pending, 0)], "only without a key");
    process.work();
    assert!(process.claims() > claims, "the dispatcher is woken for the others");
    assert_eq!(process.sent(), 3, "one after the other, without a poll");
}

#[test]
fn steady_publishing_starves_no_retry() {
    let mut process = Process::new(DispatcherConfig::new().concurrency(8), 100).started();
    process.transport.answers([status(503)]);
    process.transport.otherwise(status(200).after(SECOND));
    process.publish(1);
    process.work();
    // Publishers take each slot as soon as it is free.
    for _ in 0..20 {
        process.publish(4);
        process.advance(SECOND / 2);
    }
    assert_eq!(process.states().last(), Some(&(Success, 2)));
}

#[test]
fn slots_of_a_dropped_run_do_not_count_in_the_next() {
    let mut process = Process::running(4);
    let publish = process.publish_half(4);
    process.crash();
    process.start();
    assert_eq!(process.publish(3), 3);
    drop(publish);
    assert_eq!(process.publish(2), 1);
    process.work();
    assert_eq!(process.sent(), 5);
}

#[test]
fn publishers_wait_for_a_slot_first_come_first_served() {
    let mut process = Process::in_real_time(1);
    process.fill(1, MILLI * 10);
    let (mut first, mut second) = (process.begin(1), process.begin(1));
    assert_eq!(process.poll(&mut first), None, "the endpoint is full");
    assert_eq!(process.poll(&mut second), None);
    process.advance(MILLI * 10);
    assert_eq!(process.poll(&mut second), None, "the slot is for the first");
    assert_eq!(process.poll(&mut first), Some(1));
    process.work();
    process.advance(MILLI * 10);
    assert_eq!(process.poll(&mut second), Some(1));
    assert_eq!(process.poll(&mut process.begin(1)), None, "the endpoint is full again");
}

#[test]
fn a_publisher_waits_at_most_250_ms_for_a_slow_endpoint() {
    let mut process = Process::in_real_time(1);
    process.fill(1, MILLI * 20_000);
    let mut first = process.begin(1);
    assert_eq!(process.poll(&mut first), None);
    process.advance(MILLI * 249);
    assert_eq!(process.poll(&mut first), None);
    process.advance(MILLI);
    assert_eq!(process.poll(&mut first), Some(0), "stored as pending");
    assert_eq!(process.publish(1), 0, "the next does not wait");
}

#[test]
fn an_event_for_several_endpoints_does_not_wait() {
    let mut process = Process::in_real_time(1);
    process.add_endpoint(1);
    process.fill(2, MILLI * 10);
    assert_eq!(process.publish(1), 0, "both are full");
}

#[test]
fn a_dropped_publish_frees_its_slot_for_the_next_in_line() {
    let process = Process::in_real_time(1);
    let publish = process.publish_half(1);
    let mut next = process.begin(1);
    assert_eq!(process.poll(&mut next), None);
    drop(publish);
    assert_eq!(process.poll(&mut next), Some(1));
}

#[test]
fn a_shutdown_ends_the_waits_for_slots() {
    let mut process = Process::in_real_time(1);
    process.crash();
    process.start_for(MILLI * 10);
    process.fill(1, MILLI * 20_000);
    let mut waiting = process.begin(1);
    assert_eq!(process.poll(&mut waiting), None);
    process.advance(MILLI * 10);
    assert_eq!(process.poll(&mut waiting), Some(0));
}

#[test]
fn publishers_do_not_wait_under_a_manual_clock() {
    let mut process = Process::running(1);
    process.fill(1, MILLI * 10);
    assert_eq!(process.publish(1), 0);
}
