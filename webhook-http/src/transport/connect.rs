//! Dialling: the vetted addresses, in turn, and no others.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

use tokio::{
    net::TcpStream,
    time::{Instant, timeout_at},
};
use webhook_core::transport::{Phase, TransportError, TransportErrorKind};

use super::error::io_error;

/// How many addresses of a name are tried.
const MAX_TRIED: usize = 4;

/// The addresses to try: IPv4 and IPv6 in turn, so that a broken network of one kind costs one
/// try. IPv4 first: a machine without IPv6 is common, a receiver without IPv4 is not.
pub(super) fn order(found: Vec<IpAddr>, port: u16) -> Vec<SocketAddr> {
    let (v4, v6): (Vec<_>, Vec<_>) = found.into_iter().partition(IpAddr::is_ipv4);
    let (mut v4, mut v6) = (v4.into_iter(), v6.into_iter());
    let mut ordered = Vec::with_capacity(MAX_TRIED);
    while ordered.len() < MAX_TRIED {
        let pair = [v4.next(), v6.next()];
        if pair == [None, None] {
            break;
        }
        ordered.extend(pair.into_iter().flatten().map(|address| SocketAddr::new(address, port)));
    }
    ordered.truncate(MAX_TRIED);
    ordered
}

/// Connects to the first address that takes the connection. Each has an equal share of the time
/// that is left, so that a silent one does not use up the others'.
pub(super) async fn dial(
    addresses: &[SocketAddr],
    deadline: Instant,
) -> Result<TcpStream, TransportError> {
    let mut failure = TransportError::because(TransportErrorKind::Resolve, "no addresses");
    for (address, left) in addresses.iter().zip((1..=addresses.len()).rev()) {
        let share = deadline.saturating_duration_since(Instant::now())
            / u32::try_from(left).unwrap_or(u32::MAX);
        failure = match timeout_at(Instant::now() + share, connect(*address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => io_error(TransportErrorKind::Connect, error),
            Err(_) => TransportError::new(TransportErrorKind::Timeout(Phase::Connect)),
        };
    }
    Err(failure)
}

async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A request is written in one go; waiting to fill a segment would only delay it.
    stream.set_nodelay(true)?;
    Ok(stream)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ordered(found: &[&str]) -> Vec<String> {
        let found = found.iter().map(|address| address.parse().unwrap()).collect();
        order(found, 443).into_iter().map(|address| address.ip().to_string()).collect()
    }

    #[test]
    fn both_kinds_are_tried_in_turn_and_four_at_most() {
        assert_eq!(ordered(&["1.0.0.1", "1.0.0.2", "2a::1"]), ["1.0.0.1", "2a::1", "1.0.0.2"]);
        assert_eq!(ordered(&["2a::1", "2a::2", "1.0.0.1"]), ["1.0.0.1", "2a::1", "2a::2"]);
        assert_eq!(ordered(&["2a::1"]), ["2a::1"]);
        assert_eq!(ordered(&[]), [""; 0]);
        let many: Vec<_> = (0..500).map(|n| format!("1.0.{}.{}", n / 250, n % 250)).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert_eq!(ordered(&many).len(), MAX_TRIED);
    }

    #[tokio::test]
    async fn the_next_address_is_tried_when_one_refuses() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        // Nothing listens on the other loopback address at this port.
        let closed = SocketAddr::new("127.0.0.2".parse().unwrap(), open.port());
        let deadline = Instant::now() + std::time::Duration::from_secs(30);
        let stream = dial(&[closed, open], deadline).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        let error = dial(&[closed], deadline).await.unwrap_err();
        assert_eq!(error.kind(), TransportErrorKind::Connect);
        assert_eq!(dial(&[], deadline).await.unwrap_err().kind(), TransportErrorKind::Resolve);
    }
}
