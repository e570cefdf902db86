//! Two endpoints at one host, each with an identity of its own.

use rustls::{SupportedProtocolVersion, pki_types::CertificateDer};
use webhook_core::{ClientIdentity, EndpointTls};

use super::{
    authority::{Authority, Shown},
    receiver::{Heard, Receiver, Speech},
    subjects,
};

/// An endpoint: its path, and who we are there.
struct Endpoint {
    path: &'static str,
    identity: ClientIdentity,
    shown: Shown,
}

/// How often each endpoint is sent to, in turns.
const TURNS: usize = 3;

/// Connections that stay open, between endpoints with the identities that `names` says.
pub(crate) async fn kept(ours: &Authority, names: &str) -> String {
    let endpoints = endpoints(ours, names);
    let server = ours.wanting_certificates(&rustls::version::TLS13);
    send_in_turns(ours, &endpoints, Speech::Tls(server)).await
}

/// Connections that end, so that there is nothing to share but sessions.
pub(crate) async fn resumed(
    ours: &Authority,
    version: &'static SupportedProtocolVersion,
) -> String {
    let endpoints = endpoints(ours, "a.example, b.example");
    let server = ours.wanting_certificates(version);
    send_in_turns(ours, &endpoints, Speech::TlsOnce(server)).await
}

fn endpoints(ours: &Authority, names: &str) -> Vec<Endpoint> {
    let endpoint = |(path, name)| {
        let (identity, shown) = ours.identity(name);
        Endpoint { path, identity, shown }
    };
    ["/a", "/b"].into_iter().zip(names.split(", ")).map(endpoint).collect()
}

async fn send_in_turns(ours: &Authority, endpoints: &[Endpoint], speech: Speech) -> String {
    let receiver = Receiver::new(speech).await;
    let transport = ours.trusted_by();
    for endpoint in (0..TURNS).flat_map(|_| endpoints) {
        let tls = EndpointTls::new().with_identity(endpoint.identity.clone());
        // What fails is missing in the log.
        let _ = subjects::send(&transport, receiver.port, endpoint.path, Some(tls)).await;
    }
    outcome_text(&receiver.heard(), endpoints)
}

/// As whom each endpoint was sent to, and whether a session was used again for it.
fn outcome_text(heard: &[Heard], endpoints: &[Endpoint]) -> String {
    let of = |endpoint: &Endpoint| {
        let line = format!("POST {} ", endpoint.path);
        let asked = |heard: &&Heard| heard.requests.iter().any(|one| one.starts_with(&line));
        let heard: Vec<&Heard> = heard.iter().filter(asked).collect();
        let mut names: Vec<_> =
            heard.iter().map(|one| name(one.shown.as_ref(), endpoints)).collect();
        names.dedup();
        let again = if heard.iter().any(|one| one.resumed) { " in a resumed session" } else { "" };
        format!("{} is sent as {}{again}", &endpoint.path[1..], names.join(" and "))
    };
    endpoints.iter().map(of).collect::<Vec<_>>().join(", ")
}

fn name(shown: Option<&CertificateDer<'_>>, endpoints: &[Endpoint]) -> &'static str {
    let owner = endpoints.iter().find(|one| shown == one.shown.certificates().first());
    owner.map_or("nobody", |endpoint| &endpoint.path[1..])
}
