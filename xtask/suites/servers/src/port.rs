//! Ports on which a server can listen seconds after they were chosen, and again after it died.

use std::{
    fs,
    hash::{BuildHasher as _, RandomState},
    io,
    net::{Ipv4Addr, TcpListener, UdpSocket},
};

/// First port that is taken; those below often belong to services.
const FIRST_PORT: u16 = 20_000;

/// First port of outgoing connections, if the system does not state it.
const DEFAULT_OUTGOING: u16 = 32_768;

/// Number of ports that are tried.
const MAX_TRIES: usize = 1_000;

/// Port of 127.0.0.1 on which nothing listens. It is reserved until this is dropped.
///
/// The system takes the ports of outgoing connections from a range of its own, and this port lies
/// outside of it. A port inside would be taken by a connection while its server starts or restarts.
#[derive(Debug)]
pub struct ReservedPort {
    number: u16,
    /// Socket of the same number, so that other processes do not reserve it too.
    _mark: UdpSocket,
}

impl ReservedPort {
    /// Reserves one.
    ///
    /// # Errors
    ///
    /// Error of the last port that was tried.
    pub fn new() -> io::Result<Self> {
        let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
        let end = first_outgoing(&range.unwrap_or_default()).unwrap_or(DEFAULT_OUTGOING);
        let count = u64::from(end.saturating_sub(FIRST_PORT));
        let random = RandomState::new();
        let mut last = io::Error::other("all ports are for outgoing connections");
        for number in 0..MAX_TRIES {
            let offset = random.hash_one(number).checked_rem(count).unwrap_or_default();
            let Ok(offset) = u16::try_from(offset) else { continue };
            match Self::reserve(if count == 0 { 0 } else { FIRST_PORT + offset }) {
                Ok(port) => return Ok(port),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Reserves this port; any port if it is 0.
    fn reserve(port: u16) -> io::Result<Self> {
        let mark = UdpSocket::bind((Ipv4Addr::LOCALHOST, port))?;
        let number = mark.local_addr()?.port();
        TcpListener::bind((Ipv4Addr::LOCALHOST, number))?;
        Ok(Self { number, _mark: mark })
    }

    /// Number of the port.
    pub const fn number(&self) -> u16 {
        self.number
    }
}

/// First port of outgoing connections: two numbers, as Linux states them.
fn first_outgoing(range: &str) -> Option<u16> {
    range.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_free_and_reserved_once() {
        let port = ReservedPort::new().unwrap();
        assert!(ReservedPort::reserve(port.number()).is_err());
        let server = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap();
        drop(server);
        TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).unwrap();
    }

    #[test]
    fn the_first_port_of_outgoing_connections_is_read() {
        assert_eq!(first_outgoing("32768\t60999\n"), Some(32_768));
        assert_eq!(first_outgoing(""), None);
    }
}
