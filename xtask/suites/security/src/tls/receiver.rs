//! A receiver on a real socket: it speaks TLS, or what it takes for TLS, to whoever begins like that, and
//! plain HTTP to whoever does not.

use std::{
    sync::{Arc, Mutex, atomic::Ordering::Relaxed},
    time::Duration,
};

use bytes::BytesMut;
use rustls::{HandshakeKind, ServerConfig, pki_types::CertificateDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;
use webhook_testkit::{read_head, read_more};

use super::renegotiation;
use crate::run::RECEIVERS;

/// What it does with whoever begins a handshake.
#[derive(Clone)]
pub(crate) enum Speech {
    /// Speaks TLS as it should.
    Tls(Arc<ServerConfig>),
    /// The same, and ends each connection after one answer.
    TlsOnce(Arc<ServerConfig>),
    /// Answers the greeting with these bytes, and ends.
    Says(Vec<u8>),
    /// Speaks TLS 1.2, and asks for another handshake by this message once the first is done.
    AsksAgain(Arc<ServerConfig>, Vec<u8>),
}

/// A connection on which a request came, or a greeting.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heard {
    /// The bytes of the greeting; none, where there was none.
    pub(crate) greeting: Vec<u8>,
    /// The requests, as far as they could be read.
    pub(crate) requests: Vec<String>,
    /// The certificate that was shown.
    pub(crate) shown: Option<CertificateDer<'static>>,
    /// Whether the session of an earlier connection was used again.
    pub(crate) resumed: bool,
}

pub(crate) struct Receiver {
    pub(crate) port: u16,
    heard: Arc<Mutex<Vec<Heard>>>,
    accepting: JoinHandle<()>,
}

/// Time limit of a connection: longer than any case takes.
const CONNECTION_LIMIT: Duration = Duration::from_secs(20);

impl Receiver {
    pub(crate) async fn new(speech: Speech) -> Self {
        RECEIVERS.fetch_add(1, Relaxed);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&heard);
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (speech, log) = (speech.clone(), Arc::clone(&log));
                tokio::spawn(async move {
                    timeout(CONNECTION_LIMIT, serve(stream, speech, &log)).await
                });
            }
        });
        Self { port, heard, accepting }
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// One connection. Its row in the log is there from the beginning, and grows with it.
async fn serve(mut stream: TcpStream, speech: Speech, log: &Mutex<Vec<Heard>>) {
    let greeting = greeting(&stream).await;
    let at = {
        let mut log = log.lock().unwrap();
        log.push(Heard { greeting: greeting.clone(), ..Heard::default() });
        log.len() - 1
    };
    let note = |change: &dyn Fn(&mut Heard)| change(&mut log.lock().unwrap()[at]);
    if greeting.is_empty() {
        return answer_all(&mut stream, true, &note).await;
    }
    match speech {
        Speech::Tls(ref server) | Speech::TlsOnce(ref server) => {
            let accepted = TlsAcceptor::from(Arc::clone(server)).accept(stream).await;
            let Ok(mut stream) = accepted else { return };
            let tls = stream.get_ref().1;
            let shown = tls.peer_certificates().and_then(|all| all.first().cloned());
            let resumed = tls.handshake_kind() == Some(HandshakeKind::Resumed);
            note(&|heard| (heard.shown, heard.resumed) = (shown.clone(), resumed));
            answer_all(&mut stream, matches!(speech, Speech::TlsOnce(_)), &note).await;
        }
        Speech::Says(bytes) => {
            // The greeting is read first: to close on bytes unread would be a reset.
            let _ = stream.read_exact(&mut vec![0; greeting.len()]).await;
            let _ = stream.write_all(&bytes).await;
            drain(&mut stream).await;
        }
        Speech::AsksAgain(server, message) => renegotiation::ask(stream, server, &message).await,
    }
}

/// The first record, if the other side begins a handshake. Nothing is taken from the stream.
async fn greeting(stream: &TcpStream) -> Vec<u8> {
    const HANDSHAKE: u8 = 22;
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let Ok(read @ 1..) = stream.peek(&mut bytes).await else { return Vec::new() };
        if bytes[0] != HANDSHAKE {
            return Vec::new();
        }
        let whole = 5 + usize::from(u16::from_be_bytes([bytes[3], bytes[4]]));
        if read >= 5 && read >= whole {
            bytes.truncate(whole);
            return bytes;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Reads request after request, and answers each.
async fn answer_all(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    once: bool,
    note: &(impl Fn(&dyn Fn(&mut Heard)) + Sync),
) {
    let mut buffer = BytesMut::new();
    while let Ok(request) = request(stream, &mut buffer).await {
        note(&|heard| heard.requests.push(request.clone()));
        let close = if once { "connection: close\r\n" } else { "" };
        let answer = format!("HTTP/1.1 200 OK\r\n{close}content-length: 2\r\n\r\nok");
        if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return;
        }
        if once {
            let _ = stream.shutdown().await;
            return;
        }
    }
}

/// A whole request, as text.
async fn request(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
) -> std::io::Result<String> {
    let request = read_head(stream, buffer, 0).await?;
    while buffer.len() < request.body_len() {
        read_more(stream, buffer).await?;
    }
    let body = buffer.split_to(request.body_len());
    Ok(String::from_utf8_lossy(&[&request.head[..], &body].concat()).into_owned())
}

/// Ends our side, and reads until the other has ended its own.
pub(super) async fn drain(stream: &mut TcpStream) {
    let _ = stream.shutdown().await;
    let _ = tokio::io::copy(stream, &mut tokio::io::sink()).await;
}
