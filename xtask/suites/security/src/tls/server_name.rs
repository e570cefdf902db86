//! Which name is sent where the URL says an address: none (RFC 6066, section 3).

use std::time::Duration;

use rustls::ALL_VERSIONS;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{
    authority::Authority,
    receiver::{Receiver, Speech},
    subjects,
};
use crate::case::Seen;

/// A literal address, asked for as others ask for names.
pub(crate) async fn play(ours: &Authority, address: &str) -> Seen {
    let speech = Speech::Tls(ours.certificate(address, |_| ()).server(ALL_VERSIONS));
    let receiver = Receiver::new(speech.clone()).await;
    let sent = subjects::send(&ours.trusted_by(), receiver.port, "/", None).await;
    let trusted = match sent {
        Ok(_) => "an IP certificate is trusted".to_owned(),
        Err(error) => error.to_string(),
    };
    let guarded = format!("{}, {trusted}", name(&receiver, address));
    let receiver = Receiver::new(speech).await;
    let _ = timeout(Duration::from_secs(15), greet(receiver.port, address)).await;
    Seen::new(guarded, name(&receiver, address))
}

/// Which name the receiver was asked for.
fn name(receiver: &Receiver, address: &str) -> String {
    let heard = receiver.heard();
    let Some(first) = heard.first() else { return "nothing is sent".to_owned() };
    let sends = first.greeting.windows(address.len()).any(|part| part == address.as_bytes());
    if sends { format!("sends {address} as a name") } else { "no name is sent".to_owned() }
}

/// Begins a handshake of TLS 1.2 for the host `name`, as one does who never looks what a host is.
async fn greet(port: u16, name: &str) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((super::HERE, port)).await?;
    stream.write_all(&greeting(name)).await?;
    stream.shutdown().await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

fn greeting(name: &str) -> Vec<u8> {
    let host_name = [&[0][..], &counted(name.as_bytes())].concat();
    let server_name = [&[0, 0][..], &counted(&counted(&host_name))].concat();
    // ECDHE with AES, on P-256, signed by ECDSA: what the receiver has.
    let groups = [&[0, 10][..], &counted(&counted(&[0, 23]))].concat();
    let signatures = [&[0, 13][..], &counted(&counted(&[4, 3]))].concat();
    let extensions = [server_name, groups, signatures].concat();
    let ciphers = counted(&[0xc0, 0x2b]);
    let body = [&[3, 3][..], &[7; 32], &[0], &ciphers, &[1, 0], &counted(&extensions)].concat();
    let message = [&[1, 0][..], &counted(&body)].concat();
    [&[22, 3, 1][..], &counted(&message)].concat()
}

/// The bytes, after how many there are.
fn counted(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).expect("a short message");
    [&length.to_be_bytes()[..], bytes].concat()
}
