use std::{fmt, time::Duration};

use bytes::Bytes;

/// What a [`TestReceiver`](crate::TestReceiver) does with one request.
///
/// It is an answer, or bytes as they are, and what happens on the connection afterwards. The common
/// misbehaviours have names of their own; [`Reply::misbehaviours`] lists them all.
///
/// ```
/// use std::time::Duration;
/// use webhook_testkit::Reply;
///
/// let busy = Reply::status(429).header("retry-after", "120");
/// let slow = Reply::status(200).after(Duration::from_millis(50));
/// let unfair = Reply::status(200).body("ok").then_reset();
/// let rude = Reply::raw("220 mail.example ESMTP\r\n").unasked();
/// # let _ = [busy, slow, unfair, rude];
/// ```
#[derive(Clone)]
pub struct Reply {
    pub(super) begins: ReplyStart,
    pub(super) delay: Duration,
    answer: Option<FramedResponse>,
    steps: Vec<Step>,
}

/// Start of a reply.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum ReplyStart {
    /// As soon as somebody has connected; nothing is read.
    Connected,
    /// Once the head of the request is there; its body is not read.
    Head,
    /// Once the request is whole.
    Request,
}

/// A response with a status, framed by its length if it may have a body.
#[derive(Clone)]
struct FramedResponse {
    status: u16,
    headers: Vec<(String, Bytes)>,
    body: Bytes,
}

/// A step of a reply on one connection.
#[derive(Clone)]
pub(super) enum Step {
    /// Writes these bytes.
    Write(Bytes),
    /// Writes these bytes one by one, and waits after each.
    Drip(Bytes, Duration),
    /// Writes these bytes over and over, until the other side has had enough, and waits after each time.
    Endless(Bytes, Duration),
    /// Waits.
    Wait(Duration),
    /// Does nothing more, and leaves the connection open.
    Hold,
    /// Closes the connection.
    Close,
    /// Closes it by a reset, as a process does that was killed.
    Reset,
}

impl Reply {
    /// Answers with this status, and keeps the connection.
    pub const fn status(status: u16) -> Self {
        let answer = FramedResponse { status, headers: Vec::new(), body: Bytes::new() };
        let steps = Vec::new();
        Self { begins: ReplyStart::Request, delay: Duration::ZERO, answer: Some(answer), steps }
    }

    /// Reads the request and never answers.
    pub fn never() -> Self {
        Self::new(vec![Step::Hold])
    }

    /// Reads the request and closes the connection without a byte of answer.
    pub fn close() -> Self {
        Self::new(vec![Step::Close])
    }

    /// Reads the request and resets the connection without a byte of answer.
    pub fn reset() -> Self {
        Self::new(vec![Step::Reset])
    }

    /// Answers with exactly these bytes and closes the connection: half a head, no HTTP at all, a
    /// body shorter than promised.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self::new(vec![Step::Write(bytes.into()), Step::Close])
    }

    /// Answers with exactly these bytes, then nothing more: the connection stays open, and nothing is
    /// read from it.
    pub fn half(bytes: impl Into<Bytes>) -> Self {
        Self::new(vec![Step::Write(bytes.into()), Step::Hold])
    }

    /// Answers with exactly these bytes and reads the next request, as if that had been an answer.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        Self::new(vec![Step::Write(bytes.into())])
    }

    /// Answers with exactly these bytes, one by one, with this pause after each, then nothing more.
    pub fn drip(bytes: impl Into<Bytes>, every: Duration) -> Self {
        Self::new(vec![Step::Drip(bytes.into(), every), Step::Hold])
    }

    /// Answers with `first`, then with `again` over and over, until the other side has had enough.
    pub fn endless(first: impl Into<Bytes>, again: impl Into<Bytes>) -> Self {
        let again = Step::Endless(again.into(), Duration::ZERO);
        Self::new(vec![Step::Write(first.into()), again])
    }

    /// The same, with this pause after each time.
    pub fn endless_drip(first: impl Into<Bytes>, again: impl Into<Bytes>, every: Duration) -> Self {
        Self::new(vec![Step::Write(first.into()), Step::Endless(again.into(), every)])
    }

    const fn new(steps: Vec<Step>) -> Self {
        Self { begins: ReplyStart::Request, delay: Duration::ZERO, answer: None, steps }
    }

    /// Adds a header to an answer with a status. The value may be any bytes, those that no header may
    /// have included.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        if let Some(answer) = &mut self.answer {
            answer.headers.push((name.to_owned(), Bytes::copy_from_slice(value.as_ref())));
        }
        self
    }

    /// Sets the body of an answer with a status.
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        if let Some(answer) = &mut self.answer {
            answer.body = bytes.into();
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
    pub fn then_close(self) -> Self {
        self.then(Step::Close)
    }

    /// Resets the connection after the answer.
    #[must_use]
    pub fn then_reset(self) -> Self {
        self.then(Step::Wait(RESET_DELAY)).then(Step::Reset)
    }

    /// Leaves the connection open after the answer, and never reads from it again.
    #[must_use]
    pub fn then_hang(self) -> Self {
        self.then(Step::Hold)
    }

    /// Says more after this pause, in real time and without having been asked, and goes on reading.
    #[must_use]
    pub fn then_say(self, pause: Duration, bytes: impl Into<Bytes>) -> Self {
        self.then(Step::Wait(pause)).then(Step::Write(bytes.into()))
    }

    /// Does all that as soon as somebody has connected, without reading anything. Only what comes next
    /// in the script when a connection is made can do so.
    #[must_use]
    pub const fn unasked(mut self) -> Self {
        self.begins = ReplyStart::Connected;
        self
    }

    /// Does all that once the head of the request is there, and never reads its body. Such a request is
    /// not kept.
    #[must_use]
    pub const fn after_head(mut self) -> Self {
        self.begins = ReplyStart::Head;
        self
    }

    pub(crate) fn is_unasked(&self) -> bool {
        self.begins == ReplyStart::Connected
    }

    fn then(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// What is done, one after the other.
    pub(super) fn into_steps(self) -> impl Iterator<Item = Step> {
        self.answer.map(|answer| Step::Write(answer.bytes())).into_iter().chain(self.steps)
    }
}

/// Delay before a reset, so that the bytes written before it arrive.
const RESET_DELAY: Duration = Duration::from_millis(20);

impl From<u16> for Reply {
    fn from(status: u16) -> Self {
        Self::status(status)
    }
}

impl FramedResponse {
    /// The bytes on the wire.
    fn bytes(&self) -> Bytes {
        let mut bytes = format!("HTTP/1.1 {} Scripted\r\n", self.status).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(&[name.as_bytes(), b": ", value, b"\r\n"].concat());
        }
        if may_have_body(self.status) {
            bytes.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        bytes.extend_from_slice(&[b"\r\n", &self.body[..]].concat());
        bytes.into()
    }
}

/// 204 and 304 have no body, and say nothing about its length (RFC 9110, section 8.6).
const fn may_have_body(status: u16) -> bool {
    !matches!(status, 204 | 304)
}

impl fmt::Debug for Reply {
    /// In a few words: some have a million bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("begins", &self.begins)
            .field("delay", &self.delay)
            .field("status", &self.answer.as_ref().map(|answer| answer.status))
            .field("steps", &self.steps)
            .finish()
    }
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(bytes) => write!(f, "write {} bytes", bytes.len()),
            Self::Drip(bytes, every) => write!(f, "drip {} bytes, each {every:?}", bytes.len()),
            Self::Endless(bytes, every) => {
                write!(f, "write {} bytes for ever, each {every:?}", bytes.len())
            }
            Self::Wait(pause) => write!(f, "wait {pause:?}"),
            Self::Hold => f.write_str("hold"),
            Self::Close => f.write_str("close"),
            Self::Reset => f.write_str("reset"),
        }
    }
}
