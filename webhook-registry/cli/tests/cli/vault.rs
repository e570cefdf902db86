//! Secrets sealed at rest, and a key that is replaced.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic here is the failed assertion"
)]

use crate::shell::{LOCAL, Listener, SECRET, Shell};

fn key(shell: &Shell) -> String {
    let ran = shell.run(&["vault", "keygen"]);
    assert_eq!((ran.code, ran.stdout.len()), (Some(0), 45), "{}", ran.stderr);
    ran.stdout
}

/// Current, former, plain and unreadable.
fn status(shell: &Shell) -> [u64; 4] {
    let shown = &shell.run(&["--json", "vault", "status"]).json()[0];
    ["current", "former", "plain", "unreadable"].map(|name| shown[name].as_u64().unwrap())
}

/// Whether the database file holds the secret somewhere.
fn holds_the_secret(shell: &Shell) -> bool {
    let file = std::fs::read(shell.path("webhooks.db")).unwrap();
    file.windows(SECRET.len()).any(|bytes| bytes == SECRET.as_bytes())
}

#[test]
fn a_key_is_replaced_and_deliveries_stay_signed() {
    let shell = Shell::with_variables(&[("WEBHOOK_VAULT_KEY_FILE", "keys")]);
    shell.write("keys", "");
    let plain = Shell::new();
    let (old, new) = (key(&plain), key(&plain));
    assert_ne!(old, new);
    shell.write("keys", &old);
    let mut receiver = plain.listen("200");
    shell.add_endpoint(&receiver.url, &[]);
    assert!(!holds_the_secret(&shell), "it is sealed in the file");
    let arrives = |receiver: &mut Listener| {
        assert_eq!(shell.run(&["publish", "a", "--data", "1"]).code, Some(0));
        let ran = shell.run(&[LOCAL, "run", "--until-idle"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        receiver.next()["verified"] == true
    };
    assert!(arrives(&mut receiver));
    assert_eq!(status(&shell), [1, 0, 0, 0]);

    shell.write("keys", format!("# new\n{new}# old\n{old}"));
    assert_eq!(status(&shell), [0, 1, 0, 0]);
    assert!(arrives(&mut receiver), "a former key opens");
    let resealed = shell.run(&["--json", "vault", "reseal"]);
    assert_eq!((resealed.code, &resealed.json()[0]["resealed"]), (Some(0), &1.into()));
    shell.write("keys", &new);
    assert_eq!(status(&shell), [1, 0, 0, 0]);
    assert!(arrives(&mut receiver), "the old key is needed no more");

    shell.write("keys", &old);
    assert_eq!(status(&shell), [0, 0, 0, 1]);
    let later = shell.run(&["--json", "publish", "a", "--data", "1"]);
    assert_eq!(
        later.json()[0]["deliveries"]["routed"],
        1,
        "a publisher without the key routes the event"
    );
    let listed = shell.run(&["endpoint", "list"]);
    assert_eq!(listed.code, Some(1));
    assert!(listed.stderr.contains("WEBHOOK_VAULT_KEY_FILE"), "{}", listed.stderr);
    assert!(!listed.stderr.contains("sealed:"), "{}", listed.stderr);
    shell.write("keys", &new);
    assert_eq!(shell.run(&[LOCAL, "run", "--until-idle"]).code, Some(0));
    assert_eq!(receiver.next()["verified"], true, "it arrives as soon as the key is back");
}

#[test]
fn what_was_stored_before_there_was_a_key_is_sealed() {
    let shell = Shell::new();
    let key: &'static str = Box::leak(key(&shell).trim().to_owned().into_boxed_str());
    shell.add_endpoint("http://127.0.0.1:9/", &[]);
    assert!(holds_the_secret(&shell));
    assert_eq!(status(&shell), [0, 0, 1, 0]);
    let none = shell.run(&["vault", "reseal"]);
    assert_eq!(none.code, Some(1), "there is nothing to seal with");
    assert!(none.stderr.contains("WEBHOOK_VAULT_KEY_FILE"), "{}", none.stderr);
    let sealing = Shell::with_variables(&[("WEBHOOK_VAULT_KEY", key)]);
    sealing.write("webhooks.db", std::fs::read(shell.path("webhooks.db")).unwrap());
    assert_eq!(sealing.run(&["vault", "reseal"]).code, Some(0));
    assert_eq!(status(&sealing), [1, 0, 0, 0]);
}

/// Everything that is logged, by every crate there is in the program, about an endpoint full of
/// secrets.
#[test]
fn no_secret_is_in_the_finest_log_of_a_delivery() {
    let plain = Shell::new();
    let vault = key(&plain);
    let shell = Shell::with_variables(&[("WEBHOOK_VAULT_KEY_FILE", "keys"), ("RUST_LOG", "trace")]);
    shell.write("keys", &vault);
    let mut receiver = plain.listen("200");
    let url = format!("{}?token=t0ken", receiver.url);
    let added = shell.run(&[
        LOCAL,
        "endpoint",
        "add",
        &url,
        "--secret",
        SECRET,
        "--header",
        "Authorization: Bearer hunter2",
    ]);
    assert_eq!(shell.run(&["publish", "a", "--data", "1"]).code, Some(0));
    let ran = shell.run(&[LOCAL, "run", "--until-idle"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(receiver.next()["verified"] == true);
    assert!(ran.stderr.contains("DEBUG"), "the log is at its finest: {}", ran.stderr);
    for logged in [&added.stderr, &ran.stderr] {
        for secret in [SECRET, "t0ken", "hunter2", vault.trim()] {
            assert!(!logged.contains(secret), "{secret} is in the log");
        }
    }
}
