use webhook_core::HealthPolicy;

use super::{dispatcher::EXPECTED_WORKER_NAME, *};

/// What these variables say, and no others.
pub(crate) fn read(values: &[(&str, &str)]) -> Result<Settings, InvalidSetting> {
    Settings::from_lookup(|name| {
        let set = values.iter().find(|(variable, _)| *variable == name);
        set.map(|(_, value)| value.into())
    })
}

#[test]
fn nothing_has_to_be_set() {
    for nothing in [&[][..], &[("WEBHOOK_MODE", ""), ("WEBHOOK_LEASE", "")]] {
        let settings = read(nothing).unwrap();
        assert_eq!((settings.mode(), settings.db()), (Mode::Both, None));
        assert_eq!(
            format!("{:?}", settings.dispatcher()),
            format!("{:?}", DispatcherConfig::new())
        );
    }
}

#[test]
fn each_variable_sets_what_it_says() {
    let settings = read(&[
        ("WEBHOOK_DB", "sqlite://a.db"),
        ("WEBHOOK_POOL_SIZE", "7"),
        ("WEBHOOK_UNIT_LIMIT", "3s"),
        ("WEBHOOK_SCHEMA", "hooks"),
        ("WEBHOOK_TABLE_PREFIX", "h_"),
        ("WEBHOOK_POLL_ONLY", "true"),
        ("WEBHOOK_MAX_BODY", "1000"),
        ("WEBHOOK_MODE", "worker"),
        ("WEBHOOK_CONCURRENCY", " 9 "),
        ("WEBHOOK_LEASE", "6s"),
        ("WEBHOOK_MAX_TIMEOUT", "4s"),
        ("WEBHOOK_RECORDING_BUDGET", "1s"),
        ("WEBHOOK_CLAIM_BUDGET", "500ms"),
        ("WEBHOOK_POLL", "250ms"),
        ("WEBHOOK_DRAIN", "0s"),
        ("WEBHOOK_TENANT_SHARE", "3"),
        ("WEBHOOK_DISABLE_AFTER", "2d"),
        ("WEBHOOK_NOTICES_TO", "ops"),
        ("WEBHOOK_WORKER_NAME", "blue/3"),
    ])
    .unwrap();
    let config = DispatcherConfig::new()
        .concurrency(9)
        .lease(Duration::from_secs(6))
        .max_timeout(Duration::from_secs(4))
        .recording_budget(Duration::from_secs(1))
        .claim_budget(Duration::from_millis(500))
        .poll(Duration::from_millis(250))
        .drain(Duration::ZERO)
        .tenant_share(3)
        .name("blue/3".parse().unwrap())
        .health(HealthPolicy::new().with_disable_after(Some(Duration::from_secs(2 * 86_400))));
    assert_eq!(format!("{:?}", settings.dispatcher()), format!("{config:?}"));
    assert_eq!((settings.db(), settings.mode()), (Some("sqlite://a.db"), Mode::Worker));
    assert_eq!((settings.pool_size(), settings.max_body()), (Some(7), Some(1000)));
    assert_eq!(settings.unit_limit(), Some(Duration::from_secs(3)));
    assert_eq!((settings.schema(), settings.table_prefix()), (Some("hooks"), Some("h_")));
    assert!(settings.poll_only());
    assert_eq!(settings.notices_to().map(TenantId::as_str), Some("ops"));
}

/// Each value of a builder and the variable that it replaces.
fn values() -> [(&'static str, SettingsBuilder); 11] {
    let new = Settings::builder;
    let seconds = Duration::from_secs;
    [
        ("WEBHOOK_DB", new().db("sqlite://a.db")),
        ("WEBHOOK_MAX_BODY", new().max_body(1000)),
        ("WEBHOOK_CONCURRENCY", new().concurrency(9)),
        ("WEBHOOK_LEASE", new().lease(seconds(60))),
        ("WEBHOOK_MAX_TIMEOUT", new().max_timeout(seconds(4))),
        ("WEBHOOK_POLL", new().poll(seconds(2))),
        ("WEBHOOK_DRAIN", new().drain(Duration::ZERO)),
        ("WEBHOOK_TENANT_SHARE", new().tenant_share(3)),
        ("WEBHOOK_DISABLE_AFTER", new().disable_after(None)),
        ("WEBHOOK_NOTICES_TO", new().notices_to("ops".parse().unwrap())),
        ("WEBHOOK_WORKER_NAME", new().worker_name("blue/3".parse().unwrap())),
    ]
}

/// The parts of settings that a value of a builder may change.
fn shown(settings: &Settings) -> String {
    format!("{settings:?} {:?} {:?}", settings.db(), settings.notices_to())
}

#[test]
fn a_value_overrides_its_variable_whatever_that_holds() {
    for (variable, builder) in values() {
        let alone = shown(&builder.clone().from_lookup(|_| None).unwrap());
        assert_ne!(alone, shown(&read(&[]).unwrap()), "{variable}");
        // None of these is valid for any of them but the database.
        for other in ["-1", "", "a b"] {
            let lookup = |name: &str| (name == variable).then(|| other.into());
            let settings = builder.clone().from_lookup(lookup).unwrap();
            assert_eq!(shown(&settings), alone, "{variable}={other}");
        }
        let others = |name: &str| (name != variable).then(|| "a b".into());
        assert!(builder.from_lookup(others).is_err(), "{variable} alone is replaced");
    }
}

#[test]
fn a_value_that_cannot_be_is_named_as_its_variable() {
    let new = Settings::builder;
    for (builder, expected) in [
        (new().concurrency(0), "WEBHOOK_CONCURRENCY is \"0\"; expected a whole number, at least 1"),
        (
            new().poll(Duration::ZERO),
            "WEBHOOK_POLL is \"0s\"; expected a duration such as 30s, longer than none",
        ),
        (
            new().max_timeout(Duration::ZERO),
            "WEBHOOK_MAX_TIMEOUT is \"0s\"; expected a duration such as 30s, longer than none",
        ),
    ] {
        assert_eq!(builder.from_lookup(|_| None).unwrap_err().to_string(), expected);
    }
    let short = new().lease(Duration::from_secs(44)).from_lookup(|_| None).unwrap_err();
    assert_eq!(short, read(&[("WEBHOOK_LEASE", "44s")]).unwrap_err());
}

#[test]
fn an_error_names_the_variable_what_it_is_and_what_is_expected() {
    let table = [
        (("WEBHOOK_MODE", "publisher"), "publish-only, worker or both"),
        (("WEBHOOK_CONCURRENCY", "0"), "a whole number, at least 1"),
        (("WEBHOOK_POOL_SIZE", "many"), "a whole number, at least 1"),
        (("WEBHOOK_POLL", "0s"), "a duration such as 30s, longer than none"),
        (("WEBHOOK_MAX_TIMEOUT", "0s"), "a duration such as 30s, longer than none"),
        (("WEBHOOK_DRAIN", "90"), "a duration such as 30s"),
        (("WEBHOOK_DISABLE_AFTER", "soon"), "a duration such as 5d, or never"),
        (("WEBHOOK_WORKER_NAME", "a b"), EXPECTED_WORKER_NAME),
    ];
    for ((variable, value), expected) in table {
        let error = read(&[(variable, value)]).unwrap_err();
        let shown = (error.variable(), error.found(), error.expected());
        assert_eq!(shown, (variable, Some(value), expected));
    }
    assert_eq!(
        read(&[("WEBHOOK_LEASE", "44s")]).unwrap_err().to_string(),
        "WEBHOOK_LEASE is \"44s\"; expected at least 45s: the longest attempt, and the budgets for \
         its claim and its record; a shorter WEBHOOK_MAX_TIMEOUT permits a shorter lease"
    );
}

#[test]
fn a_database_may_be_asked_for() {
    assert_eq!(
        read(&[]).unwrap().required_db().unwrap_err().to_string(),
        "WEBHOOK_DB is not set; expected the URL of a database, such as sqlite://FILE"
    );
}

#[test]
fn a_password_is_never_shown() {
    let settings = read(&[("WEBHOOK_DB", "postgres://me:hunter2@host/db")]).unwrap();
    assert!(!format!("{settings:?}").contains("hunter2"));
}

#[cfg(unix)]
#[test]
fn what_is_no_text_is_refused_without_showing_it() {
    use std::os::unix::ffi::OsStringExt as _;
    let binary = |name: &str| {
        (name == "WEBHOOK_DB").then(|| OsString::from_vec(b"postgres://me:hunter2@\xff".into()))
    };
    let error = Settings::from_lookup(binary).unwrap_err();
    assert_eq!(error.to_string(), "WEBHOOK_DB cannot be used; expected text in UTF-8");
}

#[test]
fn each_variable_is_read_and_in_the_readme() {
    let asked = std::cell::RefCell::new(std::collections::BTreeSet::new());
    let note = |name: &str| {
        asked.borrow_mut().insert(name.to_owned());
        None
    };
    assert!(Settings::from_lookup(note).is_ok());
    assert_eq!(asked.into_inner(), Settings::VARIABLES.map(str::to_owned).into());
    let readme = include_str!("../../../README.md");
    for variable in Settings::VARIABLES {
        assert!(readme.contains(&format!("`{variable}`")), "{variable} is not in the README");
    }
}
