//! A server that asks for another handshake within the first (RFC 5246, section 7.4.1.1).
//!
//! rustls never asks, as a server. So it makes the first handshake and then hands over its keys, and the
//! record that asks is encrypted here.

use std::sync::Arc;

use rustls::{
    ConnectionTrafficSecrets, ContentType, ProtocolVersion, ServerConfig, SupportedCipherSuite,
    crypto::{
        cipher::{OutboundChunks, OutboundPlainMessage},
        ring::cipher_suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    },
    server::WebPkiClientVerifier,
    version::TLS12,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use super::{
    authority::{Shown, provider},
    receiver::drain,
};

/// The one cipher that the server has: for another one the record would look otherwise.
const CIPHER: SupportedCipherSuite = TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;

/// A server for [`ask`], which can do without its library after the handshake.
pub(crate) fn server(shown: &Shown) -> Arc<ServerConfig> {
    let mut provider = Arc::unwrap_or_clone(provider());
    provider.cipher_suites = vec![CIPHER];
    let nobody = WebPkiClientVerifier::no_client_auth();
    let server = shown.server_on(provider.into(), &[&TLS12], nobody);
    let mut server = Arc::unwrap_or_clone(server);
    server.enable_secret_extraction = true;
    server.into()
}

/// Makes a handshake, waits for the request, asks for another handshake by `message`, and ends.
pub(crate) async fn ask(stream: TcpStream, server: Arc<ServerConfig>, message: &[u8]) {
    let Ok(secured) = TlsAcceptor::from(server).accept(stream).await else { return };
    let (mut stream, connection) = secured.into_inner();
    let secrets = connection.dangerous_extract_secrets().expect("keys after the handshake");
    let mut head = [0; 5];
    if stream.read_exact(&mut head).await.is_err() {
        return;
    }
    let rest = usize::from(u16::from_be_bytes([head[3], head[4]]));
    let _ = stream.read_exact(&mut vec![0; rest]).await;
    let _ = stream.write_all(&encrypted(secrets.tx, message)).await;
    drain(&mut stream).await;
}

/// `message` as a record of the handshake, under the keys of the connection.
fn encrypted((number, secrets): (u64, ConnectionTrafficSecrets), message: &[u8]) -> Vec<u8> {
    let (ConnectionTrafficSecrets::Aes128Gcm { key, iv }, SupportedCipherSuite::Tls12(suite)) =
        (secrets, CIPHER)
    else {
        unreachable!("another cipher than the one that both speak")
    };
    let (salt, explicit) = iv.as_ref().split_at(4);
    let record = OutboundPlainMessage {
        typ: ContentType::Handshake,
        version: ProtocolVersion::TLSv1_2,
        payload: OutboundChunks::Single(message),
    };
    let mut encrypter = suite.aead_alg.encrypter(key, salt, explicit);
    encrypter.encrypt(record, number).expect("a record that fits").encode()
}
