//! From a publish to a receiver's ledger.

use crate::shell::{LOCAL, SECRET, Shell};

const DATA: &str = r#"{"z": 1.00, "a": "Zoë", "m": [1e3]}"#;

#[test]
fn what_is_published_arrives_signed_and_byte_for_byte() {
    let shell = Shell::new();
    let mut receiver = shell.listen("200");
    shell.add_endpoint(&receiver.url, &["--events", "invoice.*"]);
    let published = shell.run(&["--json", "publish", "invoice.paid", "--data", DATA]).json();
    assert_eq!(published[0]["deliveries"]["routed"], 1);

    let ran = shell.run(&["--json", LOCAL, "run", "--until-idle"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.json()[0]["delivered"], 1);

    let request = receiver.next();
    assert_eq!((&request["id"], &request["verified"]), (&published[0]["event"], &true.into()));
    assert_eq!((&request["type"], &request["body"]), (&"invoice.paid".into(), &DATA.into()));
}

#[test]
fn a_delivery_shows_every_attempt() {
    let shell = Shell::new();
    let receiver = shell.listen("503x2,200");
    shell.add_endpoint(&receiver.url, &["--retry", "10ms,10ms"]);
    shell.run(&["publish", "invoice.paid", "--data", "1"]);
    assert_eq!(shell.run(&[LOCAL, "run", "--until-idle"]).code, Some(0));

    let delivery = &shell.run(&["--json", "delivery", "list"]).json()[0];
    let shown = shell.run(&["--json", "delivery", "show", delivery["id"].as_str().unwrap()]);
    let shown = &shown.json()[0];
    let statuses: Vec<_> =
        shown["log"].as_array().unwrap().iter().map(|attempt| attempt["status"].clone()).collect();
    assert_eq!(statuses, [503, 503, 200]);
    assert_eq!((&shown["status"], &shown["attempts"]), (&"success".into(), &3.into()));
}

#[test]
fn a_delivery_given_up_ends_a_run_with_1_and_work_left_with_3() {
    let shell = Shell::new();
    let receiver = shell.listen("500");
    shell.add_endpoint(&receiver.url, &["--events", "once", "--retry", "none"]);
    shell.add_endpoint(&receiver.url, &["--events", "later", "--retry", "1h"]);

    shell.run(&["publish", "later", "--data", "1"]);
    let ran = shell.run(&["--json", LOCAL, "run", "--until-idle"]);
    assert_eq!((ran.code, &ran.json()[0]["left"]["pending"]), (Some(3), &1.into()), "{ran:?}");

    shell.run(&["publish", "once", "--data", "1"]);
    let ran = shell.run(&["--json", LOCAL, "run", "--until-idle"]);
    assert_eq!((ran.code, &ran.json()[0]["failed"]), (Some(1), &1.into()), "{ran:?}");
}

#[test]
fn a_bad_line_is_told_by_its_number_and_the_rest_goes_on() {
    let shell = Shell::new();
    shell.add_endpoint("http://127.0.0.1:9/", &[]);
    let lines = [
        r#"{"type":"a","data":{"n":1},"key":"k1"}"#,
        r#"{"type":"a..b","data":2}"#,
        "",
        r#"{"type":"a","data":}"#,
        r#"{"type":"a","data":{"n":9},"key":"k1"}"#,
        r#"{"type":"a","data":{"n":6},"tenant":"other"}"#,
    ];
    let ran = shell.run_with(&["--json", "publish", "--ndjson", "-"], &lines.join("\n"));
    let published = ran.json();
    assert_eq!((ran.code, published.len()), (Some(1), 2), "{ran:?}");
    assert_eq!((&published[0]["line"], &published[1]["line"]), (&1.into(), &6.into()));
    let first = published[0]["event"].as_str().unwrap();
    assert_eq!(
        ran.stderr,
        format!(
            "webhook: line 2: not a valid event type; expected segments of A-Z a-z 0-9 _ - joined by dots, such as invoice.paid, at most 128 bytes at column 14\n\
             webhook: line 4: expected value at column 20\n\
             webhook: line 5: another event has the key k1 and a different body, type or tenant: event {first}\n\
             webhook: 3 lines were not published; correct and publish what is missing\n"
        )
    );
    // The other tenant has no endpoint.
    assert_eq!(shell.run(&["--json", "delivery", "list"]).json().len(), 1);
}

#[test]
fn a_list_goes_on_where_it_ended() {
    let shell = Shell::new();
    shell.add_endpoint("http://127.0.0.1:9/", &[]);
    let lines = "{\"type\":\"a\",\"data\":1}\n".repeat(5);
    shell.run_with(&["publish", "--ndjson", "-"], &lines);
    let mut first = shell.run(&["--json", "delivery", "list", "--limit", "3"]).json();
    let next = first.pop().unwrap();
    let cursor = next["next"].as_str().unwrap();
    let second = shell.run(&["--json", "delivery", "list", "--cursor", cursor]).json();
    let mut ids: Vec<_> =
        first.iter().chain(&second).map(|delivery| delivery["id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!((first.len(), second.len(), ids.len()), (3, 2, 5));
}

#[test]
fn an_event_is_sent_now_without_a_database() {
    let shell = Shell::new();
    let mut receiver = shell.listen("200,404");
    let url = receiver.url.clone();
    let send = [LOCAL, "send", &url, "a.b", "--data", "1", "--secret", SECRET];
    assert_eq!(shell.run(&send).code, Some(0));
    assert_eq!(receiver.next()["verified"], true);

    let ran = shell.run(&[&send[..], &["--attempts", "1"]].concat());
    assert_eq!(ran.code, Some(1));
    assert_eq!(ran.stderr, "webhook: webhook delivery failed after 1 attempt: status 404\n");
    assert!(!shell.path("webhooks.db").exists());
}

#[test]
fn a_former_secret_verifies_until_its_overlap_is_over() {
    let shell = Shell::new();
    let mut receiver = shell.listen("200");
    let id = shell.add_endpoint(&receiver.url, &[]);
    let endpoint = |verb: &[&str]| {
        let ran = shell.run(&[&["--json", LOCAL, "endpoint"], verb].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.json().remove(0)
    };
    let mut is_verified = || {
        endpoint(&["test", &id]);
        receiver.next()["verified"].clone()
    };
    assert!(endpoint(&["rotate", &id])["secret"].as_str().unwrap().starts_with("whsec_"));
    let secrets = endpoint(&["show", &id])["secrets_until"].clone();
    assert!(secrets[0].is_null() && secrets[1].is_string(), "{secrets}");
    assert_eq!(is_verified(), true, "both sign");

    let given = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    let rotated = endpoint(&["rotate", &id, "--overlap", "0s", "--secret", given]);
    assert!(rotated["secret"].is_null(), "who gave it has it");
    assert_eq!(endpoint(&["show", &id])["secrets_until"], serde_json::json!([null]));
    assert_eq!(is_verified(), false, "it had leaked");
}

#[test]
fn an_endpoint_is_tested_paused_and_removed() {
    let shell = Shell::new();
    let mut receiver = shell.listen("200,500");
    let id = shell.add_endpoint(&receiver.url, &[]);
    let endpoint = |verb| shell.run(&["--json", LOCAL, "endpoint", verb, &id]);

    let tested = endpoint("test");
    assert_eq!((tested.code, &tested.json()[0]["status"]), (Some(0), &200.into()));
    let request = receiver.next();
    assert_eq!((&request["type"], &request["verified"]), (&"webhook.test".into(), &true.into()));
    let tested = endpoint("test");
    assert_eq!((tested.code, &tested.json()[0]["status"]), (Some(1), &500.into()));

    assert_eq!(endpoint("pause").json()[0]["state"], "paused");
    assert_eq!(endpoint("resume").json()[0]["state"], "active");
    assert_eq!(endpoint("remove").code, Some(0));
    assert_eq!(endpoint("list").code, Some(2));
    assert_eq!(shell.run(&["--json", "endpoint", "list"]).stdout, "");
}

#[test]
fn a_secret_is_shown_once_and_never_again() {
    let shell = Shell::new();
    let added = shell.run(&["--json", "endpoint", "add", "https://a.example/h?token=canary"]);
    let secret = added.json()[0]["secret"].as_str().unwrap().to_owned();
    assert!(secret.starts_with("whsec_"));
    let id = added.json()[0]["id"].as_str().unwrap().to_owned();
    for args in [vec!["endpoint", "show", &id], vec!["endpoint", "list"]] {
        for json in [None, Some("--json")] {
            let ran = shell.run(&args.iter().copied().chain(json).collect::<Vec<_>>());
            assert_eq!(ran.code, Some(0));
            assert!(!ran.stdout.contains("whsec_") && !ran.stdout.contains("canary"), "{ran:?}");
        }
    }
}

#[test]
fn the_demo_finds_all_as_it_should_be() {
    let shell = Shell::new();
    let ran = shell.run(&["demo", "--keep", "here"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let kept = ["--db", "sqlite://here/webhooks.db", "--json", "delivery", "list"];
    assert_eq!(shell.run(&kept).json().len(), 12);
    // What is kept is not overwritten.
    assert_eq!(shell.run(&["demo", "--keep", "here"]).code, Some(1));
}

#[test]
fn an_endpoint_says_what_its_owner_says_about_it() {
    let shell = Shell::new();
    let about = [
        "--description=for the books",
        "--external-id=crm:7",
        "--metadata=team=billing",
        "--metadata=note=a=b",
    ];
    let id = shell.add_endpoint("https://a.example/", &about);
    let other = shell.add_endpoint("https://b.example/", &[]);
    let shown = shell.run(&["--json", "endpoint", "show", &id]).json().remove(0);
    assert_eq!(shown["description"], "for the books");
    assert_eq!(shown["external_id"], "crm:7");
    assert_eq!(shown["metadata"], serde_json::json!({"note": "a=b", "team": "billing"}));
    let listed = shell.run(&["--json", "endpoint", "list", "--external-id", "crm:7"]).json();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!(listed[0]["id"], id.as_str());
    let text = shell.run(&["endpoint", "show", &id]).stdout;
    assert!(text.contains("metadata     team=billing\n"), "{text}");

    let changes = [
        ["--url", "https://c.example/hooks"],
        ["--events", "invoice.*"],
        ["--description", "new"],
        ["--clear", "external-id"],
        ["--metadata", "team=sales"],
    ];
    let update = ["--json", "endpoint", "update", &id];
    let updated = shell.run(&[&update[..], changes.as_flattened()].concat()).json().remove(0);
    assert_eq!(updated, shell.run(&["--json", "endpoint", "show", &id]).json()[0]);
    assert_eq!(updated["url"], "https://c.example/hooks");
    assert_eq!(updated["events"], serde_json::json!(["invoice.*"]));
    assert_eq!((&updated["description"], &updated["revision"]), (&"new".into(), &1.into()));
    assert!(updated["external_id"].is_null(), "{updated}");
    assert_eq!(updated["metadata"], serde_json::json!({"team": "sales"}));

    let large = format!("--metadata=a={}", "x".repeat(4096));
    let refused = shell.run(&["endpoint", "update", &other, &large]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("at most 4 KiB"), "{refused:?}");
}
