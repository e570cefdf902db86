use super::*;
use crate::model::endpoint_state::{DisabledReason, EndpointState};
use proptest::prelude::*;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const MAX: u32 = 16;

/// An endpoint's health, told at which second which attempt ended how.
#[derive(Default)]
struct Endpoint {
    health: Health,
    told: Vec<&'static str>,
    disabled: bool,
}

fn at(secs: u64) -> Timestamp {
    Timestamp::from_unix_secs(secs as i64)
}

impl Endpoint {
    /// Takes `sign`, if anything may start: as a worker would.
    fn try_at(&mut self, secs: u64, sign: Sign) -> bool {
        if self.disabled || self.health.allows(at(secs), MAX) == 0 {
            return false;
        }
        if self.health.wants_probe() {
            self.health = self.health.probed(at(secs + 45));
        }
        self.end_at(secs, sign);
        true
    }

    fn end_at(&mut self, secs: u64, sign: Sign) {
        let turn = self.health.after(sign, Some("status 500"), at(secs), &HealthPolicy::new(), MAX);
        self.health = turn.health;
        self.told.extend(turn.notice.as_ref().map(NoticeKind::name));
        self.disabled |= turn.gives_up;
    }

    fn allows(&self, secs: u64) -> u32 {
        self.health.allows(at(secs), MAX)
    }
}

/// One line of a week: from when on, the sign that every attempt gives.
type Script = &'static [(u64, Sign)];

const BUSY: Script = &[(DAY, Sign::Busy(Duration::from_secs(HOUR)))];

fn sign_at(script: Script, secs: u64) -> Sign {
    script.iter().rev().find(|(from, _)| *from <= secs).map_or(Sign::Good, |(_, sign)| *sign)
}

#[test]
fn a_week_of_scripted_outcomes() {
    struct Row {
        name: &'static str,
        script: Script,
        /// One attempt is due each so many seconds.
        every: u64,
        told: &'static [&'static str],
        /// How many attempts were made in the week.
        attempts: std::ops::RangeInclusive<u64>,
        disabled_on_day: Option<u64>,
    }
    let table = [
        Row {
            name: "always well",
            script: &[],
            every: 60,
            told: &[],
            attempts: 10_080..=10_080,
            disabled_on_day: None,
        },
        Row {
            name: "four failures are not worth a word",
            script: &[(DAY, Sign::Bad), (DAY + 4 * MINUTE, Sign::Good)],
            every: 60,
            told: &[],
            attempts: 10_080..=10_080,
            disabled_on_day: None,
        },
        Row {
            name: "down for a night",
            script: &[(DAY, Sign::Bad), (DAY + 8 * HOUR, Sign::Good)],
            every: 60,
            told: &["endpoint_failing", "endpoint_recovered"],
            attempts: 9_600..=9_680,
            disabled_on_day: None,
        },
        Row {
            name: "down for four days",
            script: &[(DAY, Sign::Bad), (5 * DAY, Sign::Good)],
            every: 60,
            told: &["endpoint_failing", "endpoint_recovered"],
            attempts: 4_680..=4_800,
            disabled_on_day: None,
        },
        Row {
            name: "down for ever",
            script: &[(DAY, Sign::Bad)],
            every: 60,
            told: &["endpoint_failing", "endpoint_disabled"],
            attempts: 1_900..=1_960,
            disabled_on_day: Some(6),
        },
        Row {
            name: "down for ever, and hardly ever asked",
            script: &[(DAY, Sign::Bad)],
            every: 8 * HOUR,
            told: &["endpoint_failing"],
            attempts: 21..=21,
            disabled_on_day: None,
        },
        Row {
            name: "one success on the fifth day",
            script: &[(DAY, Sign::Bad), (5 * DAY, Sign::Good), (5 * DAY + 30 * MINUTE, Sign::Bad)],
            every: 60,
            told: &["endpoint_failing", "endpoint_recovered", "endpoint_failing"],
            attempts: 2_000..=2_100,
            disabled_on_day: None,
        },
        Row {
            name: "asks for an hour's pause each time",
            script: BUSY,
            every: 60,
            told: &[],
            attempts: 1_580..=1_590,
            disabled_on_day: None,
        },
        Row {
            name: "our own faults for a week",
            script: &[(0, Sign::Void)],
            every: 60,
            told: &[],
            attempts: 10_080..=10_080,
            disabled_on_day: None,
        },
    ];
    for Row { name, script, every, told, attempts, disabled_on_day } in table {
        let mut endpoint = Endpoint::default();
        let (mut made, mut disabled_on) = (0, None);
        for secs in (0..7 * DAY).step_by(every as usize) {
            made += u64::from(endpoint.try_at(secs, sign_at(script, secs)));
            if endpoint.disabled && disabled_on.is_none() {
                disabled_on = Some(secs / DAY);
            }
        }
        assert_eq!(endpoint.told, told, "{name}");
        assert!(attempts.contains(&made), "{name}: {made} attempts");
        assert_eq!(disabled_on, disabled_on_day, "{name}");
    }
}

#[test]
fn ten_failures_in_a_row_make_it_rest_longer_each_time() {
    let mut endpoint = Endpoint::default();
    (0..10).for_each(|secs| assert!(endpoint.try_at(secs, Sign::Bad)));
    let mut now = 9;
    for rest in [30, 60, 120, 240, 480, 900, 900] {
        assert_eq!(endpoint.allows(now + rest - 1), 0, "{rest}");
        assert_eq!(endpoint.allows(now + rest), 1, "the probe");
        now += rest;
        assert!(endpoint.try_at(now, Sign::Bad));
    }
}

#[test]
fn there_is_one_probe_at_a_time_and_another_when_its_lease_has_ended() {
    let mut endpoint = Endpoint::default();
    (0..10).for_each(|secs| assert!(endpoint.try_at(secs, Sign::Bad)));
    endpoint.health = endpoint.health.probed(at(100));
    assert_eq!((endpoint.allows(99), endpoint.allows(100)), (0, 1));
    endpoint.end_at(50, Sign::Void);
    assert_eq!(endpoint.allows(50), 1, "it has said nothing: another");
}

#[test]
fn what_was_in_flight_when_the_rest_began_makes_it_no_longer() {
    let mut endpoint = Endpoint::default();
    (0..26).for_each(|_| endpoint.end_at(0, Sign::Bad));
    assert_eq!((endpoint.allows(29), endpoint.allows(30)), (0, 1));
}

#[test]
fn recovery_is_a_ramp_and_a_relapse_goes_on_with_the_longer_rest() {
    let mut endpoint = Endpoint::default();
    (0..10).for_each(|secs| assert!(endpoint.try_at(secs, Sign::Bad)));
    let mut allowed = Vec::new();
    for secs in 40..60 {
        assert!(endpoint.try_at(secs, Sign::Good));
        allowed.push(endpoint.allows(secs));
    }
    assert_eq!(allowed[..4], [2, 3, 4, 5]);
    assert_eq!(allowed[14..], [MAX; 6]);
    assert!(endpoint.health.is_healthy());
    assert_eq!(endpoint.told, ["endpoint_failing", "endpoint_recovered"]);

    (100..110).for_each(|secs| assert!(endpoint.try_at(secs, Sign::Bad)));
    assert!(endpoint.try_at(140, Sign::Good) && endpoint.try_at(140, Sign::Bad));
    assert_eq!((endpoint.allows(199), endpoint.allows(200)), (0, 1), "a minute, not half");
}

#[test]
fn who_asks_for_a_pause_gets_it_without_blame() {
    let mut endpoint = Endpoint::default();
    endpoint.end_at(0, Sign::Busy(Duration::from_secs(30)));
    endpoint.end_at(1, Sign::Busy(Duration::from_secs(5)));
    assert_eq!((endpoint.allows(29), endpoint.allows(30)), (0, 1), "the longer one");
    let condition = endpoint.health.condition();
    assert_eq!(condition, Condition::Cooling { failures: 0, until: at(30) });
    assert!(endpoint.try_at(30, Sign::Good));
    assert_eq!((endpoint.allows(30), endpoint.told.len()), (2, 0));
}

#[test]
fn giving_up_says_why_and_leaves_nothing_behind() {
    let mut endpoint = Endpoint::default();
    (0..19).for_each(|_| endpoint.end_at(0, Sign::Bad));
    let turn = endpoint.health.after(Sign::Bad, Some("e"), at(5 * DAY), &HealthPolicy::new(), MAX);
    let state = EndpointState::Disabled(DisabledReason::Failing);
    let (failures, since, last_error) = (20, Some(at(0)), "e".to_owned());
    assert_eq!(
        turn.notice,
        Some(NoticeKind::EndpointDisabled { state, failures, since, last_error })
    );
    assert!(turn.gives_up && turn.health.is_healthy());
    let sooner = endpoint.health.after(Sign::Bad, None, at(5 * DAY - 1), &HealthPolicy::new(), MAX);
    assert!(!sooner.gives_up);
}

#[test]
fn a_policy_that_is_off_still_grants_a_pause() {
    let mut health = Health::HEALTHY;
    for secs in 0..1000 {
        let turn = health.after(Sign::Bad, None, at(secs * HOUR), &HealthPolicy::off(), MAX);
        assert!(turn.notice.is_none() && !turn.gives_up && turn.health.is_well());
        health = turn.health;
    }
    let busy = Sign::Busy(Duration::from_secs(9));
    assert!(!health.after(busy, None, at(0), &HealthPolicy::off(), MAX).health.is_well());
}

/// After how many failures in a row, a second apart, each thing happens.
fn happens_after(policy: &HealthPolicy) -> (Option<u64>, Option<u64>, Option<u64>) {
    let (mut health, mut happened) = (Health::HEALTHY, (None, None, None));
    for failures in 1..=50 {
        let turn = health.after(Sign::Bad, None, at(failures), policy, MAX);
        let told = turn.notice.filter(|_| !turn.gives_up);
        happened.0 = happened.0.or(told.map(|_| failures));
        happened.1 = happened.1.or(turn.health.rests_until().map(|_| failures));
        happened.2 = happened.2.or(turn.gives_up.then_some(failures));
        health = turn.health;
    }
    happened
}

#[test]
fn each_setting_is_heeded_and_none_of_them_is_zero() {
    let days = Some(Duration::from_secs(5 * DAY));
    let secs = |secs| Some(Duration::from_secs(secs));
    let usual = || HealthPolicy::default().disable_min(2);
    let table = [
        (usual(), (Some(5), Some(10), None)),
        (usual().disable_after(days).warn_after(3), (Some(3), Some(10), None)),
        (usual().warn_after(0).cool_after(0), (Some(1), Some(1), None)),
        (usual().cool_after(4), (Some(5), Some(4), None)),
        (usual().disable_after(secs(30)), (Some(5), Some(10), Some(31))),
        (usual().disable_after(secs(0)), (None, None, Some(2))),
        (usual().disable_after(secs(0)).disable_min(0), (None, None, Some(1))),
        (usual().disable_after(secs(8)).disable_min(7), (Some(5), None, Some(9))),
        (usual().disable_after(None), (Some(5), Some(10), None)),
    ];
    for (policy, expected) in table {
        assert_eq!(happens_after(&policy), expected, "{policy:?}");
    }
}

#[test]
fn rests_double_from_the_first_to_the_longest() {
    let policy = HealthPolicy::new().cool_down(Duration::from_secs(10), Duration::from_secs(35));
    let rests = [1, 2, 3, 4, u32::MAX].map(|number| policy.cool_down_of(number).as_secs());
    assert_eq!(rests, [10, 20, 35, 35, 35]);
}

/// Left alone until 30, by ten failures at once.
fn rested() -> Endpoint {
    let mut endpoint = Endpoint::default();
    (0..10).for_each(|_| endpoint.end_at(0, Sign::Bad));
    endpoint
}

#[test]
fn a_probe_that_tells_nothing_makes_way_for_another_at_once() {
    let mut endpoint = rested();
    assert!(endpoint.try_at(30, Sign::Void));
    assert_eq!(endpoint.allows(30), 1, "without waiting for its lease to end");
    endpoint.end_at(31, Sign::Void);
    assert_eq!(endpoint.health.rests_until(), Some(at(30)), "which is no probe tells nothing");
}

#[test]
fn a_probe_that_is_asked_for_a_pause_gives_it_and_ends() {
    let mut endpoint = rested();
    assert!(endpoint.try_at(30, Sign::Busy(Duration::from_secs(5))));
    assert_eq!(endpoint.health.rests_until(), Some(at(35)), "not when its lease would have ended");
    endpoint.end_at(31, Sign::Bad);
    assert_eq!(endpoint.health.rests_until(), Some(at(35)), "what was in flight says nothing new");
}

#[test]
fn a_failure_after_the_rest_makes_another_though_it_was_no_probe() {
    let mut endpoint = rested();
    endpoint.end_at(29, Sign::Bad);
    assert_eq!(endpoint.health.rests_until(), Some(at(30)));
    endpoint.end_at(30, Sign::Bad);
    assert_eq!(endpoint.health.rests_until(), Some(at(90)));
}

#[test]
fn a_pause_begins_the_recovery_anew() {
    let mut endpoint = rested();
    (30..33).for_each(|secs| assert!(endpoint.try_at(secs, Sign::Good)));
    assert_eq!(endpoint.allows(33), 4);
    assert!(endpoint.try_at(33, Sign::Busy(Duration::from_secs(7))));
    assert!(endpoint.try_at(40, Sign::Good));
    assert_eq!(endpoint.allows(40), 2);
}

#[test]
fn who_may_have_as_many_as_ever_is_healthy() {
    let mut endpoint = rested();
    let accepted = (30..100)
        .take_while(|secs| !endpoint.health.is_healthy() && endpoint.try_at(*secs, Sign::Good));
    assert_eq!(accepted.count() as u32, MAX - 1, "two at once after the first");
}

#[test]
fn what_may_turn_is_only_what_may() {
    let (mut endpoint, policy) = (Endpoint::default(), HealthPolicy::new());
    let may = |health: Health, secs, policy: &HealthPolicy| {
        [1, 3, 4, 7, 8, 13, 14].map(|failures| health.may_turn(failures, at(secs), policy))
    };
    let [no, yes] = [false, true];
    assert_eq!(
        may(endpoint.health, 0, &policy),
        [no, no, no, no, no, yes, yes],
        "ten make it rest"
    );
    (0..6).for_each(|_| endpoint.end_at(0, Sign::Bad));
    assert_eq!(may(endpoint.health, 0, &policy), [no, no, yes, yes, yes, yes, yes]);
    let never_rests = policy.cool_after(u32::MAX);
    assert_eq!(may(endpoint.health, 5 * DAY - 1, &never_rests), [no; 7]);
    let twenty = [no, no, no, no, no, no, yes];
    assert_eq!(may(endpoint.health, 5 * DAY, &never_rests), twenty, "and five days");
    endpoint.end_at(0, Sign::Busy(Duration::from_secs(1)));
    assert_eq!(may(endpoint.health, 0, &never_rests), [yes; 7], "it is not well");
}

#[test]
fn a_success_of_before_the_rest_puts_off_the_end_alone() {
    let mut endpoint = rested();
    endpoint.end_at(20, Sign::Good);
    let failing = endpoint.health.condition();
    assert_eq!(failing, Condition::Cooling { failures: 10, until: at(30) });
    assert_eq!(endpoint.health.failing_since, Some(at(20)));
}

#[test]
fn a_stored_ramp_that_makes_no_sense_keeps_nothing_from_being_sent() {
    for (ramp, allowed, slots) in [(0, 1, MAX), (1, 1, 1), (MAX + 1, MAX, MAX)] {
        let health: Health = serde_json::from_str(&format!("{{\"ramp\":{ramp}}}")).unwrap();
        assert_eq!((health.allows(at(0), MAX), health.slots(MAX)), (allowed, slots), "{ramp}");
    }
}

#[test]
fn each_condition_is_said_in_a_line() {
    let mut endpoint = Endpoint::default();
    let mut said = Vec::new();
    let mut say = |health: Health| said.push(health.condition().to_string());
    say(endpoint.health);
    (0..3).for_each(|_| endpoint.end_at(0, Sign::Bad));
    say(endpoint.health);
    (0..7).for_each(|_| endpoint.end_at(0, Sign::Bad));
    say(endpoint.health);
    endpoint.try_at(30, Sign::Good);
    say(endpoint.health);
    endpoint = Endpoint::default();
    endpoint.end_at(0, Sign::Busy(Duration::from_secs(60)));
    say(endpoint.health);
    let expected = [
        "healthy",
        "failing, 3 times in a row since 1970-01-01T00:00:00.000Z",
        "left alone until 1970-01-01T00:00:30.000Z, after 10 failures in a row",
        "recovering, 2 attempts at once",
        "left alone until 1970-01-01T00:01:00.000Z, as it asked",
    ];
    assert_eq!(said, expected);
}

#[test]
fn health_is_stored_as_json_and_read_back_by_older_and_newer_versions() {
    let mut endpoint = Endpoint::default();
    (0..10).for_each(|secs| endpoint.end_at(secs, Sign::Bad));
    let text = serde_json::to_string(&endpoint.health).unwrap();
    assert_eq!(serde_json::from_str::<Health>(&text).unwrap(), endpoint.health);
    assert_eq!(serde_json::from_str::<Health>("{\"later\":1}").unwrap(), Health::HEALTHY);
}

fn any_sign() -> impl Strategy<Value = Sign> {
    prop_oneof![
        3 => Just(Sign::Bad),
        2 => Just(Sign::Good),
        1 => Just(Sign::Void),
        1 => (0u64..100_000).prop_map(|secs| Sign::Busy(Duration::from_secs(secs))),
    ]
}

proptest! {
    #[test]
    fn warnings_and_recoveries_alternate_and_no_rest_is_for_ever(
        steps in prop::collection::vec((0u64..2000, any_sign()), 1..400),
    ) {
        let (mut endpoint, mut now) = (Endpoint::default(), 0);
        for (wait, sign) in steps {
            now += wait;
            endpoint.try_at(now, sign);
            prop_assert!(endpoint.health.allows(at(now + 200_000), MAX) >= 1);
            prop_assert!(endpoint.health.allows(at(now), MAX) <= MAX);
        }
        let mut warned = false;
        for told in &endpoint.told {
            match *told {
                "endpoint_failing" => prop_assert!(!std::mem::replace(&mut warned, true)),
                "endpoint_recovered" => prop_assert!(std::mem::replace(&mut warned, false)),
                _ => {}
            }
        }
    }

    #[test]
    fn what_may_turn_is_known_before(
        steps in prop::collection::vec((0u64..HOUR, any_sign()), 1..200),
        failures in 1u32..30,
    ) {
        let (mut endpoint, mut now) = (Endpoint::default(), 0);
        for (wait, sign) in steps {
            now += wait;
            endpoint.end_at(now, sign);
        }
        let before = endpoint.health;
        let policy = HealthPolicy::new();
        (0..failures).for_each(|_| endpoint.end_at(now, Sign::Bad));
        let turned = endpoint.disabled || before.rests_until() != endpoint.health.rests_until();
        prop_assert!(!turned || before.may_turn(failures, at(now), &policy));
    }
}
