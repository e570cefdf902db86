//! Settings by variables of the environment; options win over them.

use crate::shell::Shell;

/// A run that ends by itself.
const RUN: [&str; 4] = ["run", "--until-idle", "--horizon", "1s"];

fn run(variables: &[(&'static str, &'static str)], more: &[&str]) -> (Option<i32>, String) {
    let ran = Shell::with_variables(variables).run(&[&RUN, more].concat());
    (ran.code, ran.stderr)
}

#[test]
fn a_variable_that_is_wrong_is_named_with_what_is_expected() {
    let table = [
        (("WEBHOOK_LEASE", "40"), "is \"40\"; expected a duration such as 30s, longer than none"),
        (("WEBHOOK_MODE", "off"), "is \"off\"; expected publish-only, worker or both"),
        (
            ("WEBHOOK_MODE", "publish-only"),
            "is publish-only: nothing is to be delivered here; set worker or both",
        ),
        (("WEBHOOK_POOL_SIZE", "0"), "is \"0\"; expected a whole number, at least 1"),
    ];
    for (variable, line) in table {
        let expected = format!("webhook: {} {line}\n", variable.0);
        assert_eq!(run(&[variable], &[]), (Some(2), expected));
    }
}

#[test]
fn an_option_wins_over_its_variable() {
    let variables = [("WEBHOOK_LEASE", "10s"), ("WEBHOOK_CONCURRENCY", "none")];
    assert_eq!(run(&variables, &[]).0, Some(2));
    let options = ["--lease", "10s", "--max-timeout", "1s", "--concurrency", "3"];
    assert_eq!(run(&variables, &options).0, Some(2), "the budgets of the lease are too long");
    let variables =
        [variables[0], variables[1], ("WEBHOOK_RECORDING_BUDGET", "2s"), ("WEBHOOK_DRAIN", "0s")];
    assert_eq!(run(&variables, &options), (Some(0), String::new()));
}

#[test]
fn an_option_hides_a_variable_that_is_invalid() {
    let publish = ["publish", "a", "--data", "1"];
    let table: [(&[&str], &str, &str, &str); 11] = [
        (&RUN, "WEBHOOK_CONCURRENCY", "--concurrency", "3"),
        (&RUN, "WEBHOOK_LEASE", "--lease", "50s"),
        (&RUN, "WEBHOOK_MAX_TIMEOUT", "--max-timeout", "3s"),
        (&RUN, "WEBHOOK_POLL", "--poll", "3s"),
        (&RUN, "WEBHOOK_DRAIN", "--drain", "0s"),
        (&RUN, "WEBHOOK_TENANT_SHARE", "--tenant-share", "3"),
        (&RUN, "WEBHOOK_DISABLE_AFTER", "--disable-after", "never"),
        (&RUN, "WEBHOOK_NOTICES_TO", "--notices-to", "ops"),
        (&RUN, "WEBHOOK_WORKER_NAME", "--worker-name", "blue"),
        (&publish, "WEBHOOK_MAX_BODY", "--max-body", "9"),
        (&publish, "WEBHOOK_DB", "--db", "sqlite://webhooks.db?mode=rwc"),
    ];
    for (command, variable, option, value) in table {
        let shell = Shell::with_variables(&[(variable, "not valid")]);
        assert_ne!(shell.run(command).code, Some(0), "{variable}");
        let ran = shell.run(&[command, &[option, value]].concat());
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{option} over {variable}");
    }
}

#[test]
fn the_tables_are_where_the_variables_say() {
    let shell = Shell::with_variables(&[
        ("WEBHOOK_DB", "sqlite://other.db?mode=rwc"),
        ("WEBHOOK_TABLE_PREFIX", "hooks_"),
    ]);
    assert_eq!(shell.run(&["publish", "a", "--data", "1"]).code, Some(0));
    assert!(shell.path("other.db").exists() && !shell.path("webhooks.db").exists());
    let elsewhere = shell.run(&["--db", "sqlite://b.db?mode=rwc", "migrate"]);
    assert_eq!(elsewhere.code, Some(0), "an option wins here, too: {elsewhere:?}");
    assert!(shell.path("b.db").exists());
}
