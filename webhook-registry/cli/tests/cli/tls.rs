//! Client certificates and roots of single endpoints.

#![expect(clippy::unwrap_used, reason = "a panic here is the failed assertion")]

use rcgen::{CertificateParams, KeyPair};

use crate::shell::Shell;

const URL: &str = "https://billing.example/hooks";

/// A certificate and its key, as files of these names; the secret part of the key.
fn pair(shell: &Shell, certificate: &str, key: &str) -> String {
    let pair = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["us.example".to_owned()]).unwrap();
    shell.write(certificate, params.self_signed(&pair).unwrap().pem());
    shell.write(key, pair.serialize_pem());
    pair.serialize_pem().lines().nth(1).unwrap().to_owned()
}

#[test]
fn an_endpoint_gets_a_client_certificate_and_roots_and_loses_them_again() {
    let shell = Shell::new();
    let secret = pair(&shell, "us.pem", "us.key");
    let add =
        ["--json", "endpoint", "add", URL, "--client-cert", "us.pem", "--client-key", "us.key"];
    let added = shell.run(&add);
    assert_eq!(added.code, Some(0), "{added:?}");
    let id = added.json()[0]["id"].as_str().unwrap().to_owned();
    let has = |args: &[&str]| {
        let ran = shell.run(&[&["--json", "endpoint"], args].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert!(!ran.stdout.contains(&secret), "the key is shown");
        let shown = ran.json().remove(0);
        ["client_certificate", "own_roots"].map(|name| shown[name].as_bool().unwrap())
    };
    assert_eq!(has(&["show", &id]), [true, false]);
    assert_eq!(has(&["update", &id, "--roots", "us.pem"]), [true, true]);
    assert_eq!(has(&["update", &id, "--timeout", "5s"]), [true, true]);
    assert_eq!(has(&["update", &id, "--clear", "client-certificate"]), [false, true]);
    assert_eq!(has(&["update", &id, "--clear", "root-certificates"]), [false, false]);
    assert_eq!(has(&["show", &id]), [false, false]);
}

#[test]
fn what_cannot_be_used_is_refused_at_once_and_not_shown() {
    let shell = Shell::new();
    let secret = pair(&shell, "us.pem", "us.key");
    let others = pair(&shell, "other.pem", "other.key");
    for (certificate, key, expected) in [
        ("us.pem", "other.key", "the private key does not belong to the client certificate"),
        ("us.key", "us.key", "not a valid certificate: the text holds a private key"),
        ("us.pem", "us.pem", "not a valid private key"),
        ("us.pem", "missing.key", "missing.key"),
    ] {
        let args = ["endpoint", "add", URL, "--client-cert", certificate, "--client-key", key];
        let ran = shell.run(&args);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.stderr.contains(expected), "{certificate}, {key}: {}", ran.stderr);
        let shown = ran.stdout + &ran.stderr;
        assert!(!shown.contains(&secret) && !shown.contains(&others), "{shown}");
    }
    let alone = shell.run(&["endpoint", "add", URL, "--client-cert", "us.pem"]);
    assert_eq!(alone.code, Some(2), "{alone:?}");
    assert!(shell.run(&["--json", "endpoint", "list"]).stdout.is_empty(), "nothing was stored");
}
