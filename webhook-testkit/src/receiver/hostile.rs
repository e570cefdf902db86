//! What receivers do that mean ill, or know no better.

use std::time::Duration;

use bytes::Bytes;

use super::Reply;

/// Interval between the bytes of a slow receiver.
const SLOW_BYTE_INTERVAL: Duration = Duration::from_secs(1);

/// A response without a request. A client that pairs it with the next request is faulty.
const UNASKED_RESPONSE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate";

const CHUNKED_HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// Where the receiver points, and whom it asks.
impl Reply {
    /// Points to `url` with this status.
    pub fn redirect(status: u16, url: &str) -> Self {
        Self::status(status).header("location", url)
    }

    /// Answers 200 and names `url` in every header by which a client might go there.
    pub fn elsewhere(url: &str) -> Self {
        let other = url.trim_start_matches("http://").trim_end_matches("/hooks");
        Self::status(200)
            .header("location", url)
            .header("content-location", url)
            .header("refresh", format!("0; url={url}"))
            .header("link", format!("<{url}>; rel=\"canonical\", <{url}>; rel=\"preload\""))
            .header("alt-svc", format!("http/1.1=\"{other}\"; ma=86400"))
    }
}

/// Heads.
impl Reply {
    /// Answers 200 with this many headers.
    pub fn many_headers(count: usize) -> Self {
        let headers: String =
            (0..count.saturating_sub(1)).map(|n| format!("x-{n}: y\r\n")).collect();
        Self::bytes(format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n"))
    }

    /// Answers 200 with one header of this many bytes.
    pub fn large_header(bytes: usize) -> Self {
        Self::status(200).header("x-large", vec![b'y'; bytes])
    }

    /// Sends headers and never comes to their end.
    pub fn endless_head() -> Self {
        Self::endless("HTTP/1.1 200 OK\r\n", "x-more: and more\r\n".repeat(100))
    }

    /// Sends one header and never comes to its end.
    pub fn endless_header() -> Self {
        Self::endless("HTTP/1.1 200 OK\r\nx-large: ", "y".repeat(1000))
    }

    /// Promises an answer (`100 Continue`) over and over.
    pub fn endless_informational() -> Self {
        Self::endless("", "HTTP/1.1 100 Continue\r\n\r\n".repeat(100))
    }

    /// Begins to speak another protocol, which nobody has asked for.
    pub fn switching_protocols() -> Self {
        Self::half(
            "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        )
    }
}

/// Where an answer ends.
impl Reply {
    /// Answers 200 with a length and in chunks. By the chunks the answer is over before another one
    /// begins that belongs to nothing; by the length that one is its body.
    pub fn both_lengths() -> Self {
        let rest = format!("0\r\n\r\n{UNASKED_RESPONSE}");
        let framing = format!("content-length: {}\r\ntransfer-encoding: chunked", rest.len());
        Self::bytes(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{rest}"))
    }

    /// Answers 200 with two lengths that differ.
    pub fn two_lengths() -> Self {
        let lengths = format!("content-length: 0\r\ncontent-length: {}", UNASKED_RESPONSE.len());
        Self::bytes(format!("HTTP/1.1 200 OK\r\n{lengths}\r\n\r\n{UNASKED_RESPONSE}"))
    }

    /// Answers 200 with this for a length.
    pub fn length(text: &str) -> Self {
        Self::half(format!("HTTP/1.1 200 OK\r\ncontent-length: {text}\r\n\r\nok"))
    }

    /// Answers 200 with a chunk whose size is this.
    pub fn chunk_size(text: &str) -> Self {
        Self::half(format!("{CHUNKED_HEAD}2\r\nok\r\n{text}\r\nok"))
    }

    /// Answers 200 with a chunk whose extension never ends.
    pub fn endless_chunk_extension() -> Self {
        Self::endless(format!("{CHUNKED_HEAD}2;x="), "y".repeat(1000))
    }

    /// Answers 200 with trailers that never end.
    pub fn endless_trailers() -> Self {
        Self::endless(format!("{CHUNKED_HEAD}2\r\nok\r\n0\r\n"), "x-more: and more\r\n".repeat(100))
    }

    /// Answers 200 with a body that never ends, as fast as it goes.
    pub fn endless_body() -> Self {
        Self::endless("HTTP/1.1 200 OK\r\n\r\n", vec![b'x'; 16 * 1024])
    }

    /// Answers 200 with a body that never ends, in chunks, as fast as it goes.
    pub fn endless_chunks() -> Self {
        Self::endless(CHUNKED_HEAD, format!("2000\r\n{}\r\n", "x".repeat(0x2000)))
    }

    /// Answers 200 with a body that never ends, a byte a second.
    pub fn endless_slow_body() -> Self {
        Self::endless_drip("HTTP/1.1 200 OK\r\n\r\n", "x", SLOW_BYTE_INTERVAL)
    }

    /// Answers 200 with a head that comes a byte a second.
    pub fn slow_head() -> Self {
        Self::drip("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", SLOW_BYTE_INTERVAL)
    }

    /// Answers 200 with 50 kB that become 50 MB when they are unpacked.
    pub fn gzip_bomb() -> Self {
        Self::status(200).header("content-encoding", "gzip").body(bomb())
    }

    /// Answers 204, which has no body, with one: an answer that belongs to nothing.
    pub fn no_content_with_body() -> Self {
        let head = format!("HTTP/1.1 204 No Content\r\ncontent-length: {}", UNASKED_RESPONSE.len());
        Self::bytes(format!("{head}\r\n\r\n{UNASKED_RESPONSE}"))
    }

    /// Answers 200 and promises more than it sends before it closes the connection.
    pub fn cut_short() -> Self {
        Self::raw("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
    }

    /// Answers 200 and promises more than it sends before it resets the connection.
    pub fn cut_off() -> Self {
        Self::bytes("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf").then_reset()
    }
}

/// What happens on the connection.
impl Reply {
    /// Takes the connection, reads nothing and says nothing.
    pub fn silence() -> Self {
        Self::never().unasked()
    }

    /// Reads the head of the request and not its body, and says nothing: who has much to write waits
    /// for ever.
    pub fn deaf() -> Self {
        Self::never().after_head()
    }

    /// Answers twice.
    pub fn two_answers() -> Self {
        Self::status(200).body("first").then_say(Duration::ZERO, UNASKED_RESPONSE)
    }

    /// Answers, and a little later sends an answer to nothing on the idle connection.
    pub fn late_answer() -> Self {
        Self::status(200).body("first").then_say(Duration::from_millis(20), UNASKED_RESPONSE)
    }

    /// Answers before it was asked.
    pub fn hasty_answer() -> Self {
        Self::bytes(UNASKED_RESPONSE).unasked()
    }

    /// Promises to keep the connection and never reads from it again.
    pub fn keep_alive_then_hang() -> Self {
        Self::status(200).header("connection", "keep-alive").then_hang()
    }
}

/// 50 kB in the format gzip that become 51,600,775 zeros: a zero, then nothing but copies of it, 258
/// at a time, which takes two bits.
fn bomb() -> Bytes {
    const HEADER: &[u8] = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
    const CODES: &[u8] = b"\xed\xc0\x81\0\0\0\0\x80\xa0\xfd\xa9\x17\xa9\0";
    const END: &[u8] = b"\x80\x01";
    const CHECKSUM_AND_SIZE: &[u8] = b"\x2b\x52\x9f\x1d\x87\x5d\x13\x03";
    [HEADER, CODES, &[0; 49_999], END, CHECKSUM_AND_SIZE].concat().into()
}
