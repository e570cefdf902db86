//! Does a server on this machine let its first user in without a password? Asked in the server's own
//! protocol: its client programs may not be installed.

use std::{
    io::{self, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// Longest wait for one answer of a busy server. A server that does not run refuses immediately.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// As `postgres`, into the database of that name.
pub(crate) fn postgres(port: u16) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = connect(port)?;
        let mut hello = 196_608_u32.to_be_bytes().to_vec();
        hello.extend_from_slice(b"user\0postgres\0database\0postgres\0\0");
        let length = u32::try_from(hello.len() + 4).unwrap_or_default();
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(&hello)?;
        loop {
            let [kind, length @ ..] = read::<5>(&mut stream)?;
            let body = read_many(&mut stream, u32::from_be_bytes(length).saturating_sub(4).into())?;
            match kind {
                // Authentication: anything but "you are in" asks for a password.
                b'R' if body != [0; 4] => return Ok(false),
                b'E' => return Ok(false),
                b'Z' => return Ok(true),
                _ => {}
            }
        }
    };
    ask().unwrap_or(false)
}

/// As `root`.
pub(crate) fn mysql(port: u16) -> bool {
    let ask = || -> io::Result<bool> {
        let mut stream = connect(port)?;
        if read_packet(&mut stream)?.0 != Some(10) {
            return Ok(false);
        }
        // Protocol 4.1, a plugin's name, and its answer with a length: an empty one.
        let mut hello = 0x0008_8201_u32.to_le_bytes().to_vec();
        hello.extend_from_slice(&0x0100_0000_u32.to_le_bytes());
        hello.push(45);
        hello.extend_from_slice(&[0; 23]);
        hello.extend_from_slice(b"root\0\0mysql_native_password\0");
        write_packet(&mut stream, 1, &hello)?;
        let (first, number) = read_packet(&mut stream)?;
        if first != Some(0xfe) {
            return Ok(first == Some(0));
        }
        // Another plugin, please: an empty password is empty in all of them.
        write_packet(&mut stream, number.wrapping_add(1), &[])?;
        Ok(read_packet(&mut stream)?.0 == Some(0))
    };
    ask().unwrap_or(false)
}

fn connect(port: u16) -> io::Result<TcpStream> {
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&addr, LOGIN_TIMEOUT)?;
    stream.set_read_timeout(Some(LOGIN_TIMEOUT))?;
    Ok(stream)
}

fn read<const N: usize>(stream: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_many(stream: &mut TcpStream, length: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stream.take(length).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The first byte of a packet of MySQL's protocol, and its number.
fn read_packet(stream: &mut TcpStream) -> io::Result<(Option<u8>, u8)> {
    let [a, b, c, number] = read::<4>(stream)?;
    let body = read_many(stream, u32::from_le_bytes([a, b, c, 0]).into())?;
    Ok((body.first().copied(), number))
}

fn write_packet(stream: &mut TcpStream, number: u8, body: &[u8]) -> io::Result<()> {
    let [a, b, c, _] = u32::try_from(body.len()).unwrap_or_default().to_le_bytes();
    stream.write_all(&[a, b, c, number])?;
    stream.write_all(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{net::TcpListener, thread};

    /// What is asked of a server that answers `bytes` to whoever comes.
    fn asked(bytes: &'static [u8], ask: fn(u16) -> bool) -> bool {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.write_all(bytes).unwrap();
            stream.shutdown(std::net::Shutdown::Write).unwrap();
            // Until the other side goes.
            let _ = stream.read_to_end(&mut Vec::new());
        });
        let answer = ask(port);
        server.join().unwrap();
        answer
    }

    #[test]
    fn who_asks_for_a_password_does_not_let_us_in() {
        assert!(asked(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", postgres));
        assert!(!asked(b"R\0\0\0\x08\0\0\0\x0a", postgres), "SCRAM");
        assert!(!asked(b"E\0\0\0\x05\0", postgres), "still starting");
        assert!(asked(b"\x01\0\0\0\x0a\x01\0\0\x02\0", mysql));
        assert!(asked(b"\x01\0\0\0\x0a\x01\0\0\x02\xfe\x01\0\0\x04\0", mysql), "another plugin");
        assert!(!asked(b"\x01\0\0\0\x0a\x01\0\0\x02\xff", mysql), "access denied");
    }

    #[test]
    fn what_is_no_server_does_not_let_us_in() {
        for ask in [postgres, mysql] {
            assert!(!asked(b"HTTP/1.1 400 Bad Request\r\n\r\n", ask));
            let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            assert!(!ask(nobody));
        }
    }
}
