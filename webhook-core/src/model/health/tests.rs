use super::*;
use crate::model::endpoint_state::{DisabledReason, EndpointState};
use proptest::prelude::*;

const MINUTE_SECS: u64 = 60;
const HOUR_SECS: u64 = 60 * MINUTE_SECS;
const DAY_SECS: u64 = 24 * HOUR_SECS;
const SLOTS: u32 = 16;

/// Health of an endpoint, changed by attempts that end at given seconds.
#[derive(Default)]
struct TestEndpoint {
    health: Health,
    notices: Vec<&'static str>,
    disabled: bool,
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(secs as i64)
}

impl TestEndpoint {
    /// Makes an attempt with this signal, unless health forbids it.
    fn try_at(&mut self, secs: u64, signal: HealthSignal) -> bool {
        if self.disabled || self.health.allows(at(secs), SLOTS) == 0 {
            return false;
        }
        if self.health.wants_probe() {
            self.health = self.health.probed(at(secs + 45));
        }
        self.end_at(secs, signal);
        true
    }

    fn end_at(&mut self, secs: u64, signal: HealthSignal) {
        let change =
            self.health.after(signal, Some("status 500"), at(secs), &HealthPolicy::new(), SLOTS);
        self.health = change.health;
        self.notices.extend(change.notice.as_ref().map(NoticeKind::name));
        self.disabled |= change.disables;
    }

    fn allows(&self, secs: u64) -> u32 {
        self.health.allows(at(secs), SLOTS)
    }
}

/// Signals of a week, each from a given second on.
type Script = &'static [(u64, HealthSignal)];

const BUSY: Script = &[(DAY_SECS, HealthSignal::Busy(Duration::from_secs(HOUR_SECS)))];

fn signal_at(script: Script, secs: u64) -> HealthSignal {
    script
        .iter()
        .rev()
        .find(|(from, _)| *from <= secs)
        .map_or(HealthSignal::Good, |(_, signal)| *signal)
}

#[test]
fn a_week_of_scripted_outcomes() {
    struct Row {
        name: &'static str,
        script: Script,
        /// One attempt is due each so many seconds.
        every: u64,
        notices: &'static [&'static str],
        /// How many attempts were made in the week.
        attempts: std::ops::RangeInclusive<u64>,
        disabled_on_day: Option<u64>,
    }
    let table = [
        Row {
            name: "always healthy",
            script: &[],
            every: 60,
            notices: &[],
            attempts: 10_080..=10_080,
            disabled_on_day: None,
        },
        Row {
            name: "four failures store no notice",
            script: &[
                (DAY_SECS, HealthSignal::Bad),
                (DAY_SECS + 4 * MINUTE_SECS, HealthSignal::Good),
            ],
            every: 60,
            notices: &[],
            attempts: 10_080..=10_080,
            disabled_on_day: None,
        },
        Row {
            name: "down for a night",
            script: &[
                (DAY_SECS, HealthSignal::Bad),
                (DAY_SECS + 8 * HOUR_SECS, HealthSignal::Good),
            ],
            every: 60,
            notices: &["endpoint_failing", "endpoint_recovered"],
            attempts: 9_600..=9_680,
            disabled_on_day: None,
        },
        Row {
            name: "down for four days",
            script: &[(DAY_SECS, HealthSignal::Bad), (5 * DAY_SECS, HealthSignal::Good)],
            every: 60,
            notices: &["endpoint_failing", "endpoint_recovered"],
            attempts: 4_680..=4_800,
            disabled_on_day: None,
        },
        Row {
            name: "down for ever",
            script: &[(DAY_SECS, HealthSignal::Bad)],
            every: 60,
            notices: &["endpoint_failing", "endpoint_disabled"],
            attempts: 1_900..=1_960,
            disabled_on_day: Some(6),
        },
        Row {
            name: "down for ever, and hardly ever asked",
            script: &[(DAY_SECS, HealthSignal::Bad)],
            every: 8 * HOUR_SECS,
            notices: &["endpoint_failing"],
            attempts: 21..=21,
            disabled_on_day: None,
        },
        Row {
            name: "one success on the fifth day",
            script: &[
                (DAY_SECS, HealthSignal::Bad),
                (5 * DAY_SECS, HealthSignal::Good),
                (5 * DAY_SECS + 30 * MINUTE_SECS, HealthSignal::Bad),
            ],
            every: 60,
            notices: &["endpoint_failing", "endpoint_recovered", "endpoint_failing"],
            attempts: 2_000..=2_100,
            disabled_on_day: None,
        },
        Row {
            name: "asks for an hour's pause each time",
            script: BUSY,
            every: 60,
            notices: &[],
            attempts: 1_580..=1_590,
            disabled_on_day: None,
        },
        Row {
            name: "our own faults for a week",
            script: &[(0, HealthSignal::Void)],
            every: 60,
            notices: &[],
            attempts: 10_080..=10_080,
            disabled_on_day: None,
        },
    ];
    for Row { name, script, every, notices, attempts, disabled_on_day } in table {
        let mut endpoint = TestEndpoint::default();
        let (mut made, mut disabled_on) = (0, None);
        for secs in (0..7 * DAY_SECS).step_by(every as usize) {
            made += u64::from(endpoint.try_at(secs, signal_at(script, secs)));
            if endpoint.disabled && disabled_on.is_none() {
                disabled_on = Some(secs / DAY_SECS);
            }
        }
        assert_eq!(endpoint.notices, notices, "{name}");
        assert!(attempts.contains(&made), "{name}: {made} attempts");
        assert_eq!(disabled_on, disabled_on_day, "{name}");
    }
}

#[test]
fn ten_failures_in_a_row_cool_it_down_longer_each_time() {
    let mut endpoint = TestEndpoint::default();
    (0..10).for_each(|secs| assert!(endpoint.try_at(secs, HealthSignal::Bad)));
    let mut now = 9;
    for cool_down in [30, 60, 120, 240, 480, 900, 900] {
        assert_eq!(endpoint.allows(now + cool_down - 1), 0, "{cool_down}");
        assert_eq!(endpoint.allows(now + cool_down), 1, "the probe");
        now += cool_down;
        assert!(endpoint.try_at(now, HealthSignal::Bad));
    }
}

#[test]
fn there_is_one_probe_at_a_time_and_another_when_its_lease_has_ended() {
    let mut endpoint = TestEndpoint::default();
    (0..10).for_each(|secs| assert!(endpoint.try_at(secs, HealthSignal::Bad)));
    endpoint.health = endpoint.health.probed(at(100));
    assert_eq!((endpoint.allows(99), endpoint.allows(100)), (0, 1));
    endpoint.end_at(50, HealthSignal::Void);
    assert_eq!(endpoint.allows(50), 1, "it has said nothing: another");
}

#[test]
fn failures_in_flight_do_not_extend_a_cool_down() {
    let mut endpoint = TestEndpoint::default();
    (0..26).for_each(|_| endpoint.end_at(0, HealthSignal::Bad));
    assert_eq!((endpoint.allows(29), endpoint.allows(30)), (0, 1));
}

#[test]
fn recovery_is_a_ramp_and_a_relapse_cools_down_longer() {
    let mut endpoint = TestEndpoint::default();
    (0..10).for_each(|secs| assert!(endpoint.try_at(secs, HealthSignal::Bad)));
    let mut allowed = Vec::new();
    for secs in 40..60 {
        assert!(endpoint.try_at(secs, HealthSignal::Good));
        allowed.push(endpoint.allows(secs));
    }
    assert_eq!(allowed[..4], [2, 3, 4, 5]);
    assert_eq!(allowed[14..], [SLOTS; 6]);
    assert!(endpoint.health.is_healthy());
    assert_eq!(endpoint.notices, ["endpoint_failing", "endpoint_recovered"]);

    (100..110).for_each(|secs| assert!(endpoint.try_at(secs, HealthSignal::Bad)));
    assert!(endpoint.try_at(140, HealthSignal::Good) && endpoint.try_at(140, HealthSignal::Bad));
    assert_eq!((endpoint.allows(199), endpoint.allows(200)), (0, 1), "a minute, not half");
}

#[test]
fn retry_after_pauses_without_counting_as_failure() {
    let mut endpoint = TestEndpoint::default();
    endpoint.end_at(0, HealthSignal::Busy(Duration::from_secs(30)));
    endpoint.end_at(1, HealthSignal::Busy(Duration::from_secs(5)));
    assert_eq!((endpoint.allows(29), endpoint.allows(30)), (0, 1), "the longer one");
    let condition = endpoint.health.condition();
    assert_eq!(condition, Condition::CoolingDown { failures: 0, until: at(30) });
    assert!(endpoint.try_at(30, HealthSignal::Good));
    assert_eq!((endpoint.allows(30), endpoint.notices.len()), (2, 0));
}

#[test]
fn disabling_stores_the_reason_and_resets_the_health() {
    let mut endpoint = TestEndpoint::default();
    (0..19).for_each(|_| endpoint.end_at(0, HealthSignal::Bad));
    let change = endpoint.health.after(
        HealthSignal::Bad,
        Some("e"),
        at(5 * DAY_SECS),
        &HealthPolicy::new(),
        SLOTS,
    );
    let state = EndpointState::Disabled(DisabledReason::Failing);
    let (failures, since, last_error) = (20, Some(at(0)), "e".to_owned());
    assert_eq!(
        change.notice,
        Some(NoticeKind::EndpointDisabled { state, failures, since, last_error })
    );
    assert!(change.disables && change.health.is_healthy());
    let sooner = endpoint.health.after(
        HealthSignal::Bad,
        None,
        at(5 * DAY_SECS - 1),
        &HealthPolicy::new(),
        SLOTS,
    );
    assert!(!sooner.disables);
}

#[test]
fn a_policy_that_is_off_still_grants_a_pause() {
    let mut health = Health::HEALTHY;
    for secs in 0..1000 {
        let change = health.after(
            HealthSignal::Bad,
            None,
            at(secs * HOUR_SECS),
            &HealthPolicy::off(),
            SLOTS,
        );
        assert!(change.notice.is_none() && !change.disables && change.health.is_unrestricted());
        health = change.health;
    }
    let busy = HealthSignal::Busy(Duration::from_secs(9));
    assert!(!health.after(busy, None, at(0), &HealthPolicy::off(), SLOTS).health.is_unrestricted());
}

/// After how many failures in a row, a second apart, each thing happens.
fn happens_after(policy: &HealthPolicy) -> (Option<u64>, Option<u64>, Option<u64>) {
    let (mut health, mut happened) = (Health::HEALTHY, (None, None, None));
    for failures in 1..=50 {
        let change = health.after(HealthSignal::Bad, None, at(failures), policy, SLOTS);
        let warning = change.notice.filter(|_| !change.disables);
        happened.0 = happened.0.or(warning.map(|_| failures));
        happened.1 = happened.1.or(change.health.cools_down_until().map(|_| failures));
        happened.2 = happened.2.or(change.disables.then_some(failures));
        health = change.health;
    }
    happened
}

#[test]
fn each_setting_is_heeded_and_none_of_them_is_zero() {
    let days = Some(Duration::from_secs(5 * DAY_SECS));
    let secs = |secs| Some(Duration::from_secs(secs));
    let usual = || HealthPolicy::default().with_disable_min(2);
    let table = [
        (usual(), (Some(5), Some(10), None)),
        (usual().with_disable_after(days).with_warn_after(3), (Some(3), Some(10), None)),
        (usual().with_warn_after(0).with_cool_after(0), (Some(1), Some(1), None)),
        (usual().with_cool_after(4), (Some(5), Some(4), None)),
        (usual().with_disable_after(secs(30)), (Some(5), Some(10), Some(31))),
        (usual().with_disable_after(secs(0)), (None, None, Some(2))),
        (usual().with_disable_after(secs(0)).with_disable_min(0), (None, None, Some(1))),
        (usual().with_disable_after(secs(8)).with_disable_min(7), (Some(5), None, Some(9))),
        (usual().with_disable_after(None), (Some(5), Some(10), None)),
    ];
    for (policy, expected) in table {
        assert_eq!(happens_after(&policy), expected, "{policy:?}");
    }
}

#[test]
fn cool_downs_double_up_to_the_maximum() {
    let policy =
        HealthPolicy::new().with_cool_down(Duration::from_secs(10), Duration::from_secs(35));
    let cool_downs = [1, 2, 3, 4, u32::MAX].map(|number| policy.cool_down_of(number).as_secs());
    assert_eq!(cool_downs, [10, 20, 35, 35, 35]);
}

/// Cooling down until 30, after ten failures at 0.
fn cooling_down() -> TestEndpoint {
    let mut endpoint = TestEndpoint::default();
    (0..10).for_each(|_| endpoint.end_at(0, HealthSignal::Bad));
    endpoint
}

#[test]
fn a_void_probe_is_replaced_immediately() {
    let mut endpoint = cooling_down();
    assert!(endpoint.try_at(30, HealthSignal::Void));
    assert_eq!(endpoint.allows(30), 1, "without waiting for its lease to end");
    endpoint.end_at(31, HealthSignal::Void);
    assert_eq!(endpoint.health.cools_down_until(), Some(at(30)), "which is no probe tells nothing");
}

#[test]
fn a_probe_ends_when_the_receiver_asks_for_a_pause() {
    let mut endpoint = cooling_down();
    assert!(endpoint.try_at(30, HealthSignal::Busy(Duration::from_secs(5))));
    assert_eq!(
        endpoint.health.cools_down_until(),
        Some(at(35)),
        "not when its lease would have ended"
    );
    endpoint.end_at(31, HealthSignal::Bad);
    assert_eq!(
        endpoint.health.cools_down_until(),
        Some(at(35)),
        "what was in flight says nothing new"
    );
}

#[test]
fn a_failure_after_a_cool_down_starts_another() {
    let mut endpoint = cooling_down();
    endpoint.end_at(29, HealthSignal::Bad);
    assert_eq!(endpoint.health.cools_down_until(), Some(at(30)));
    endpoint.end_at(30, HealthSignal::Bad);
    assert_eq!(endpoint.health.cools_down_until(), Some(at(90)));
}

#[test]
fn a_pause_restarts_the_recovery() {
    let mut endpoint = cooling_down();
    (30..33).for_each(|secs| assert!(endpoint.try_at(secs, HealthSignal::Good)));
    assert_eq!(endpoint.allows(33), 4);
    assert!(endpoint.try_at(33, HealthSignal::Busy(Duration::from_secs(7))));
    assert!(endpoint.try_at(40, HealthSignal::Good));
    assert_eq!(endpoint.allows(40), 2);
}

#[test]
fn an_endpoint_with_all_slots_is_healthy() {
    let mut endpoint = cooling_down();
    let accepted = (30..100).take_while(|secs| {
        !endpoint.health.is_healthy() && endpoint.try_at(*secs, HealthSignal::Good)
    });
    assert_eq!(accepted.count() as u32, SLOTS - 1, "two at once after the first");
}

#[test]
fn may_change_is_false_if_nothing_can_change() {
    let (mut endpoint, policy) = (TestEndpoint::default(), HealthPolicy::new());
    let may = |health: Health, secs, policy: &HealthPolicy| {
        [1, 3, 4, 7, 8, 13, 14].map(|failures| health.may_change(failures, at(secs), policy))
    };
    let [no, yes] = [false, true];
    assert_eq!(
        may(endpoint.health, 0, &policy),
        [no, no, no, no, no, yes, yes],
        "ten start a cool-down"
    );
    (0..6).for_each(|_| endpoint.end_at(0, HealthSignal::Bad));
    assert_eq!(may(endpoint.health, 0, &policy), [no, no, yes, yes, yes, yes, yes]);
    let never_cools_down = policy.with_cool_after(u32::MAX);
    assert_eq!(may(endpoint.health, 5 * DAY_SECS - 1, &never_cools_down), [no; 7]);
    let twenty = [no, no, no, no, no, no, yes];
    assert_eq!(may(endpoint.health, 5 * DAY_SECS, &never_cools_down), twenty, "and five days");
    endpoint.end_at(0, HealthSignal::Busy(Duration::from_secs(1)));
    assert_eq!(may(endpoint.health, 0, &never_cools_down), [yes; 7], "it is cooling down");
}

#[test]
fn an_early_success_only_postpones_disabling() {
    let mut endpoint = cooling_down();
    endpoint.end_at(20, HealthSignal::Good);
    let failing = endpoint.health.condition();
    assert_eq!(failing, Condition::CoolingDown { failures: 10, until: at(30) });
    assert_eq!(endpoint.health.failing_since, Some(at(20)));
}

#[test]
fn a_stored_ramp_that_makes_no_sense_keeps_nothing_from_being_sent() {
    for (ramp, allowed, slots) in [(0, 1, SLOTS), (1, 1, 1), (SLOTS + 1, SLOTS, SLOTS)] {
        let health: Health = serde_json::from_str(&format!("{{\"ramp\":{ramp}}}")).unwrap();
        assert_eq!((health.allows(at(0), SLOTS), health.slots(SLOTS)), (allowed, slots), "{ramp}");
    }
}

#[test]
fn each_condition_is_said_in_a_line() {
    let mut endpoint = TestEndpoint::default();
    let mut texts = Vec::new();
    let mut push = |health: Health| texts.push(health.condition().to_string());
    push(endpoint.health);
    (0..3).for_each(|_| endpoint.end_at(0, HealthSignal::Bad));
    push(endpoint.health);
    (0..7).for_each(|_| endpoint.end_at(0, HealthSignal::Bad));
    push(endpoint.health);
    endpoint.try_at(30, HealthSignal::Good);
    push(endpoint.health);
    endpoint = TestEndpoint::default();
    endpoint.end_at(0, HealthSignal::Busy(Duration::from_secs(60)));
    push(endpoint.health);
    let expected = [
        "healthy",
        "failing, 3 times in a row since 1970-01-01T00:00:00.000Z",
        "cooling down until 1970-01-01T00:00:30.000Z, after 10 failures in a row",
        "recovering, 2 attempts at once",
        "cooling down until 1970-01-01T00:01:00.000Z, as it asked",
    ];
    assert_eq!(texts, expected);
}

#[test]
fn health_is_stored_as_json_and_read_back_by_older_and_newer_versions() {
    let mut endpoint = TestEndpoint::default();
    (0..10).for_each(|secs| endpoint.end_at(secs, HealthSignal::Bad));
    let text = serde_json::to_string(&endpoint.health).unwrap();
    assert_eq!(serde_json::from_str::<Health>(&text).unwrap(), endpoint.health);
    assert_eq!(serde_json::from_str::<Health>("{\"later\":1}").unwrap(), Health::HEALTHY);
}

fn any_signal() -> impl Strategy<Value = HealthSignal> {
    prop_oneof![
        3 => Just(HealthSignal::Bad),
        2 => Just(HealthSignal::Good),
        1 => Just(HealthSignal::Void),
        1 => (0u64..100_000).prop_map(|secs| HealthSignal::Busy(Duration::from_secs(secs))),
    ]
}

proptest! {
    #[test]
    fn warnings_alternate_with_recoveries_and_cool_downs_end(
        steps in prop::collection::vec((0u64..2000, any_signal()), 1..400),
    ) {
        let (mut endpoint, mut now) = (TestEndpoint::default(), 0);
        for (wait, signal) in steps {
            now += wait;
            endpoint.try_at(now, signal);
            prop_assert!(endpoint.health.allows(at(now + 200_000), SLOTS) >= 1);
            prop_assert!(endpoint.health.allows(at(now), SLOTS) <= SLOTS);
        }
        let mut warned = false;
        for notice in &endpoint.notices {
            match *notice {
                "endpoint_failing" => prop_assert!(!std::mem::replace(&mut warned, true)),
                "endpoint_recovered" => prop_assert!(std::mem::replace(&mut warned, false)),
                _ => {}
            }
        }
    }

    #[test]
    fn may_change_is_true_before_every_change(
        steps in prop::collection::vec((0u64..HOUR_SECS, any_signal()), 1..200),
        failures in 1u32..30,
    ) {
        let (mut endpoint, mut now) = (TestEndpoint::default(), 0);
        for (wait, signal) in steps {
            now += wait;
            endpoint.end_at(now, signal);
        }
        let before = endpoint.health;
        let policy = HealthPolicy::new();
        (0..failures).for_each(|_| endpoint.end_at(now, HealthSignal::Bad));
        let changed = endpoint.disabled || before.cools_down_until() != endpoint.health.cools_down_until();
        prop_assert!(!changed || before.may_change(failures, at(now), &policy));
    }
}
