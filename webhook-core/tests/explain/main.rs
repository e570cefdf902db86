//! What `explain` says, situation by situation, as a support engineer reads it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is the failed test"
)]

mod history;

use std::time::Duration;

use history::{History, answered, asked, failed};
use webhook_core::{
    DeliveryStatus, DisabledReason, EndpointState, Health, HealthPolicy, Timestamp, Trigger,
    policy::HealthSignal,
    transport::{Phase, TransportErrorKind},
};
use webhook_testkit::expect;

fn timeout() -> webhook_core::Outcome {
    failed(TransportErrorKind::Timeout(Phase::Exchange))
}

#[test]
fn new_and_nobody_works() {
    History::begin().later(5).reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        next: due for 5s; it waits for a worker with a free slot for this endpoint (does one run?)
    "#]]);
}

#[test]
fn delivered_at_once() {
    History::begin().attempt(answered(200)).later(60).reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1m ago: status 200
          the receiver has it
        now: delivered; nothing is left to do
    "#]]);
}

#[test]
fn delivered_after_retries() {
    let history = History::begin().attempt(answered(503)).when_due().attempt(timeout());
    history.when_due().attempt(answered(204)).later(60).reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 5m29s ago: status 503
          the receiver has trouble of its own
        attempt 2, 5m24s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        attempt 3, 1m ago: status 204
          the receiver has it
        now: delivered; nothing is left to do
    "#]]);
}

#[test]
fn waits_by_the_retry_policy() {
    let history = History::begin().attempt(answered(500)).when_due().attempt(timeout());
    let history = history.when_due().attempt(answered(404)).later(60);
    history
        .reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 5m29s ago: status 500
          the receiver has trouble of its own
        attempt 2, 5m24s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        attempt 3, 1m ago: status 404
          the receiver has nothing at this URL
        next: attempt 4 of 10 in 24m21s, after the 3rd wait of its retry policy (30m, spread by 20%)
    "#]])
        .reads_to_tenant(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 5m29s ago: status 500
          the receiver has trouble of its own
        attempt 2, 5m24s ago: timeout
          no answer in time: the receiver may have it all the same
        attempt 3, 1m ago: status 404
          the receiver has nothing at this URL
        next: attempt 4 of 10 in 24m21s, after the 3rd wait of its retry policy (30m, spread by 20%)
    "#]]);
}

#[test]
fn waits_as_the_receiver_asked_of_this_delivery() {
    History::begin().attempt(asked(500, 3600)).later(60).reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1m ago: status 500
          the receiver has trouble of its own
        next: attempt 2 of 10 in 59m, as the receiver asked by Retry-After
    "#]]);
}

#[test]
fn waits_after_a_fault_of_our_own() {
    let history = History::begin().attempt(failed(TransportErrorKind::Local));
    let history = history.when_due().attempt(failed(TransportErrorKind::Local)).later(2);
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 7s ago: this sender could not make the exchange
          our own fault: does not count against the receiver
        attempt 2, 2s ago: this sender could not make the exchange
          our own fault: does not count against the receiver
        next: attempt 3 (try 1 of 10) in 7s, after the short wait for faults of our own, which use up no try
    "#]]);
}

#[test]
fn waits_after_a_stale_connection() {
    let history = History::begin().attempt(answered(500)).when_due().attempt(answered(500));
    let history = history.when_due().attempt(failed(TransportErrorKind::StaleConnection)).later(1);
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 4m30s ago: status 500
          the receiver has trouble of its own
        attempt 2, 4m25s ago: status 500
          the receiver has trouble of its own
        attempt 3, 1s ago: the receiver closed the kept connection
          a kept connection was closed: says nothing of the receiver
        next: attempt 4 of 10 in 3s, after the 1st wait of its retry policy (5s, spread by 20%), as the closed connection says nothing of the receiver
    "#]]);
}

#[test]
fn waits_by_a_retry_policy_that_was_changed_since() {
    let mut history = History::begin().attempt(timeout()).when_due().attempt(timeout()).later(20);
    history.endpoint.retry = "1m,1h,1d".parse().unwrap();
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 25s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        attempt 2, 20s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        next: attempt 3 of 4 in 4m4s, by a retry policy it had before, or as the outcome was recorded late
    "#]]);
    history.endpoint.retry = "1m".parse().unwrap();
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 25s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        attempt 2, 20s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        next: it is given up in 4m4s, as its retry policy allows no more than 2 attempts by now
    "#]]);
}

#[test]
fn the_endpoint_rests_after_failures() {
    let mut history = History::begin().attempt(answered(502)).when_due();
    for _ in 0..10 {
        let change =
            history.endpoint.health.after(HealthSignal::Bad, None, at(&history), &POLICY, 8);
        history.endpoint.health = change.health;
    }
    history.later(3).reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 8s ago: status 502
          the receiver has trouble of its own
        next: an attempt in 27s or later, as the endpoint has failed 11 times in a row and cools down until then; one delivery is the probe, and no attempt is used up meanwhile
    "#]]).reads_to_tenant(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 8s ago: status 502
          the receiver has trouble of its own
        next: an attempt in 27s or later, as the endpoint has failed 11 times in a row and cools down until then; one delivery is the probe, and no attempt is used up meanwhile
    "#]]);
}

const POLICY: HealthPolicy = HealthPolicy::new();

fn at(history: &History) -> Timestamp {
    history.delivery.due_at.unwrap()
}

#[test]
fn the_endpoint_asked_for_a_pause() {
    let history = History::begin().attempt(asked(429, 30));
    // Another of its deliveries, which has not been tried yet.
    let mut other = History::begin().later(3);
    other.endpoint.health = history.endpoint.health;
    other.reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        next: an attempt in 27s or later, as the receiver asked for a pause (429 or 503 with Retry-After)
    "#]]);
    history.later(3).reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 3s ago: status 429
          the receiver asks for fewer requests
        next: attempt 2 of 10 in 27s, as the receiver asked by Retry-After
    "#]]);
}

#[test]
fn the_endpoint_gets_so_many_a_second() {
    let mut history = History::begin().later(3);
    history.endpoint = history.endpoint.with_rate("10/s".parse().ok());
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        next: due; the endpoint gets 10/s burst 10, and others of it are before this one (does a worker run?)
    "#]]).reads_to_tenant(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        next: due; the endpoint gets 10/s burst 10, and others of it are before this one
    "#]]);
}

#[test]
fn paused() {
    let history = History::begin().attempt(answered(500)).later(1);
    history.state(EndpointState::Paused).reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1s ago: status 500
          the receiver has trouble of its own
        next: nothing, as the endpoint is paused; resume it
    "#]]);
}

#[test]
fn disabled_by_hand_by_410_and_by_failing_for_days() {
    let history = History::begin().later(60);
    let disabled = |reason| history.clone().state(EndpointState::Disabled(reason));
    disabled(DisabledReason::ByHand).reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        next: nothing, as the endpoint is disabled (by hand); enable it
    "#]]);
    disabled(DisabledReason::Gone).reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        next: nothing, as the endpoint is disabled (it answered 410 Gone); enable it
    "#]]);
    disabled(DisabledReason::Failing).reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        next: nothing, as the endpoint is disabled (for days nothing but failures); enable it
    "#]]);
}

/// Another delivery of the same ordering key, stored before.
fn earlier(history: &History) -> webhook_core::Delivery {
    let mut earlier = history.delivery.clone();
    earlier.id.event = webhook_core::EventId::from_uuid(uuid::Uuid::from_u128(9));
    earlier
}

#[test]
fn waits_for_an_earlier_delivery_of_its_ordering_key() {
    let history = History::begin();
    let first = earlier(&history);
    history.behind(first).later(60).reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        next: waits for an earlier delivery of its ordering key: 00000000000000000000000000000009.00000000000000000000000000000002
    "#]]);
}

#[test]
fn blocked_by_an_earlier_delivery_that_was_given_up() {
    let history = History::begin();
    let mut first = earlier(&history.clone().attempt(answered(400)));
    first.status = DeliveryStatus::Failed;
    history.behind(first).later(60).reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        next: nothing, blocked since an earlier delivery of its ordering key failed, 1m ago: skip or redeliver 00000000000000000000000000000009.00000000000000000000000000000002
    "#]]);
}

#[test]
fn given_up_and_blocks_the_later_ones_of_its_ordering_key() {
    let mut history = History::begin();
    history.endpoint.retry = "none".parse().unwrap();
    let history = history.attempt(answered(400)).later(60);
    let itself = history.delivery.clone();
    history.behind(itself).reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1m ago: status 400
          the receiver refused it
        now: given up, as the retry policy allows no further attempt; the later ones of its ordering key wait: redeliver it, or skip it
    "#]]);
}

#[test]
fn in_flight_with_its_worker() {
    let history = History::begin().attempt(timeout()).when_due().claimed("host-1:4711").later(12);
    history
        .reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 17s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        now: a worker has it: host-1:4711, for 12s; if it is lost another takes over in 33s
    "#]])
        .reads_to_tenant(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 17s ago: timeout
          no answer in time: the receiver may have it all the same
        now: an attempt is under way, for 12s
    "#]]);
    let mut nameless = history;
    nameless.delivery.claimed_by = None;
    nameless.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 17s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        now: a worker has it, for 12s; if it is lost another takes over in 33s
    "#]]);
}

#[test]
fn its_worker_is_lost_and_nobody_has_taken_over() {
    let history = History::begin().claimed("host-1:4711").later(50);
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        now: the lease of host-1:4711 ended 5s ago, and it has not said what came of it; another worker takes over (does one run?)
    "#]]).reads_to_tenant(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        now: an attempt is under way, for 50s
    "#]]);
    history.state(EndpointState::Paused).reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        next: nothing, as the endpoint is paused; resume it
    "#]]);
}

#[test]
fn a_lost_worker_was_taken_over() {
    let lost = History::begin().claimed("host-1:4711").lost();
    let history = lost.claimed("host-2:17").ends(answered(200)).later(60);
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1m45s ago: the worker was lost during this attempt
          our worker was lost: the receiver may have it all the same
        attempt 2, 1m ago: status 200
          the receiver has it
        now: delivered; nothing is left to do
    "#]]);
}

#[test]
fn given_up_after_the_last_attempt() {
    let mut history = History::begin();
    history.endpoint.retry = "5s".parse().unwrap();
    let history = history.attempt(answered(401)).when_due().attempt(answered(403)).later(60);
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1m5s ago: status 401
          the receiver did not trust the request: compare its secret
        attempt 2, 1m ago: status 403
          the receiver did not trust the request: compare its secret
        now: given up, as the retry policy allows no further attempt; redeliver it to try again
    "#]]);
}

#[test]
fn given_up_as_the_receiver_wants_nothing_more() {
    let history = History::begin().attempt(answered(410)).later(60);
    history.state(EndpointState::Disabled(DisabledReason::Gone)).reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1m ago: status 410
          the receiver wants nothing more, ever
        now: given up, as the receiver wants nothing more, ever; redeliver it to try again
    "#]]);
}

#[test]
fn given_up_as_the_address_is_refused() {
    let history = History::begin().attempt(failed(TransportErrorKind::BlockedLiteral)).later(60);
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1m ago: address not allowed
          the address is not public: nothing was sent
        now: given up, as the address is not allowed, and the URL would not change; redeliver it to try again
    "#]]);
}

#[test]
fn redirected() {
    History::begin().attempt(answered(301)).later(1).reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1s ago: status 301
          redirects are never followed: the endpoint's URL has to change
        next: attempt 2 of 10 in 3s, after the 1st wait of its retry policy (5s, spread by 20%)
    "#]]);
}

#[test]
fn cancelled_with_its_endpoint() {
    let history =
        History::begin().attempt(answered(500)).later(1).status(DeliveryStatus::Cancelled);
    history.reads_without_endpoint(&expect![[r#"
        the endpoint was removed, or it was sent without one
        attempt 1, 1s ago: status 500
          the receiver has trouble of its own
        now: called off, by hand or with its endpoint; redeliver it to try again
    "#]]);
}

#[test]
fn missed() {
    let history = History::begin().status(DeliveryStatus::Missed).later(3600);
    history.state(EndpointState::Disabled(DisabledReason::ByHand)).reads(&expect![[r#"
        the endpoint wants invoice.*
        no attempt is on record
        now: missed, as the endpoint was disabled when the event came; enable it and replay
    "#]]);
}

#[test]
fn redelivered_by_hand_with_a_fresh_budget() {
    let mut history = History::begin();
    history.endpoint.retry = "5s,5m".parse().unwrap();
    let history = history.attempt(timeout()).when_due().attempt(timeout()).when_due();
    let history = history.attempt(timeout()).later(600).again(Trigger::Manual);
    history.later(1).attempt(answered(500)).later(1).reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 14m31s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        attempt 2, 14m26s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        attempt 3, 10m2s ago: timed out during the exchange
          no answer in time: the receiver may have it all the same
        attempt 4, 1s ago, redelivered by hand: status 500
          the receiver has trouble of its own
        next: attempt 5 (try 2 of 3) in 3s, after the 1st wait of its retry policy (5s, spread by 20%)
    "#]]);
}

#[test]
fn replayed() {
    let history = History::begin().status(DeliveryStatus::Missed).later(3600);
    let history = history.again(Trigger::Replay).later(2).attempt(answered(200)).later(60);
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1m ago, by a replay: status 200
          the receiver has it
        now: delivered; nothing is left to do
    "#]]);
}

#[test]
fn sent_as_a_test() {
    let history = History::begin().again(Trigger::Test).attempt(answered(413)).later(1);
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1s ago, as a test: status 413
          the receiver takes no body of this size
        next: attempt 2 of 10 in 3s, after the 1st wait of its retry policy (5s, spread by 20%)
    "#]]);
}

#[test]
fn not_wanted_any_more() {
    let mut history = History::begin().attempt(answered(204)).later(60);
    history.endpoint = history.endpoint.with_filters(vec!["order.*".parse().unwrap()]);
    history.reads(&expect![[r#"
        the endpoint wants such events no more; what came about before is delivered
        attempt 1, 1m ago: status 204
          the receiver has it
        now: delivered; nothing is left to do
    "#]]);
}

#[test]
fn a_rest_that_ends_before_the_delivery_is_due_is_not_in_its_way() {
    let mut history = History::begin().attempt(answered(500)).later(1);
    let until = HealthSignal::Busy(Duration::from_secs(1));
    let began = history.delivery.created_at;
    history.endpoint.health = Health::HEALTHY.after(until, None, began, &POLICY, 8).health;
    history.reads(&expect![[r#"
        the endpoint wants invoice.*
        attempt 1, 1s ago: status 500
          the receiver has trouble of its own
        next: attempt 2 of 10 in 3s, after the 1st wait of its retry policy (5s, spread by 20%)
    "#]]);
}
