//! Claims beside the fast path: publishers and claims share slots, endpoints and their settings.

use std::time::Duration;

use webhook_core::{
    DeliveryStatus::{Failed, Pending, Success},
    DispatcherConfig, StoreErrorKind, Timeout,
};
use webhook_testkit::{Fault, StoreCall, silence, status};

use crate::process::Process;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_claim_releases_deliveries_whose_slots_are_taken() {
    let mut process = Process::running(2);
    process.transport.otherwise(silence());
    process.publish_elsewhere(2);
    // The claim has leased both when a publisher takes a slot.
    process.store.fails(StoreCall::ClaimDue, [Fault::Held]);
    process.advance_to_poll();
    assert_eq!(process.publish(1), 1);
    process.store.release_held(StoreCall::ClaimDue);
    process.work();
    assert_eq!(process.sent(), 2, "the limit of the endpoint");
    let waiting = process.states().iter().filter(|(status, _)| *status == Pending).count();
    assert_eq!(waiting, 1);
    assert_eq!(process.publish(1), 0, "it is not overtaken");
}

#[test]
fn slots_released_during_a_claim_are_used_by_the_next() {
    let mut process = Process::running(2);
    process.transport.answers([2, 3].map(|halves| status(200).after(SECOND / 2 * halves)));
    process.transport.otherwise(silence());
    assert_eq!(process.publish(2), 2);
    process.publish_elsewhere(2);
    process.work();
    process.store.fails(StoreCall::ClaimDue, [Fault::Held]);
    process.advance(SECOND);
    process.advance(SECOND / 2);
    assert_eq!(process.sent(), 2, "two slots are free, and the claim has seen one of them");
    process.store.release_held(StoreCall::ClaimDue);
    process.work();
    assert_eq!(process.sent(), 4);
}

#[test]
fn a_slot_is_free_before_the_attempt_is_recorded() {
    let mut process = Process::running(1);
    process.store.fails(StoreCall::Finish, [Fault::Held, Fault::Held]);
    assert_eq!(process.publish(1), 1);
    process.work();
    assert_eq!(process.states(), [(Success, 1)], "stored, and the answer is held");
    assert_eq!(process.publish(1), 1, "no attempt is in flight");
    process.publish_elsewhere(1);
    process.work();
    process.advance_to_poll();
    assert_eq!(process.sent(), 3);
}

#[test]
fn newer_settings_of_an_endpoint_replace_the_publishers() {
    let mut process = Process::running(4);
    process.publish(1);
    process.work();
    let publish = process.publish_half(1);
    process.move_endpoint();
    // By a claim the dispatcher learns them before the publisher returns.
    process.publish_elsewhere(1);
    process.advance_to_poll();
    process.finish(publish);
    process.work();
    let urls: Vec<_> =
        process.transport.requests().iter().map(|sent| sent.request.url.to_string()).collect();
    assert_eq!(urls, ["https://a.example/", "https://b.example/", "https://b.example/"]);
}

#[test]
fn a_short_lease_limits_the_timeout_of_an_attempt() {
    let config = DispatcherConfig::new()
        .max_timeout(SECOND * 2)
        .recording_budget(SECOND)
        .claim_budget(SECOND)
        .lease(SECOND * 4);
    let mut process = Process::new(config, 1);
    assert_eq!(process.endpoint().timeout, Timeout::MAX);
    process.start();
    process.transport.answers([silence()]);
    assert_eq!(process.publish(1), 1);
    process.work();
    assert_eq!(process.transport.requests()[0].request.timeout, SECOND * 2);
    process.advance(SECOND * 9 / 4);
    assert_eq!(process.states(), [(Pending, 1)], "cut off, to be repeated");
}

#[test]
fn a_gone_endpoint_gets_nothing_before_that_is_recorded() {
    let mut process = Process::running(4);
    process.transport.answers([status(410)]);
    process.store.fails(StoreCall::Finish, [Fault::Before(StoreErrorKind::Unavailable)]);
    process.publish(1);
    process.work();
    assert_eq!(process.publish(1), 1, "the publisher does not know it yet");
    process.work();
    assert_eq!(process.sent(), 1);
    (0..3).for_each(|_| process.advance_to_poll());
    assert_eq!(process.sent(), 1);
    assert_eq!(process.states(), [(Pending, 0), (Failed, 1)]);
}

#[test]
fn a_full_endpoint_is_claimed_when_its_attempt_ends() {
    let mut process = Process::running(1);
    process.transport.answers([status(200).after(SECOND / 2)]);
    assert_eq!(process.publish(1), 1);
    process.work();
    let claims = process.claims();
    assert_eq!(process.publish(1), 0);
    process.work();
    assert_eq!(process.claims(), claims, "not for each of its events");
    process.advance(SECOND / 2);
    assert_eq!(process.sent(), 2, "without a poll");
}
