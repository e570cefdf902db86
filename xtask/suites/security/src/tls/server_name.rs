//! The server name for a URL with a literal address: none (RFC 6066, section 3).

use rustls::ALL_VERSIONS;

use super::{
    authority::Authority,
    receiver::{Receiver, Speech},
    subjects,
};

/// Sends to `address`, and searches for it in the first bytes of the handshake.
pub(crate) async fn play(ours: &Authority, address: &str) -> String {
    let speech = Speech::Tls(ours.certificate(address, |_| ()).server(ALL_VERSIONS));
    let receiver = Receiver::new(speech).await;
    let trusted = match subjects::send(&ours.trusted_by(), receiver.port, "/", None).await {
        Ok(_) => "an IP certificate is trusted".to_owned(),
        Err(error) => error.to_string(),
    };
    let heard = receiver.heard();
    let Some(first) = heard.first() else { return "nothing is sent".to_owned() };
    let sends = first.greeting.windows(address.len()).any(|part| part == address.as_bytes());
    let name = if sends { format!("sends {address} as a name") } else { "no name is sent".into() };
    format!("{name}, {trusted}")
}
