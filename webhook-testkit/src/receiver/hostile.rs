//! Replies of hostile or faulty receivers that tests use by name.

use std::time::Duration;

use bytes::Bytes;

use super::Reply;

/// Interval between the bytes of a slow receiver.
pub(super) const SLOW_BYTE_INTERVAL: Duration = Duration::from_secs(1);

impl Reply {
    /// Points to `url` with this status.
    pub fn redirect(status: u16, url: &str) -> Self {
        Self::status(status).header("location", url)
    }

    /// Sends headers without an end.
    pub fn endless_head() -> Self {
        Self::endless("HTTP/1.1 200 OK\r\n", "x-more: and more\r\n".repeat(100))
    }

    /// Answers 200 with a head that arrives a byte a second.
    pub fn slow_head() -> Self {
        Self::drip("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", SLOW_BYTE_INTERVAL)
    }

    /// Answers 200 with 50 kB that unpack to 50 MB.
    pub fn gzip_bomb() -> Self {
        Self::status(200).header("content-encoding", "gzip").body(bomb())
    }

    /// Accepts the connection, reads nothing and sends nothing.
    pub fn silence() -> Self {
        Self::never().unasked()
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
