//! Who knocks where nobody listens? A refused connection leaves no trace with us, but its first packet
//! passes by.

use std::{
    io::{self, Read as _},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use socket2::{Domain, Protocol, Socket, Type};

/// Notes when connections to a port of this machine are begun, answered or not.
#[derive(Debug)]
pub(crate) struct Syns(Arc<Mutex<Vec<Instant>>>);

impl Syns {
    /// From now on, until it is dropped.
    pub(crate) fn to(port: u16) -> io::Result<Self> {
        let mut packets = packets()?;
        packets.set_read_timeout(Some(Duration::from_millis(200)))?;
        let times = Arc::<Mutex<Vec<Instant>>>::default();
        let noted = Arc::downgrade(&times);
        thread::spawn(move || {
            let mut packet = [0; 128];
            while let Some(times) = noted.upgrade() {
                // It is about time to look whether anybody still wants to know.
                let Ok(read) = packets.read(&mut packet) else { continue };
                if packet.get(..read).and_then(begun) == Some(port) {
                    times.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
                }
            }
        });
        Ok(Self(times))
    }

    /// Whether this user may look at packets.
    pub(crate) fn may_be_seen() -> bool {
        packets().is_ok()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// The most of them in any one second.
    pub(crate) fn busiest_second(&self) -> usize {
        let times = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let second = Duration::from_secs(1);
        let from = |begin: &Instant| {
            times.iter().filter(|at| *at >= begin && at.duration_since(*begin) < second).count()
        };
        times.iter().map(from).max().unwrap_or_default()
    }
}

/// A copy of every TCP packet that comes to this machine.
fn packets() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::TCP))
}

/// To which port this packet of IPv4 begins a connection, if it does.
fn begun(packet: &[u8]) -> Option<u16> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let segment = packet.get(header..)?;
    let (syn, ack) = (0x02, 0x10);
    let port = u16::from_be_bytes([*segment.get(2)?, *segment.get(3)?]);
    (segment.get(13)? & (syn | ack) == syn).then_some(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_refused_is_counted() {
        if !Syns::may_be_seen() {
            return;
        }
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let syns = Syns::to(nobody.port()).unwrap();
        for _ in 0..3 {
            std::net::TcpStream::connect(nobody).unwrap_err();
        }
        while syns.count() < 3 {
            thread::yield_now();
        }
        assert_eq!(syns.busiest_second(), 3);
    }
}
