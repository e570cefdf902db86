//! A worker that is killed loses nothing.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic here is the failed assertion"
)]

use std::collections::BTreeMap;

use serde_json::Value;

use crate::shell::{LOCAL, Shell};

const EVENTS: usize = 1_000;

/// Deliveries by status.
fn count(shell: &Shell) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for delivery in shell.run(&["--json", "delivery", "list", "--limit", "2000"]).json() {
        *counts.entry(delivery["status"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    counts
}

fn of(counts: &BTreeMap<String, usize>, statuses: &[&str]) -> usize {
    statuses.iter().filter_map(|status| counts.get(*status)).sum()
}

/// Takes as long as a lease; run it with `--ignored`.
#[test]
#[ignore = "takes a minute: the leases of the killed worker have to run out"]
fn kill_9_loses_no_event() {
    let shell = Shell::new();
    let mut receiver = shell.listen("200");
    shell.add_endpoint(&receiver.url, &[]);
    let lines: String = (0..EVENTS).map(|n| format!("{{\"type\":\"a\",\"data\":{n}}}\n")).collect();
    let published = shell.run_with(&["--json", "publish", "--ndjson", "-"], &lines).json();
    let mut missing: BTreeMap<String, Value> =
        published.into_iter().map(|one| (one["event"].to_string(), one)).collect();
    assert_eq!(missing.len(), EVENTS);

    let mut seen = |missing: &mut BTreeMap<String, Value>| {
        let request = receiver.next();
        assert_eq!(request["verified"], true, "{request}");
        missing.remove(&request["id"].to_string());
    };
    let mut worker = shell.spawn(&[LOCAL, "run"]);
    (0..150).for_each(|_| seen(&mut missing));
    worker.kill();
    let counts = count(&shell);
    eprintln!("when killed: {counts:?}");
    assert!(of(&counts, &["in_flight", "success"]) >= 100, "{counts:?}");
    assert!(of(&counts, &["pending"]) >= 100, "{counts:?}");

    let second = shell.spawn(&[LOCAL, "run", "--until-idle", "--horizon", "all"]);
    while !missing.is_empty() {
        seen(&mut missing);
    }
    assert_eq!(second.end(), Some(0));
    assert_eq!(count(&shell), BTreeMap::from([("success".to_owned(), EVENTS)]));
}
