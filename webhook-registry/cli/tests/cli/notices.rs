//! What has to be told, and how endpoints are, from a shell.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a panic is the failed test")]

use crate::shell::{LOCAL, Shell};

fn publish(shell: &Shell, count: usize) {
    for _ in 0..count {
        shell.run(&["publish", "a", "--data", "1"]);
    }
}

#[test]
fn what_has_to_be_told_is_listed_until_it_is_acknowledged() {
    let shell = Shell::new();
    let receiver = shell.listen("500x2,410");
    let endpoint = shell.add_endpoint(&receiver.url, &["--retry", "none"]);
    publish(&shell, 3);
    shell.run(&[LOCAL, "run", "--until-idle"]);
    let listed = shell.run(&["--json", "notice", "list"]).json();
    let mut kinds: Vec<_> = listed.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["delivery_exhausted", "delivery_exhausted", "endpoint_disabled"]);
    assert!(listed.iter().all(|notice| notice["endpoint"] == endpoint.as_str()));
    let page = shell.run(&["notice", "list", "--limit", "1"]).stdout;
    assert_eq!(page.lines().count(), 2, "{page}");

    let id = listed[0]["id"].as_str().unwrap();
    let acknowledged = shell.run(&["notice", "ack", id]);
    assert_eq!((acknowledged.code, acknowledged.stdout.trim()), (Some(0), "acknowledged 1"));
    let rest = shell.run(&["--json", "notice", "ack", "--all"]).json();
    assert_eq!(rest[0]["acknowledged"], 2);
    assert!(shell.run(&["--json", "notice", "list"]).json().is_empty());
    assert_eq!(shell.run(&["notice", "ack"]).code, Some(2), "of what?");
}

#[test]
fn notices_may_be_webhooks_themselves() {
    let shell = Shell::new();
    let mut receiver = shell.listen("410,200");
    shell.add_endpoint(&receiver.url, &["--tenant", "acme"]);
    shell.add_endpoint(&receiver.url, &["--tenant", "ops", "--events", "webhook.**"]);
    shell.run(&["publish", "a", "--tenant", "acme", "--data", "1"]);
    // What its last attempts have caused is published when the run ends.
    shell.run(&[LOCAL, "run", "--until-idle", "--notices-to", "ops"]);
    assert_eq!(receiver.next()["type"], "a");
    assert!(shell.run(&["--json", "notice", "list"]).json().is_empty(), "it is acknowledged");
    shell.run(&[LOCAL, "run", "--until-idle"]);
    assert_eq!(receiver.next()["type"], "webhook.endpoint.disabled");
}

#[test]
fn an_endpoint_is_shown_with_its_health_and_its_rate() {
    let shell = Shell::new();
    let receiver = shell.listen("503");
    let more = ["--retry", "none", "--rate", "10/s burst 20", "--max-in-flight", "4"];
    let endpoint = shell.add_endpoint(&receiver.url, &more);
    let shown = || shell.run(&["endpoint", "show", &endpoint]).stdout;
    assert!(shown().contains("rate         10/s burst 20\n"), "{}", shown());
    assert!(shown().contains("in flight    at most 4 in each process\n"), "{}", shown());
    assert!(shown().contains("health       healthy\n"), "{}", shown());
    let update =
        |more: &[&str]| shell.run(&[&["endpoint", "update", &endpoint][..], more].concat());
    update(&["--rate", "5/s", "--max-in-flight", "2"]);
    assert!(shown().contains("rate         5/s burst 5\n"), "{}", shown());
    assert!(shown().contains("in flight    at most 2 in each process\n"), "{}", shown());
    update(&["--clear", "rate"]);
    assert!(shown().contains("rate         no limit\n"), "{}", shown());
    publish(&shell, 3);
    shell.run(&[LOCAL, "run", "--until-idle"]);
    assert!(shown().contains("health       failing, 3 times in a row since 20"), "{}", shown());
    let wrong = shell.run(&["endpoint", "add", "https://a.example/", "--rate", "fast"]);
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.stderr.contains("expected such as 10/s"), "{wrong:?}");
}
