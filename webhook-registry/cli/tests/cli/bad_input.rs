//! Whatever is wrong is said in one line that helps, and leaves nothing half written.

use std::net::TcpListener;

use webhook_registry::database::SeaOrmStore;

use crate::shell::{Ran, SECRET, Shell};

/// What ends with `code` and says `line`, the only one.
fn assert_says(ran: &Ran, code: i32, line: &str, what: &[&str]) {
    assert_eq!(ran.stderr, format!("webhook: {line}\n"), "{what:?}");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{what:?}");
}

#[test]
fn a_word_that_is_not_valid_is_refused_before_anything_is_opened() {
    let add = ["endpoint", "add", "https://a.example/"];
    let table: &[(&[&str], &str)] = &[
        (&["endpoint", "add", "a.example"], "URL: not a valid URL: expected https://host/path"),
        (
            &["endpoint", "add", "https://u:canary@a.example/"],
            "URL: not a valid URL: put no user name or password in it, use an Authorization header",
        ),
        (
            &[add[0], add[1], add[2], "--events", "invoice..paid"],
            "--events: not a valid event filter; expected a type such as invoice.paid, invoice.* for one segment, invoice.** for the rest, or ** for all",
        ),
        (
            &[add[0], add[1], add[2], "--secret", "whsec_canary"],
            "--secret: not a valid secret: after whsec_ must come standard base64 with padding",
        ),
        (
            &[add[0], add[1], add[2], "--timeout", "31s"],
            "--timeout: not a valid timeout; expected 1ms to 30s",
        ),
        (
            &[add[0], add[1], add[2], "--retry", "soon"],
            "--retry: not a valid retry policy; expected waits such as 5s,5m,30m (at most 50, none over 30d), or none",
        ),
        (
            &[add[0], add[1], add[2], "--profile", "v9"],
            "--profile: unknown signing profile; expected standard or body-hmac",
        ),
        (
            &["publish", "invoice paid", "--data", "1"],
            "TYPE: not a valid event type; expected segments of A-Z a-z 0-9 _ - joined by dots, such as invoice.paid, at most 128 bytes",
        ),
        (
            &["delivery", "show", "7"],
            "ID: not a valid delivery id; expected <event id>.<endpoint id>",
        ),
        (
            &["delivery", "list", "--status", "lost"],
            "--status: not a valid delivery status; expected pending, in_flight, success, failed, cancelled or missed",
        ),
        (
            &["delivery", "redeliver", "--status", "pending"],
            "--status: expected failed, missed, cancelled or success",
        ),
        (
            &["delivery", "list", "--since", "yesterday"],
            "--since: expected a time such as 2026-11-24T08:00:00Z, or how long ago, such as 2h",
        ),
        (
            &["run", "--until-idle", "--horizon", "soon"],
            "--horizon: not a valid duration; expected a number with a unit, such as 500ms, 30s, 5m, 2h or 1d, at most 365d",
        ),
        (&["run", "--lease", "0s"], "--lease: expected a duration longer than zero, such as 30s"),
        (&["run", "--poll", "0s"], "--poll: expected a duration longer than zero, such as 30s"),
        (
            &["run", "--max-timeout", "0s"],
            "--max-timeout: expected a duration longer than zero, such as 30s",
        ),
        (
            &["run", "--disable-after", "soon"],
            "--disable-after: expected a duration such as 5d, or never",
        ),
        (
            &["publish", "invoice.paid", "--data", "1", "--max-body", "0"],
            "--max-body: 0 is not in 1..=4294967295",
        ),
        (
            &["listen", "--answer", "20"],
            "--answer: not a valid list of answers; expected statuses from 200 to 599 such as 503x2,200, or never",
        ),
    ];
    let shell = Shell::new();
    for (args, line) in table {
        assert_says(&shell.run(args), 2, line, args);
        assert!(!shell.path("webhooks.db").exists(), "{args:?}");
    }
}

#[test]
fn data_that_cannot_be_published_is_refused_before_anything_is_opened() {
    let shell = Shell::new();
    let publish = ["publish", "invoice.paid", "--data", r#"{"a":}"#];
    let line = "the data is not JSON: expected value at line 1 column 6; give JSON, or name another --content-type";
    assert_says(&shell.run(&publish), 1, line, &publish);

    let publish = ["publish", "invoice.paid", "-"];
    let ran = shell.run_with(&publish, &"1".repeat(256 * 1024 + 1));
    let line = "the body has more than 262144 bytes; send a link instead, or raise --max-body";
    assert_says(&ran, 1, line, &publish);

    let publish = ["publish", "invoice.paid", "--file", "gone.json"];
    let line = "cannot read gone.json; check that it is there and readable: No such file or directory (os error 2)";
    assert_says(&shell.run(&publish), 1, line, &publish);
    assert!(!shell.path("webhooks.db").exists());
}

#[test]
fn a_body_may_fill_the_limit_to_the_last_byte() {
    let shell = Shell::new();
    let ran = shell.run_with(&["publish", "invoice.paid", "-"], &"1".repeat(256 * 1024));
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn what_is_not_there_is_said_to_be_unknown() {
    let (shell, id) = (Shell::new(), "0192f0c1b6a97c3e8d0f5a4b3c2d1e0f");
    for verb in ["show", "pause", "resume", "rotate", "remove", "test"] {
        let args = ["endpoint", verb, id];
        let line = format!("no endpoint has the id {id}; list those there are");
        assert_says(&shell.run(&args), 1, &line, &args);
    }
    let delivery = format!("{id}.{id}");
    for verb in ["show", "explain"] {
        let args = ["delivery", verb, &delivery];
        let line = format!(
            "no delivery has the id {delivery}; list those there are with `webhook delivery list`"
        );
        assert_says(&shell.run(&args), 1, &line, &args);
    }
}

#[test]
fn an_endpoint_that_is_refused_is_not_registered() {
    let shell = Shell::new();
    let table: &[(&[&str], &str)] = &[
        (
            &["endpoint", "add", "http://a.example/"],
            "address not allowed: plain http; use an https URL of a public host, or permit it by WEBHOOK_ALLOW_HTTP=true, or --dangerous-allow-private-addresses for development",
        ),
        (
            &["endpoint", "add", "https://10.0.0.1/"],
            "address not allowed: private network (RFC 1918); use an https URL of a public host, or permit its net by WEBHOOK_ALLOW_NETS, or --dangerous-allow-private-addresses for development",
        ),
        (
            &["endpoint", "add", "https://localhost/"],
            "address not allowed: localhost (RFC 6761); use an https URL of a public host, or permit it by WEBHOOK_ALLOW_NAMES, or --dangerous-allow-private-addresses for development",
        ),
        (
            &["endpoint", "add", "https://a.example:22/"],
            "address not allowed: port 22 is for ssh; use the port of a web server, or permit it by --dangerous-allow-private-addresses for development",
        ),
        (
            &["endpoint", "add", "https://a.example/", "--header", "Host: canary"],
            "header host cannot be set: framing, connection and signature headers are the sender's",
        ),
        (
            &[
                "endpoint",
                "add",
                "https://a.example/",
                "--secret",
                "canary",
                "--profile",
                "standard",
            ],
            "the profile standard needs a secret that starts with whsec_; use body-hmac, or another secret",
        ),
    ];
    for (args, line) in table {
        assert_says(&shell.run(args), 1, line, args);
    }
    let private = shell.run(&["endpoint", "add", "https://127.0.0.1/"]);
    assert!(private.stderr.starts_with("webhook: address not allowed: "), "{private:?}");
    assert_eq!(shell.run(&["--json", "endpoint", "list"]).stdout, "");
}

#[test]
fn a_database_that_cannot_be_used_is_named_without_its_password() {
    let shell = Shell::new();
    shell.write("text.db", "a text that is no database, and longer than its header would be ");
    let table = [
        ("sqlite://gone/a.db?mode=rwc", "cannot open the database sqlite://gone/a.db"),
        ("sqlite://text.db?mode=rwc", "cannot open the database sqlite://text.db"),
        ("oracle://me:canary@a/b", "not a database URL; expected sqlite://FILE"),
        ("postgres://me:canary@127.0.0.1:1/b", ""),
    ];
    for (url, line) in table {
        let ran = shell.run(&["--db", url, "endpoint", "list"]);
        assert_eq!((ran.code, ran.stderr.lines().count()), (Some(1), 1), "{url}: {ran:?}");
        assert!(ran.stderr.starts_with(&format!("webhook: {line}")), "{url}: {ran:?}");
        assert!(!ran.stderr.contains("canary"), "{url}: {ran:?}");
    }
}

#[tokio::test]
async fn tables_are_made_in_a_new_file_and_in_no_other_unasked() {
    let shell = Shell::new();
    let url = format!("sqlite://{}?mode=rwc", shell.path("webhooks.db").display());
    let other = SeaOrmStore::builder(&url).table_prefix("others_").connect().await.unwrap();
    other.migrate().await.unwrap();
    other.close().await;

    let publish = ["publish", "invoice.paid", "--data", "1"];
    let line = "the database has no webhook tables yet; run `webhook migrate`";
    assert_says(&shell.run(&publish), 1, line, &publish);
    assert_eq!(shell.run(&["migrate"]).stdout, "the tables are up to date\n");
    assert_eq!(shell.run(&publish).code, Some(0));
}

#[test]
fn a_port_in_use_is_said_to_be() {
    let (shell, taken) = (Shell::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let address = taken.local_addr().unwrap().to_string();
    let args = ["listen", "--secret", SECRET, "--addr", &address];
    let line = format!(
        "{address} is already in use; stop the program that listens there, or choose another port (0 takes a free one)"
    );
    assert_says(&shell.run(&args), 1, &line, &args);
}
