//! A look at an endpoint: what each step says, and that nothing is posted.

use std::{sync::Arc, time::Duration};

use rcgen::date_time_ymd;
use rustls::ServerConfig;
use tokio::io::AsyncReadExt as _;
use tokio_rustls::TlsAcceptor;
use webhook_core::Timestamp;
use webhook_http::{CheckedStep, EndpointCheck, HttpTransport, StepResult};

use crate::{
    handshake::{Authority, TLS_VERSIONS},
    peer::Peer,
};

const CHECK_TIMEOUT: Duration = Duration::from_secs(10);

/// 4000-01-01: no test lasts that long.
fn year_4000() -> Timestamp {
    Timestamp::from_unix_secs(date_time_ymd(4000, 1, 1).unix_timestamp())
}

/// Checks `server` at `https://127.0.0.1`, ten days before 4000. Answers how many bytes it was sent
/// within the secured connection, if there was one.
async fn check(transport: &HttpTransport, server: ServerConfig) -> (EndpointCheck, Option<usize>) {
    let peer = Peer::bind().await;
    let url = format!("https://127.0.0.1:{}/hooks?token=c4nary", peer.port());
    let now = year_4000().before(Duration::from_secs(10 * 24 * 60 * 60));
    let receiver = async {
        let accepted = TlsAcceptor::from(Arc::new(server)).accept(peer.accept().await.0).await;
        let mut read = Vec::new();
        // Closed without a farewell is closed as well.
        let _ = accepted.ok()?.read_to_end(&mut read).await;
        Some(read.len())
    };
    let (check, read) = tokio::join!(transport.check(&url, CHECK_TIMEOUT, now), receiver);
    assert!(!format!("{check}{check:?}").contains("c4nary"), "{check}");
    (check, read)
}

fn step<'a>(check: &'a EndpointCheck, name: &str) -> &'a CheckedStep {
    check.steps.iter().find(|step| step.step == name).unwrap()
}

fn results(check: &EndpointCheck) -> String {
    let letter = |step: &CheckedStep| match step.result {
        StepResult::Ok => 'o',
        StepResult::Failed => 'F',
        StepResult::Skipped => '-',
    };
    check.steps.iter().map(letter).collect()
}

#[tokio::test]
async fn a_healthy_endpoint_passes_every_step_and_gets_nothing() {
    let authority = Authority::new("ours");
    let server = authority.server("127.0.0.1", |params| {
        params.not_after = date_time_ymd(4000, 1, 1);
    });
    let (check, read) = check(&authority.trusted_by(), server).await;
    assert_eq!(results(&check), "oo-oooo", "{check}");
    assert!(check.is_ok());
    assert_eq!(read, Some(0), "nothing was posted");
    assert_eq!(step(&check, "tls").found, "TLS 1.3, by a certificate that is trusted");
    let found = "for 127.0.0.1, issued by CN=ours, 10 days left";
    assert_eq!(step(&check, "certificate").found, found);
    assert_eq!(step(&check, "certificate").advice, Some("renew it soon"));

    let json = serde_json::to_value(&check).unwrap();
    assert_eq!(json["certificate"]["names"], serde_json::json!(["127.0.0.1"]));
    assert_eq!(json["certificate"]["not_after"], "4000-01-01T00:00:00.000Z");
    assert_eq!(json["certificate"]["days_left"], 10);
    assert_eq!(json["addresses"][0], serde_json::json!({"address": "127.0.0.1", "refused": null}));
    assert_eq!(json["steps"][0]["result"], "ok");
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_shown_with_what_to_do() {
    let authority = Authority::new("ours");
    let transport = authority.trusted_by();
    let expired = authority.server("127.0.0.1", |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2021, 1, 1);
    });
    let other = authority.server("billing.example", |_| ());
    let stranger = Authority::new("a stranger").server("127.0.0.1", |_| ());
    let table = [
        (expired, "expired", "renew the certificate", "oo-ooFF"),
        (other, "for billing.example", "use the name that the certificate is for", "oo-ooFo"),
        (stranger, "issued by CN=a stranger", "let the receiver send its intermediate", "oo-ooFo"),
    ];
    for (server, found, advice, expected) in table {
        let (check, _) = check(&transport, server).await;
        assert_eq!(results(&check), expected, "{check}");
        assert!(step(&check, "certificate").found.contains(found), "{check}");
        assert!(step(&check, "tls").advice.unwrap().starts_with(advice), "{check}");
        assert!(check.certificate.is_some() && !check.is_ok());
    }
}

#[tokio::test]
async fn a_receiver_that_wants_a_client_certificate_is_no_receiver() {
    let authority = Authority::new("ours");
    for version in TLS_VERSIONS {
        let server = authority.wanting_client_certificates(&[version]);
        let (check, _) = check(&authority.trusted_by(), server).await;
        assert_eq!(results(&check), "oo-ooFo", "{check}");
        assert!(step(&check, "tls").advice.unwrap().contains("client certificate"), "{check}");
    }
}

#[tokio::test]
async fn what_the_guard_refuses_is_not_dialled() {
    let peer = Peer::bind().await;
    let transport = HttpTransport::builder().build().unwrap();
    let port = peer.port();
    for url in [format!("https://127.0.0.1:{port}/"), format!("http://a.example:{port}/")] {
        let check = transport.check(&url, CHECK_TIMEOUT, Timestamp::default()).await;
        assert_eq!(results(&check), "oF-----", "{check}");
    }
    assert!(peer.is_untouched().await);
    let check = transport.check("c4nary", CHECK_TIMEOUT, Timestamp::default()).await;
    assert_eq!(results(&check), "F------", "{check}");
    assert!(!format!("{check:?}").contains("c4nary"), "{check:?}");
}

#[tokio::test]
async fn an_endpoint_is_told_as_a_list() {
    let closed = Peer::bind().await.port();
    let url = format!("http://127.0.0.1:{closed}/hooks?token=c4nary");
    let transport = Authority::new("ours").trusted_by();
    let text = transport.check(&url, CHECK_TIMEOUT, Timestamp::default()).await.to_string();
    let expected = "\
http://127.0.0.1:PORT/hooks
  ok      url          host 127.0.0.1, port PORT
  ok      policy       scheme, port and host are permitted
  skipped name         the URL says the address itself
  ok      addresses    all of them may be dialled
                       127.0.0.1: permitted
  failed  connect      could not connect: Connection refused (os error 111)
                       -> check that the receiver runs, and that its firewall lets this machine in
  skipped tls          an earlier step has failed
  skipped certificate  an earlier step has failed";
    assert_eq!(text.replace(&closed.to_string(), "PORT"), expected);
}

#[tokio::test(start_paused = true)]
async fn a_handshake_that_never_ends_is_told_in_time() {
    let peer = Peer::bind().await;
    let url = format!("https://127.0.0.1:{}/", peer.port());
    let transport = Authority::new("ours").trusted_by();
    let checked = transport.check(&url, CHECK_TIMEOUT, Timestamp::default());
    let (check, _caller) = tokio::join!(checked, peer.accept());
    assert_eq!(results(&check), "oo-ooF-", "{check}");
    assert!(step(&check, "tls").advice.unwrap().contains("speaks TLS at this port"), "{check}");
}
