//! Signing and verifying by hand, and the plan.

use crate::shell::{SECRET, Shell};

const SIGNED: [&str; 8] = [
    "--data",
    r#"{"test": 2432232314}"#,
    "--header",
    "webhook-id: msg_p5jXN8AQM9LWM0D4loKWxJek",
    "--header",
    "webhook-timestamp: 1614265330",
    "--header",
    "webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
];

#[test]
fn the_headers_of_a_body_are_those_of_the_standard() {
    let args = ["--json", "sign", "--secret", SECRET, "--timestamp", "1614265330"];
    let more = ["--id", "msg_p5jXN8AQM9LWM0D4loKWxJek", SIGNED[0], SIGNED[1]];
    let signed = &Shell::new().run(&[&args[..], &more].concat()).json()[0];
    assert_eq!(signed["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[test]
fn a_request_is_verified_or_the_reason_is_told() {
    let shell = Shell::new();
    let verify = |more: &[&str]| {
        let args = [&["verify", "--secret", SECRET], &SIGNED[..], more].concat();
        shell.run(&args)
    };
    let genuine = verify(&["--now", "1614265331"]);
    assert_eq!((genuine.code, genuine.stdout.as_str()), (Some(0), "verified\n"));

    let stale = verify(&[]);
    let line = "webhook: not verified: signed too long ago or in the future; a replay, or a clock is wrong\n";
    assert_eq!((stale.code, stale.stderr.as_str()), (Some(1), line));

    let missing = &shell.run(&["--json", "verify", "--secret", SECRET, "--data", "1"]).json()[0];
    assert_eq!(missing["verified"], false);
    assert_eq!(missing["reason"], "header webhook-id is missing");
}

#[test]
fn a_plan_shows_every_attempt_and_the_window() {
    let ran = Shell::new().run(&["--json", "plan", "--retry", "5s,5m jitter 10%"]);
    let lines = ran.json();
    assert_eq!(lines.len(), 4);
    assert_eq!((&lines[2]["wait_min"], &lines[2]["wait_max"]), (&"4m30s".into(), &"5m30s".into()));
    assert_eq!((&lines[3]["window"], &lines[3]["attempts"]), (&"5m5s".into(), &3.into()));
}
