use super::*;
use crate::model::id::EndpointId;
use crate::{
    model::{
        endpoint::Endpoint,
        event::Event,
        id::{DeliveryId, EventId, LeaseEpoch, Revision},
        time::Timestamp,
    },
    port::Clock,
};
use std::sync::Arc;
use uuid::Uuid;

const SECOND: Duration = Duration::from_secs(1);
const DUE_NOW: Option<Duration> = Some(Duration::ZERO);

fn claim(number: u128) -> Claim {
    let id = EventId::from_uuid(Uuid::from_u128(number));
    let event = Event::new(id, "a".parse().unwrap(), Timestamp::default(), "{}");
    let endpoint = EndpointId::from_uuid(Uuid::from_u128(number % 2));
    let epoch = LeaseEpoch::default().next();
    let lease = Lease { delivery: DeliveryId::new(id, endpoint), epoch };
    Claim::new(lease, Arc::new(event), Revision::default())
}

fn claims(count: u128) -> Vec<Claim> {
    (0..count).map(claim).collect()
}

fn finish(claim: &Claim, settle: Settle) -> Finish {
    Finish::new(claim.lease, Vec::new(), 1, settle)
}

fn schedule(config: DispatcherConfig) -> Schedule {
    let admission = Admission::new(Arc::new(Stopped), &config);
    Schedule::new(config, Arc::new(admission))
}

/// Clock that stands still.
#[derive(Debug)]
struct Stopped;

#[async_trait::async_trait]
impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::default()
    }

    fn monotonic(&self) -> Duration {
        SECOND
    }

    async fn sleep(&self, _: Duration) {}
}

/// A schedule with room for four that holds so many claims, made at one second, and has just
/// routed.
fn holding(count: u128, next_due: Option<Duration>) -> (Schedule, Vec<Claim>) {
    let mut schedule = schedule(DispatcherConfig::new().concurrency(4));
    assert_eq!(limit(&mut schedule, SECOND), Some(4));
    assert!(schedule.begin_routing(SECOND));
    schedule.routed(Routing { routed: 0, more: false, next_due: None }, SECOND);
    let held = claims(count);
    schedule.claimed(&held, None, next_due, SECOND, SECOND);
    (schedule, held)
}

/// The limit of the claim that begins now.
fn limit(schedule: &mut Schedule, now: Duration) -> Option<usize> {
    schedule.begin_claim(now).map(|claim| claim.limit)
}

fn record(schedule: &mut Schedule, claim: &Claim, settle: Settle, was_full: bool) {
    schedule.finish_later(finish(claim, settle), HealthSignal::None, was_full, SECOND);
    let batch = schedule.begin_recording(SECOND).unwrap();
    schedule.recorded(&batch, SECOND);
}

#[test]
fn no_more_is_claimed_than_there_are_slots() {
    let (mut schedule, _) = holding(3, DUE_NOW);
    let next = schedule.begin_claim(SECOND).unwrap();
    assert_eq!(next.limit, 1);
    assert_eq!(next.in_flight.values().copied().collect::<Vec<_>>(), [2, 1]);
    schedule.claimed(&[claim(3)], None, DUE_NOW, SECOND, SECOND);
    assert_eq!(limit(&mut schedule, SECOND), None);
    assert!(schedule.idle_for(SECOND) > SECOND / 2, "and nothing is looked for meanwhile");
}

#[test]
fn a_slot_is_free_again_when_its_attempt_is_recorded() {
    let (mut schedule, held) = holding(4, DUE_NOW);
    record(&mut schedule, &held[0], Settle::Success, false);
    assert_eq!(limit(&mut schedule, SECOND), Some(1));
    assert_eq!(schedule.held(), 3);
}

#[test]
fn a_second_batch_is_written_down_beside_the_first_when_there_is_much_and_no_third() {
    let mut schedule = schedule(DispatcherConfig {
        batch: 3 * SECOND_BATCH_MIN_OUTCOMES,
        ..DispatcherConfig::new()
    });
    let claims = claims(3 * SECOND_BATCH_MIN_OUTCOMES as u128 + 1);
    assert!(schedule.begin_claim(SECOND).is_some() && schedule.begin_routing(SECOND));
    schedule.claimed(&claims, None, None, SECOND, SECOND);
    let (first, others) = claims.split_first().unwrap();
    schedule.finish_later(finish(first, Settle::Success), HealthSignal::None, false, SECOND);
    let first = schedule.begin_recording(SECOND).unwrap();
    let mut batches = Vec::new();
    for claim in others {
        schedule.finish_later(finish(claim, Settle::Success), HealthSignal::None, false, SECOND);
        batches.extend(schedule.begin_recording(SECOND).map(|batch| batch.len()));
    }
    assert_eq!((first.len(), batches), (1, vec![SECOND_BATCH_MIN_OUTCOMES]));
    assert!(schedule.idle_for(SECOND) > Duration::ZERO, "nothing can be done about the rest yet");
    schedule.recorded(&first, SECOND);
    assert_eq!(
        schedule.begin_recording(SECOND).map(|batch| batch.len()),
        Some(2 * SECOND_BATCH_MIN_OUTCOMES)
    );
}

#[test]
fn one_claim_is_under_way_at_a_time() {
    let mut schedule = schedule(DispatcherConfig::new());
    assert!(schedule.begin_claim(SECOND).is_some());
    schedule.wake(SECOND);
    assert!(schedule.begin_claim(SECOND).is_none());
}

#[test]
fn a_hint_that_comes_during_a_claim_or_a_routing_is_not_lost() {
    let mut schedule = schedule(DispatcherConfig::new());
    assert!(schedule.begin_claim(SECOND).is_some() && schedule.begin_routing(SECOND));
    schedule.wake(SECOND);
    schedule.claimed(&[], None, None, SECOND, SECOND * 2);
    let none = Routing { routed: 0, more: false, next_due: None };
    schedule.routed(none, SECOND * 2);
    assert!(schedule.begin_claim(SECOND * 2).is_some() && schedule.begin_routing(SECOND * 2));
}

#[test]
fn work_left_for_want_of_slots_is_looked_for_when_one_is_free_and_not_in_a_loop() {
    let (mut schedule, held) = holding(1, DUE_NOW);
    assert_eq!(limit(&mut schedule, SECOND), Some(3));
    schedule.claimed(&[], None, DUE_NOW, SECOND, SECOND);
    assert_eq!(limit(&mut schedule, SECOND), None, "an empty claim is not repeated at once");
    record(&mut schedule, &held[0], Settle::Success, false);
    assert_eq!(limit(&mut schedule, SECOND), Some(4));
}

#[test]
fn an_endpoint_that_was_full_may_have_more() {
    let (mut schedule, held) = holding(1, None);
    record(&mut schedule, &held[0], Settle::Success, true);
    assert_eq!(
        limit(&mut schedule, SECOND),
        None,
        "claims of a full endpoint are spread over time"
    );
    assert_eq!(schedule.idle_for(SECOND), FULL_ENDPOINT_CLAIM_PAUSE);
    assert_eq!(limit(&mut schedule, SECOND + FULL_ENDPOINT_CLAIM_PAUSE), Some(4));
}

#[test]
fn slots_of_an_endpoint_that_is_behind_are_filled_as_soon_as_they_come_free() {
    let (mut schedule, held) = holding(2, None);
    let endpoint = held[0].lease.delivery.endpoint;
    let url = "https://a.example/".parse().unwrap();
    schedule.admission.with_slots(|slots| slots.mark_backlogged(&Endpoint::new(endpoint, url)));
    record(&mut schedule, &held[1], Settle::Success, false);
    assert_eq!(limit(&mut schedule, SECOND), None, "another endpoint's slot");
    record(&mut schedule, &held[0], Settle::Success, false);
    assert_eq!(limit(&mut schedule, SECOND), Some(4));
}

#[test]
fn after_events_were_routed_others_are_looked_for_soon_and_then_ever_later() {
    let mut schedule = schedule(DispatcherConfig::new().poll(SECOND));
    let mut now = SECOND;
    let mut pauses = Vec::new();
    for routed in [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0] {
        assert!(schedule.begin_routing(now));
        schedule.routed(Routing { routed, more: false, next_due: None }, now);
        pauses.push(schedule.route_at.saturating_sub(now).as_millis());
        now = schedule.route_at;
    }
    assert_eq!(pauses[1..13], [4, 8, 16, 32, 4, 8, 16, 32, 64, 128, 256, 512]);
    let polls = [pauses[0], pauses[13], pauses[14]];
    assert!(polls.iter().all(|pause| (900..=1100).contains(pause)), "{polls:?}");
}

#[test]
fn a_hint_during_a_claim_or_a_routing_is_no_reason_to_go_round_in_circles() {
    let mut schedule = schedule(DispatcherConfig::new());
    assert!(schedule.begin_claim(SECOND).is_some() && schedule.begin_routing(SECOND));
    schedule.wake(SECOND);
    assert_eq!(schedule.idle_for(SECOND), NEVER - SECOND);
}

#[test]
fn what_ends_in_order_lets_the_next_one_be_claimed_at_once() {
    for (settle, ordered, expected) in [
        (Settle::Success, true, Some(3)),
        (Settle::Failed, true, Some(3)),
        (Settle::Retry(SECOND), true, None),
        (Settle::Success, false, None),
    ] {
        let (mut schedule, held) = holding(2, None);
        schedule.finish_later(
            finish(&held[0], settle).with_ordered(ordered),
            HealthSignal::None,
            false,
            SECOND,
        );
        let batch = schedule.begin_recording(SECOND).unwrap();
        schedule.recorded(&batch, SECOND);
        assert_eq!(limit(&mut schedule, SECOND), expected, "{settle:?}, ordered: {ordered}");
    }
}

#[test]
fn a_retry_is_claimed_when_it_is_due_not_at_the_next_poll() {
    let (mut schedule, held) = holding(1, None);
    record(&mut schedule, &held[0], Settle::Retry(SECOND / 10), false);
    assert_eq!(limit(&mut schedule, SECOND + SECOND / 11), None);
    assert_eq!(limit(&mut schedule, SECOND + SECOND / 10), Some(4));
}

#[test]
fn polls_are_spread_by_a_tenth() {
    let mut schedule = schedule(DispatcherConfig::new());
    let polls: Vec<_> = (0..1000).map(|_| schedule.next_poll()).collect();
    let (least, most) = (polls.iter().min().unwrap(), polls.iter().max().unwrap());
    assert!(*least >= Duration::from_millis(900) && *least < Duration::from_millis(910));
    assert!(*most <= Duration::from_millis(1100) && *most > Duration::from_millis(1090));
}

#[test]
fn a_failing_store_is_left_alone_longer_each_time_and_never_for_long() {
    let (mut schedule, held) = holding(1, DUE_NOW);
    schedule.finish_later(finish(&held[0], Settle::Success), HealthSignal::None, false, SECOND);
    for pause in [1, 2, 4, 5, 5, 5] {
        schedule.store_failed(SECOND);
        let until = SECOND + Duration::from_secs(pause);
        let before = until - Duration::from_millis(1);
        assert!(schedule.begin_recording(before).is_none());
        assert!(schedule.begin_claim(before).is_none() && !schedule.begin_routing(before));
        assert_eq!(schedule.idle_for(SECOND), Duration::from_secs(pause));
    }
    assert!(schedule.begin_recording(Duration::from_secs(6)).is_some());
}

#[test]
fn what_is_known_is_recorded_however_late() {
    let (mut schedule, held) = holding(2, None);
    schedule.finish_later(finish(&held[0], Settle::Success), HealthSignal::None, false, SECOND);
    let ended = SECOND + DispatcherConfig::LEASE * 2;
    assert_eq!(schedule.begin_recording(ended).map(|batch| batch.len()), Some(1));
}

#[test]
fn a_claim_is_given_back_until_it_comes_back_by_itself() {
    let (mut schedule, held) = holding(2, None);
    schedule.release_later(held[0].lease, SECOND);
    assert_eq!(schedule.begin_releasing(SECOND), Some(vec![held[0].lease]));
    schedule.released();
    schedule.release_later(held[0].lease, SECOND + DispatcherConfig::LEASE);
    assert_eq!(schedule.begin_releasing(SECOND + DispatcherConfig::LEASE), None);
    assert_eq!(schedule.held(), 1, "its slot is free");
}

#[test]
fn an_attempt_begins_only_if_it_can_end_and_be_recorded_under_its_lease() {
    let (schedule, _) = holding(0, None);
    let start_by = schedule.start_by(SECOND, Duration::from_secs(30));
    assert_eq!(start_by, SECOND + DispatcherConfig::CLAIM_BUDGET);
}

#[test]
fn a_drain_takes_nothing_more_and_ends_when_all_is_written_down() {
    let (mut schedule, held) = holding(1, DUE_NOW);
    schedule.drain(SECOND);
    assert!(schedule.begin_claim(SECOND).is_none() && !schedule.begin_routing(SECOND * 9));
    assert!(!schedule.is_done(SECOND), "an attempt is in flight");
    schedule.finish_later(finish(&held[0], Settle::Success), HealthSignal::None, false, SECOND);
    let batch = schedule.begin_recording(SECOND).unwrap();
    assert!(!schedule.is_done(SECOND), "the store is still writing");
    schedule.recorded(&batch, SECOND);
    assert!(schedule.is_done(SECOND));
}

#[test]
fn a_drain_cuts_what_takes_too_long_but_not_what_waits_to_be_written_down() {
    let (mut schedule, held) = holding(2, None);
    schedule.drain(SECOND);
    let until = SECOND + DispatcherConfig::DRAIN;
    assert!(!schedule.is_done(until - Duration::from_millis(1)));
    assert!(schedule.is_done(until));
    schedule.finish_later(finish(&held[0], Settle::Success), HealthSignal::None, false, SECOND);
    assert!(!schedule.is_done(until), "an outcome waits for the store");
    assert!(schedule.is_done(until + DispatcherConfig::RECORDING_BUDGET), "but not for ever");
}
