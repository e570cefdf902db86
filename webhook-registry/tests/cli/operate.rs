//! What operators do from a shell.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

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
fn an_endpoint_is_disabled_and_enabled() {
    let shell = Shell::new();
    let endpoint = shell.add_endpoint("http://127.0.0.1:9/", &[]);
    for (command, state) in [("disable", "disabled"), ("enable", "active")] {
        let ran = shell.run(&["--json", "endpoint", command, &endpoint]);
        assert_eq!((ran.code, &ran.json()[0]["state"]), (Some(0), &state.into()), "{ran:?}");
    }
}
