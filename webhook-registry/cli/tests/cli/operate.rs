//! What operators do from a shell.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

use webhook_registry::database::SeaOrmStore;
use webhook_registry::database::sea_orm::{ConnectionTrait as _, Database};

use crate::shell::{LOCAL, Shell};

/// Publishes an event that is given up at once; the id of its delivery.
fn failed(shell: &Shell, endpoint: &str) -> String {
    let published = shell.run(&["--json", "publish", "a", "--data", "1"]).json();
    shell.run(&[LOCAL, "run", "--until-idle"]);
    format!("{}.{endpoint}", published[0]["event"].as_str().unwrap())
}

#[test]
fn what_failed_is_redelivered_by_its_id() {
    let shell = Shell::new();
    let receiver = shell.listen("500,200");
    let endpoint = shell.add_endpoint(&receiver.url, &["--retry", "none"]);
    let id = failed(&shell, &endpoint);
    let unknown = format!("{endpoint}.{endpoint}");
    let ran = shell.run(&["--json", "delivery", "redeliver", &id, &unknown]);
    let results = ran.json();
    assert_eq!((ran.code, results.len()), (Some(1), 2), "one is not there: {ran:?}");
    assert_eq!(
        (&results[0]["delivery"], &results[0]["result"]),
        (&id.as_str().into(), &"redelivered".into())
    );
    assert_eq!(results[1]["result"], "not_found");
    let again = shell.run(&["delivery", "redeliver", &id]);
    assert_eq!(again.code, Some(0), "it is safe to repeat: {again:?}");
    assert!(again.stdout.contains("left as it is: pending"), "{again:?}");
    assert_eq!(shell.run(&[LOCAL, "run", "--until-idle"]).code, Some(0));
    let shown = &shell.run(&["--json", "delivery", "show", &id]).json()[0];
    assert_eq!((&shown["status"], &shown["attempts"]), (&"success".into(), &2.into()));
}

#[test]
fn a_delivery_is_explained() {
    let shell = Shell::new();
    let receiver = shell.listen("404");
    let endpoint = shell.add_endpoint(&receiver.url, &["--retry", "1h jitter 0%"]);
    let published = shell.run(&["--json", "publish", "a", "--data", "1"]).json();
    let id = format!("{}.{endpoint}", published[0]["event"].as_str().unwrap());
    let explain = || shell.run(&["delivery", "explain", &id]).stdout;
    assert!(explain().contains("\n  no attempt is on record\n  next: due for "), "{}", explain());
    shell.run(&[LOCAL, "run", "--until-idle", "--worker-name", "blue:1"]);
    let page = explain();
    let lines: Vec<_> = page.lines().collect();
    assert_eq!(lines[1], "  the endpoint wants **");
    assert!(lines[2].ends_with(" ago: status 404"), "{page}");
    assert_eq!(lines[3], "    the receiver has nothing at this URL");
    assert!(lines[4].starts_with("  next: attempt 2 of 2 in 59m"), "{page}");
    assert!(lines[4].ends_with(", after the 1st wait of its retry policy (1h)"), "{page}");
    let parts = &shell.run(&["--json", "delivery", "explain", &id]).json()[0];
    assert_eq!(parts["attempts"][0]["what"], "status 404");
    assert!(parts["standing"].as_str().unwrap().starts_with("next: attempt 2 of 2 in "));
    let shown = shell.run(&["delivery", "show", &id]);
    assert!(shown.stdout.contains("blue:1"), "{shown:?}");
    let shown = &shell.run(&["--json", "delivery", "show", &id]).json()[0];
    assert_eq!((&shown["claimed_by"], shown["leased_until"].is_null()), (&"blue:1".into(), true));
}

#[test]
fn what_failed_at_an_endpoint_is_redelivered_at_once() {
    let shell = Shell::new();
    let receiver = shell.listen("500x3,200");
    let endpoint = shell.add_endpoint(&receiver.url, &["--retry", "none"]);
    for _ in 0..3 {
        failed(&shell, &endpoint);
    }
    let bulk = |more: &[&str]| {
        let all =
            ["--json", "delivery", "redeliver", "--status", "failed", "--endpoint", &endpoint];
        let ran = shell.run(&[&all[..], more].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.json()[0]["redelivered"].as_u64().unwrap()
    };
    assert_eq!(bulk(&["--since", "1h", "--dry-run"]), 3);
    assert_eq!(bulk(&["--until", "1h"]), 0, "none is older than that");
    assert_eq!(bulk(&["--since", "2020-01-01T00:00:00Z"]), 3);
    assert_eq!(bulk(&[]), 0, "it is safe to repeat");
    assert_eq!(shell.run(&[LOCAL, "run", "--until-idle"]).code, Some(0));
    assert_eq!(shell.run(&["--json", "delivery", "list", "--status", "success"]).json().len(), 3);
}

#[test]
fn a_cancelled_delivery_is_not_sent() {
    let shell = Shell::new();
    let endpoint = shell.add_endpoint("http://127.0.0.1:9/", &[]);
    let published = shell.run(&["--json", "publish", "a", "--data", "1"]).json();
    let id = format!("{}.{endpoint}", published[0]["event"].as_str().unwrap());
    for (result, code) in [("cancelled", 0), ("unchanged", 0)] {
        let ran = shell.run(&["--json", "delivery", "cancel", &id]);
        assert_eq!((ran.code, &ran.json()[0]["result"]), (Some(code), &result.into()), "{ran:?}");
    }
    let ran = shell.run(&["--json", LOCAL, "run", "--until-idle"]);
    assert_eq!((ran.code, &ran.json()[0]["left"]["pending"]), (Some(0), &0.into()), "{ran:?}");
}

#[test]
fn what_blocks_an_ordering_key_is_explained_and_skipped() {
    let shell = Shell::new();
    let mut receiver = shell.listen("500,200");
    let endpoint = shell.add_endpoint(&receiver.url, &["--ordered", "--retry", "none"]);
    let lines =
        [1, 2, 3].map(|n| format!(r#"{{"type":"a","data":{n},"ordering_key":"order-17"}}"#));
    let published =
        shell.run_with(&["--json", "publish", "--ndjson", "-"], &lines.join("\n")).json();
    let ids: Vec<_> = published.iter().map(|it| it["event"].as_str().unwrap().to_owned()).collect();
    let ids: Vec<_> = ids.iter().map(|event| format!("{event}.{endpoint}")).collect();
    let explain = |id: &str| shell.run(&["delivery", "explain", id]).stdout;
    let before = explain(&ids[2]);
    assert!(
        before.contains(&format!("waits for an earlier delivery of its ordering key: {}", ids[0]))
    );
    assert_eq!(shell.run(&[LOCAL, "run", "--until-idle"]).code, Some(1), "one is given up");
    assert!(
        explain(&ids[0]).contains("the later ones of its ordering key wait"),
        "{}",
        explain(&ids[0])
    );
    let blocked = explain(&ids[1]);
    assert!(
        blocked.contains("blocked since an earlier delivery of its ordering key failed"),
        "{blocked}"
    );
    assert!(blocked.trim_end().ends_with(&format!("skip or redeliver {}", ids[0])), "{blocked}");
    for (result, code) in [("skipped", 0), ("unchanged", 0)] {
        let ran = shell.run(&["--json", "delivery", "skip", &ids[0]]);
        assert_eq!((ran.code, &ran.json()[0]["result"]), (Some(code), &result.into()), "{ran:?}");
    }
    let last = ["publish", "a", "--data", "4", "--ordering-key", "order-17"];
    assert_eq!(shell.run(&last).code, Some(0));
    assert_eq!(shell.run(&[LOCAL, "run", "--until-idle"]).code, Some(0));
    let bodies: Vec<_> = (0..4).map(|_| receiver.next()["body"].clone()).collect();
    assert_eq!(bodies, ["1", "2", "3", "4"], "one after the other");
    let cleared = shell.run(&["--json", "endpoint", "update", &endpoint, "--clear", "ordered"]);
    assert_eq!(cleared.json()[0]["order"], serde_json::Value::Null, "{cleared:?}");
}

#[test]
fn an_endpoint_is_disabled_and_enabled() {
    let shell = Shell::new();
    let endpoint = shell.add_endpoint("http://127.0.0.1:9/", &[]);
    for (command, state) in [("disable", "disabled"), ("enable", "active")] {
        let ran = shell.run(&["--json", "endpoint", command, &endpoint]);
        assert_eq!((ran.code, &ran.json()[0]["state"]), (Some(0), &state.into()), "{ran:?}");
    }
}

#[test]
fn a_status_tells_what_is_left_and_who_fails() {
    let shell = Shell::new();
    let receiver = shell.listen("500");
    let endpoint = shell.add_endpoint(&receiver.url, &["--retry", "1h"]);
    shell.run(&["publish", "a", "--data", "1"]);
    shell.run(&[LOCAL, "run", "--until-idle"]);
    let status = &shell.run(&["--json", "status"]).json()[0];
    assert_eq!((&status["pending"], &status["leases_lost"]), (&1.into(), &0.into()));
    assert_eq!(status["failing"][0]["endpoint"], endpoint);
    assert_eq!(status["oldest_due_for_ms"], serde_json::Value::Null, "it waits for an hour");
    let shown = shell.run(&["status"]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    assert!(shown.stdout.contains("pending      1\n"), "{shown:?}");
    assert!(shown.stdout.contains(&endpoint), "{shown:?}");
}

#[test]
fn what_is_old_is_pruned_when_it_is_asked_for() {
    let shell = Shell::new();
    let receiver = shell.listen("200");
    shell.add_endpoint(&receiver.url, &[]);
    shell.run(&["publish", "a", "--data", "1"]);
    shell.run(&[LOCAL, "run", "--until-idle"]);
    std::thread::sleep(std::time::Duration::from_millis(5));
    let prune = |more: &[&str]| {
        let ran = shell.run(&[&["--json", "prune", "--older-than"][..], more].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let pruned = ran.json().remove(0);
        ["deliveries", "attempts", "events"].map(|kind| pruned[kind].as_u64().unwrap())
    };
    assert_eq!(prune(&["30d"]), [0, 0, 0]);
    assert_eq!(prune(&["1ms", "--dry-run"]), [1, 1, 1]);
    assert_eq!(prune(&["1ms"]), [1, 1, 1]);
    assert_eq!(prune(&["1ms"]), [0, 0, 0]);
}

#[test]
fn tables_are_checked_without_being_touched() {
    let shell = Shell::new();
    let check = || shell.run(&["--json", "migrate", "check"]);
    assert_eq!(check().code, Some(1), "there is no file");
    assert!(!shell.path("webhooks.db").exists(), "and looking makes none");
    shell.write("webhooks.db", "");
    let ran = check();
    assert_eq!((ran.code, &ran.json()[0]["step"]), (Some(1), &0.into()), "{ran:?}");
    assert_eq!(shell.run(&["migrate"]).code, Some(0));
    let ran = check();
    assert_eq!((ran.code, &ran.json()[0]["fits"]), (Some(0), &true.into()), "{ran:?}");
}

#[tokio::test]
async fn tables_that_do_not_fit_are_told_with_what_to_do() {
    let shell = Shell::new();
    assert_eq!(shell.run(&["migrate"]).code, Some(0));
    let url = format!("sqlite://{}", shell.path("webhooks.db").display());
    let other = Database::connect(url).await.unwrap();
    other.execute_unprepared("INSERT INTO webhook_schema VALUES (99, 0)").await.unwrap();
    let update = "newer version; update this program";
    let ran = shell.run(&["migrate", "check"]);
    let at = "at step 99, and this program needs step";
    assert!(
        ran.code == Some(1) && ran.stdout.contains(at) && ran.stdout.contains(update),
        "{ran:?}"
    );
    for args in [&["migrate"][..], &["run", "--until-idle"]] {
        let ran = shell.run(args);
        assert!(ran.code == Some(1) && ran.stderr.contains(update), "{ran:?}");
    }

    other.execute_unprepared("DELETE FROM webhook_schema").await.unwrap();
    other.execute_unprepared("DROP TABLE webhook_attempts").await.unwrap();
    let migrate = "began and did not end; run `webhook migrate`";
    let ran = shell.run(&["migrate", "check"]);
    assert!(ran.code == Some(1) && ran.stdout.contains(migrate), "{ran:?}");
    let ran = shell.run(&["run", "--until-idle"]);
    assert!(ran.code == Some(1) && ran.stderr.contains(migrate), "{ran:?}");
    for args in [&["migrate"][..], &["migrate", "check"], &["run", "--until-idle"]] {
        assert_eq!(shell.run(args).code, Some(0), "{args:?}");
    }
}

#[test]
fn steps_and_rights_are_printed_for_each_database() {
    let shell = Shell::new();
    let print = |more: &[&str]| {
        let ran = shell.run(&[&["migrate", "print"][..], more].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.stdout
    };
    assert!(print(&[]).starts_with("PRAGMA journal_mode = WAL;\n"));
    let postgres = print(&["--db-kind", "postgres", "--schema", "hooks", "--prefix", "p_"]);
    assert!(postgres.contains("CREATE TABLE \"hooks\".p_events ("), "{postgres}");
    assert!(print(&["--db-kind", "mysql"]).contains("ENGINE = InnoDB"));
    let grants = print(&["--db-kind", "postgres", "--grants", "hooks_"]);
    let worker = "GRANT SELECT, INSERT, UPDATE ON webhook_deliveries TO hooks_worker;\n";
    assert!(grants.contains(worker), "{grants}");
    assert!(!shell.path("webhooks.db").exists(), "no database is opened");
}

#[tokio::test]
async fn a_run_migrates_when_it_is_asked_to() {
    let shell = Shell::new();
    let url = format!("sqlite://{}?mode=rwc", shell.path("webhooks.db").display());
    let other = SeaOrmStore::builder(&url).table_prefix("others_").connect().await.unwrap();
    other.migrate().await.unwrap();
    other.close().await;
    let refused = shell.run(&["run", "--until-idle"]);
    assert_eq!(refused.code, Some(1), "what is not empty is left alone: {refused:?}");
    let ran = shell.run(&["run", "--until-idle", "--migrate"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(shell.run(&["migrate", "check"]).code, Some(0));
}

#[test]
fn an_endpoint_is_checked_without_a_database_and_without_a_post() {
    let shell = Shell::new();
    let receiver = shell.listen("200");
    let checked = shell.run(&[LOCAL, "endpoint", "check", &receiver.url]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    assert!(
        checked.stdout.contains("  ok      connect      connected to 127.0.0.1:"),
        "{checked:?}"
    );
    assert!(checked.stdout.contains("  skipped tls          plain http"), "{checked:?}");

    let url = "https://127.0.0.1:9/?token=c4nary";
    let checked = shell.run(&["--json", "endpoint", "check", url, "--timeout", "1s"]);
    let report = &checked.json()[0];
    assert_eq!((checked.code, &report["steps"][1]["result"]), (Some(1), &"failed".into()));
    assert_eq!(report["steps"][1]["found"], "loopback (RFC 1122)");
    assert!(!checked.stdout.contains("c4nary"), "{checked:?}");
    assert!(!shell.path("webhooks.db").exists());
}

#[test]
fn deliveries_are_listed_and_redelivered_by_type() {
    let shell = Shell::new();
    let endpoint = shell.add_endpoint("http://127.0.0.1:9/", &["--retry", "none"]);
    for event_type in ["invoice.paid", "user.made"] {
        shell.run(&["publish", event_type, "--data", "1"]);
    }
    let listed = shell.run(&["--json", "delivery", "list", "--type", "invoice.*"]).json();
    assert_eq!((listed.len(), &listed[0]["type"]), (1, &"invoice.paid".into()), "{listed:?}");
    let ids: Vec<_> = shell.run(&["--json", "delivery", "list"]).json();
    let ids: Vec<_> = ids.iter().map(|it| it["id"].as_str().unwrap()).collect();
    shell.run(&[&["delivery", "cancel"], &ids[..]].concat());
    let again = ["--json", "delivery", "redeliver", "--status", "cancelled", "--type", "user.made"];
    assert_eq!(shell.run(&again).json()[0]["redelivered"], 1);
    let pending = ["--json", "delivery", "list", "--status", "pending", "--endpoint", &endpoint];
    assert_eq!(shell.run(&pending).json()[0]["type"], "user.made");
}

#[test]
fn an_endpoint_tells_how_it_does() {
    let shell = Shell::new();
    let receiver = shell.listen("503,200");
    let endpoint = shell.add_endpoint(&receiver.url, &["--retry", "none"]);
    failed(&shell, &endpoint);
    shell.run(&["publish", "a", "--data", "1"]);
    let ran = shell.run(&["--json", "endpoint", "stats", &endpoint, "--window", "1h"]);
    let stats = ran.json().remove(0);
    assert_eq!(stats["deliveries"], serde_json::json!({"pending": 1, "failed": 1}), "{ran:?}");
    assert_eq!((&stats["attempts"], &stats["failures"]["status"]), (&1.into(), &1.into()));
    assert!(stats["durations"]["p95_ms"].is_u64(), "{stats}");
    let text = shell.run(&["endpoint", "stats", &endpoint]).stdout;
    assert!(text.contains("window       the last 1d\n"), "{text}");
    assert!(text.contains("deliveries   2: 1 pending, 1 failed\n"), "{text}");
    assert!(text.contains("failures     1: 1 status\n"), "{text}");
}

#[test]
fn what_was_missed_is_sent_when_the_endpoint_is_enabled_and_asked_for() {
    let shell = Shell::new();
    let mut receiver = shell.listen("200");
    let endpoint = shell.add_endpoint(&receiver.url, &[]);
    let publish = |what| shell.run(&["publish", what, "--data", "1"]);
    shell.run(&["endpoint", "disable", &endpoint]);
    let published = shell.run(&["--json", "publish", "a.one", "--data", "1"]).json();
    assert_eq!(published[0]["deliveries"]["routed"], 0, "nobody gets it");
    publish("a.two");
    publish("b");
    let missed = shell.run(&["--json", "delivery", "list", "--status", "missed"]).json();
    assert_eq!(missed.len(), 3);

    let replay = |more: &[&str]| {
        let all = ["--json", "replay", "--endpoint", &endpoint, "--include", "missed"];
        let ran = shell.run(&[&all[..], more].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.json()
    };
    assert_eq!(replay(&["--dry-run"])[0]["estimate"], 3);
    assert_eq!(replay(&["--dry-run", "--until", "1h"])[0]["estimate"], 0);
    let begun = &replay(&["--dry-run", "--type", "a.*", "--since", "1h"])[0];
    assert_eq!(begun["estimate"], 2);
    let resumed =
        shell.run(&["--json", "replay", "--resume", begun["state"].as_str().unwrap()]).json();
    assert_eq!(resumed.last().unwrap()["replayed"], 2, "{resumed:?}");
    let waits = shell.run(&[LOCAL, "run", "--until-idle"]);
    assert_eq!(waits.code, Some(0), "what is due waits for its endpoint: {waits:?}");

    let enabled = shell.run(&["--json", "endpoint", "enable", &endpoint, "--resend-missed"]);
    let lines = enabled.json();
    assert_eq!((&lines[0]["state"], &lines[1]["estimate"]), (&"active".into(), &1.into()));
    assert_eq!(lines.last().unwrap()["replayed"], 1);
    assert_eq!(shell.run(&[LOCAL, "run", "--until-idle"]).code, Some(0));
    let mut types: Vec<_> = (0..3).map(|_| receiver.next()["type"].to_string()).collect();
    types.sort();
    assert_eq!(types, ["\"a.one\"", "\"a.two\"", "\"b\""]);
    let id = missed[0]["id"].as_str().unwrap();
    let shown = shell.run(&["delivery", "show", id]);
    assert!(shown.stdout.contains("replay"), "{shown:?}");
}

#[test]
fn a_worker_sends_a_test_to_one_endpoint_alone() {
    let shell = Shell::new();
    let (mut receiver, other) = (shell.listen("200"), shell.listen("200"));
    let endpoint = shell.add_endpoint(&receiver.url, &["--events", "invoice.*"]);
    shell.add_endpoint(&other.url, &[]);
    let test = ["endpoint", "test", &endpoint, "--worker", "--type", "a.test", "--data", "7"];
    let queued = shell.run(&[&["--json"], &test[..]].concat());
    let id = queued.json()[0]["delivery"].as_str().unwrap().to_owned();
    assert_eq!(shell.run(&[LOCAL, "run", "--until-idle"]).code, Some(0));
    assert_eq!(receiver.next()["type"], "a.test");
    let shown = &shell.run(&["--json", "delivery", "show", &id]).json()[0];
    assert_eq!(
        (&shown["status"], &shown["log"][0]["trigger"]),
        (&"success".into(), &"test".into())
    );
    let all = shell.run(&["--json", "delivery", "list"]).json();
    assert_eq!(all.len(), 1, "nobody else gets it");

    shell.run(&["endpoint", "pause", &endpoint]);
    let paused = shell.run(&test);
    assert_eq!(paused.code, Some(1));
    assert!(paused.stderr.contains("is paused, so nothing would arrive"), "{paused:?}");
}
