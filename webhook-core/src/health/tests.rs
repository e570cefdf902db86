use super::*;
use crate::endpoint::{DisabledReason, EndpointState};
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
