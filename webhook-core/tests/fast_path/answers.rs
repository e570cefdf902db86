//! Answers of the store: results of a publish and the fate of its leases.

use std::{iter::repeat_n, time::Duration};

use webhook_core::{
    DeliveryStatus::{InFlight, Pending, Success},
    DispatcherConfig,
    StoreErrorKind::{Other, Refused, Unavailable, Unknown},
    store::{
        DeliveryLog as _,
        Enqueued::{Conflict, Duplicate, EndpointGone, Later, Routed},
        NewDelivery, Store as _,
    },
};
use webhook_testkit::{Fault, StoreCall, sample};

use crate::process::{Process, ready};

#[test]
fn an_event_that_is_not_stored_frees_its_slot() {
    let mut process = Process::running(1);
    let event = process.event();
    assert_eq!(process.publish_event(&event), Ok(Routed(1)));
    process.work();
    let claims = process.claims();
    let other = sample::event("b").into_event(|| event.id, event.occurred_at);
    let answers = [(&event, Duplicate(event.id)), (&other, Conflict(event.id))];
    for (sent, (event, answer)) in (1..).zip(answers) {
        assert_eq!(process.publish_event(event), Ok(answer));
        process.work();
        assert_eq!((process.sent(), process.claims()), (sent, claims), "after {answer:?}");
        assert_eq!(process.publish(1), 1, "after {answer:?}");
        process.work();
    }
}

#[test]
fn the_endpoints_are_read_again_after_a_later_answer() {
    let mut process = Process::running(1);
    let reads = |process: &Process| process.store.calls(StoreCall::Routing);
    process.publish(1);
    process.work();
    process.move_endpoint();
    assert_eq!(process.publish_event(&process.event()), Ok(Later));
    assert_eq!((process.publish(1), reads(&process)), (1, 2), "the slot is free");
    process.work();
    assert_eq!(process.sent(), 3, "a wake-up routes the event without a poll");
}

#[test]
fn an_error_is_returned_and_frees_the_slot() {
    let process = Process::running(1);
    process.store.fails(StoreCall::Routing, [Fault::Before(Unavailable)]);
    assert_eq!(process.publish_event(&process.event()), Err(Unavailable));
    assert_eq!(process.store.calls(StoreCall::Enqueue), 0);
    for (tries, kind) in (1..).zip([Unavailable, Refused, Other]) {
        process.store.fails(StoreCall::Enqueue, [Fault::Before(kind)]);
        assert_eq!(process.publish_event(&process.event()), Err(kind));
        assert_eq!(process.store.calls(StoreCall::Enqueue), tries, "not stored again");
    }
    assert_eq!(process.publish(1), 1);
}

#[test]
fn a_lost_answer_sends_nothing_before_the_lease_expires() {
    let mut process = Process::running(1);
    process.store.fails(StoreCall::Enqueue, [Fault::After(Unknown)]);
    let claims = process.claims();
    assert_eq!(process.publish_event(&process.event()), Ok(Later), "stored by the first try");
    process.work();
    assert_eq!(process.claims(), claims + 1, "the dispatcher is woken");
    process.advance(DispatcherConfig::LEASE - Duration::from_millis(1));
    assert_eq!(process.sent(), 0);
    assert_eq!(process.publish(1), 1, "its slot is free");
    process.work();
    process.advance_to_poll();
    assert_eq!(process.sent(), 2);
    assert_eq!(process.states(), [(Success, 1), (Success, 2)], "the lost attempt counts");
}

#[test]
fn a_batch_stored_again_has_no_leases_and_is_claimed() {
    let mut process = Process::running(2);
    process.store.fails(StoreCall::Enqueue, [Fault::Before(Unknown)]);
    let claims = process.claims();
    assert_eq!(process.publish(2), 0);
    assert_eq!(process.states(), [(Pending, 0); 2]);
    process.work();
    assert_eq!(process.sent(), 2, "without a poll");
    assert!(process.claims() > claims);
    assert_eq!(process.publish(2), 2, "the slots are free");
}

#[test]
fn a_retry_reports_the_duplicate_of_another_event() {
    let process = Process::running(1);
    let keyed = || process.event().with_key("order-17".parse().ok());
    let (first, second) = (keyed(), keyed());
    assert_eq!(process.publish_event(&first), Ok(Routed(1)));
    process.store.fails(StoreCall::Enqueue, [Fault::After(Unknown)]);
    assert_eq!(process.publish_event(&second), Ok(Duplicate(first.id)));
}

#[test]
fn three_lost_answers_are_returned_as_unknown() {
    let mut process = Process::running(1);
    process.store.fails(StoreCall::Enqueue, repeat_n(Fault::After(Unknown), 3));
    let event = process.event();
    assert_eq!(process.publish_event(&event), Err(Unknown));
    assert_eq!(process.store.calls(StoreCall::Enqueue), 3);
    process.work();
    assert_eq!(process.sent(), 0);
    assert_eq!(process.publish_event(&event), Ok(Duplicate(event.id)), "published again");
}

#[test]
fn an_error_after_a_lost_answer_is_returned_as_unknown() {
    let process = Process::running(1);
    for kind in [Unavailable, Refused, Other] {
        let faults = [Fault::After(Unknown), Fault::Before(kind)];
        process.store.fails(StoreCall::Enqueue, faults);
        let event = process.event();
        assert_eq!(process.publish_event(&event), Err(Unknown), "the first commit took effect");
        assert_eq!(process.publish_event(&event), Ok(Duplicate(event.id)));
    }
}

#[test]
fn a_late_answer_releases_the_lease_unused() {
    let mut process = Process::running(1);
    let publish = process.publish_half(1);
    process.clock.advance(DispatcherConfig::CLAIM_BUDGET + Duration::from_millis(1));
    process.finish(publish);
    process.work();
    assert_eq!((process.sent(), process.store.calls(StoreCall::Release)), (0, 1));
    process.advance_to_poll();
    assert_eq!(process.states(), [(Success, 1)], "the attempt that was not made does not count");
}

#[test]
fn a_shutdown_waits_for_a_publish_and_releases_its_leases() {
    let mut process = Process::new(DispatcherConfig::new(), 4);
    process.start_for(Duration::from_secs(1));
    let publish = process.publish_half(2);
    process.advance(Duration::from_secs(1));
    process.finish(publish);
    let report = process.end().unwrap();
    assert_eq!((report.released, report.cut, process.sent()), (2, 0, 0), "{report:?}");
    assert_eq!(process.states(), [(Pending, 0); 2]);
}

#[test]
fn leases_of_a_stopped_dispatcher_are_released_or_expire() {
    let released = (Fault::None, (Pending, 0), Duration::ZERO, 1);
    let failed = (Fault::Before(Unavailable), (InFlight, 1), DispatcherConfig::LEASE, 2);
    for (fault, stored, wait, attempts) in [released, failed] {
        let mut process = Process::running(4);
        process.store.fails(StoreCall::Release, [fault]);
        let publish = process.publish_half(2);
        process.crash();
        process.finish(publish);
        assert_eq!(process.states(), [stored; 2], "{fault:?}");
        process.start();
        process.advance(wait);
        assert_eq!(process.states(), [(Success, attempts); 2], "{fault:?}");
    }
}

#[test]
fn a_direct_publish_ignores_filters_and_is_claimed() {
    let (stored, lost) = (Fault::None, Fault::After(Unknown));
    let table = [(stored, Routed(1)), (Fault::Before(Unknown), Routed(1)), (lost, Later)];
    for (fault, expected) in table {
        let mut process = Process::running(1);
        process.edit(|endpoint| endpoint.filters = vec!["other".parse().unwrap()]);
        process.store.fails(StoreCall::Enqueue, [fault]);
        let (event, to) = (process.event(), NewDelivery::pending(process.endpoint().id));
        let answer = ready(process.publisher.publish_directly(event, to)).unwrap();
        assert_eq!(answer, expected, "{fault:?}");
        process.work();
        assert_eq!(process.states(), [(Success, 1)], "without a poll, {fault:?}");
    }
}

#[test]
fn a_direct_publish_to_a_removed_endpoint_stores_nothing() {
    let process = Process::running(1);
    let (event, removed) = (process.event(), process.endpoint());
    ready(process.memory.remove_endpoint(&removed.tenant, removed.id)).unwrap();
    let (id, to) = (event.id, NewDelivery::pending(removed.id));
    assert_eq!(ready(process.publisher.publish_directly(event, to)).unwrap(), EndpointGone);
    assert_eq!(ready(process.memory.event(id)).unwrap(), None);
}
