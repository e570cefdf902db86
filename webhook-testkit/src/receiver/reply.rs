use std::time::Duration;

use bytes::Bytes;

/// What a [`TestReceiver`](crate::TestReceiver) does with one request.
#[derive(Clone, Debug)]
pub struct Reply {
    pub(super) delay: Duration,
    pub(super) ending: Ending,
    pub(super) closes: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Ending {
    Answer { status: u16, headers: Vec<(String, String)>, body: Bytes },
    Raw(Bytes),
    Half(Bytes),
    Never,
    Close,
}

impl Reply {
    /// Answers with this status, and keeps the connection.
    pub const fn status(status: u16) -> Self {
        Self::new(Ending::Answer { status, headers: Vec::new(), body: Bytes::new() })
    }

    /// Reads the request and never answers.
    pub const fn never() -> Self {
        Self::new(Ending::Never)
    }

    /// Reads the request and closes the connection without a byte of answer.
    pub const fn close() -> Self {
        Self::new(Ending::Close)
    }

    /// Answers with exactly these bytes and closes the connection: half a head, no HTTP at all, a
    /// body shorter than promised.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::new(Ending::Raw(bytes.into())).then_close()
    }

    /// Answers with exactly these bytes, then nothing more: the connection stays open.
    pub fn half(bytes: impl Into<Bytes>) -> Self {
        Self::new(Ending::Half(bytes.into()))
    }

    const fn new(ending: Ending) -> Self {
        Self { delay: Duration::ZERO, ending, closes: false }
    }

    /// Adds a header to an answer with a status.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Ending::Answer { headers, .. } = &mut self.ending {
            headers.push((name.to_owned(), value.to_owned()));
        }
        self
    }

    /// Sets the body of an answer with a status.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        if let Ending::Answer { body, .. } = &mut self.ending {
            *body = bytes.into();
        }
        self
    }

    /// Waits first, in real time.
    #[must_use]
    pub const fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Closes the connection after the answer, without having said so.
    #[must_use]
    pub const fn then_close(mut self) -> Self {
        self.closes = true;
        self
    }
}

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        Self::status(status)
    }
}

impl Ending {
    /// The bytes on the wire; `None` when there are none.
    pub(super) fn bytes(&self) -> Option<Bytes> {
        match self {
            Self::Answer { status, headers, body } => {
                let mut answer = format!("HTTP/1.1 {status} Scripted\r\n");
                for (name, value) in headers {
                    answer.push_str(&format!("{name}: {value}\r\n"));
                }
                if may_have_body(*status) {
                    answer.push_str(&format!("content-length: {}\r\n", body.len()));
                }
                answer.push_str("\r\n");
                Some([answer.as_bytes(), body].concat().into())
            }
            Self::Raw(bytes) | Self::Half(bytes) => Some(bytes.clone()),
            Self::Never | Self::Close => None,
        }
    }
}

/// 204 and 304 have no body, and say nothing about its length (RFC 9110, section 8.6).
const fn may_have_body(status: u16) -> bool {
    !matches!(status, 204 | 304)
}
