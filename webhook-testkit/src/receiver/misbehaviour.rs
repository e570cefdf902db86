//! All of it, by name.

use std::time::Duration;

use super::{Reply, hostile::SLOW_BYTE_INTERVAL};

/// A way in which a receiver misbehaves: what it is called, how to play it, and what an exchange with
/// it comes to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Misbehaviour {
    /// What the receiver does, in words. No two have the same.
    pub name: &'static str,
    /// How a [`TestReceiver`](super::TestReceiver) does it.
    pub reply: Reply,
    /// What arrives of the head of an answer, and so whether a transport has one to return.
    pub head: Head,
}

/// What arrives of the head of an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Head {
    /// A whole head with this status: an answer, whatever becomes of its body.
    Whole(u16),
    /// No head, or not all of it: an error.
    Missing,
    /// A head that there are good reasons to refuse: an answer or an error, as the transport likes.
    Doubtful,
}

impl Reply {
    /// Every misbehaviour there is a name for, to try a transport of one's own against. Those that
    /// point somewhere point to `elsewhere`, the URL of a receiver to whom nobody may come.
    ///
    /// ```
    /// use std::time::Duration;
    /// use webhook_core::{transport::{Request, Transport}};
    /// use webhook_testkit::{Reply, TestReceiver};
    /// # type YourTransport = webhook_testkit::ScriptedTransport;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// let elsewhere = TestReceiver::answering([200]).await;
    /// for bad in Reply::misbehaviours(&elsewhere.url()) {
    ///     let receiver = TestReceiver::answering([bad.reply]).await;
    ///     let url = receiver.url().parse().unwrap();
    ///     let request = Request::new(url, Default::default(), "{}".into());
    ///     let answer = YourTransport::new().send(request.with_timeout(Duration::from_millis(200))).await;
    ///     if let Ok(answer) = answer {
    ///         assert!(answer.body.len() <= Request::MAX_RESPONSE_BODY, "{}", bad.name);
    ///     }
    /// }
    /// assert_eq!(elsewhere.connections(), 0);
    /// # });
    /// ```
    ///
    /// [`transport_conformance!`](crate::transport_conformance) plays them all as well, and looks at
    /// more.
    pub fn misbehaviours(elsewhere: &str) -> Vec<Misbehaviour> {
        let all = [
            redirects(elsewhere),
            demands(),
            heads(),
            no_http(),
            framings(),
            odd_words(),
            waits(),
            bodies(),
            connections(),
        ];
        let all = all.into_iter().flatten();
        all.map(|(name, head, reply)| Misbehaviour { name, reply, head }).collect()
    }
}

use Head::{Doubtful, Missing, Whole};

type Named = (&'static str, Head, Reply);

/// A response without a request. A client that pairs it with the next request is faulty.
const UNASKED_RESPONSE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nlate";

const OK_LINE: &str = "HTTP/1.1 200 OK\r\n";

const CHUNKED_HEAD: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

/// Answers 200 with these lengths, and with this body before a response to nothing.
fn framed(lines: &str, body: &str) -> Reply {
    Reply::bytes(format!("{OK_LINE}{lines}\r\n\r\n{body}{UNASKED_RESPONSE}"))
}

/// Answers 200 in chunks that begin like this and go on like that.
fn endless_chunks(first: &str, again: impl Into<bytes::Bytes>) -> Reply {
    Reply::endless(format!("{CHUNKED_HEAD}{first}"), again)
}

/// Names `url` in every header by which a client might go there.
fn elsewhere(url: &str) -> Reply {
    let other = url.trim_start_matches("http://").trim_end_matches("/hooks");
    Reply::redirect(200, url)
        .header("content-location", url)
        .header("refresh", format!("0; url={url}"))
        .header("link", format!("<{url}>; rel=\"canonical\", <{url}>; rel=\"preload\""))
        .header("alt-svc", format!("http/1.1=\"{other}\"; ma=86400"))
}

fn redirects(url: &str) -> Vec<Named> {
    vec![
        ("offers a choice of other places (300)", Whole(300), Reply::redirect(300, url)),
        ("has moved for good (301)", Whole(301), Reply::redirect(301, url)),
        ("has moved for now (302)", Whole(302), Reply::redirect(302, url)),
        ("points to another answer (303)", Whole(303), Reply::redirect(303, url)),
        ("points to a proxy (305)", Whole(305), Reply::redirect(305, url)),
        ("points the same request elsewhere for now (307)", Whole(307), Reply::redirect(307, url)),
        ("points the same request elsewhere for good (308)", Whole(308), Reply::redirect(308, url)),
        ("succeeds and names other places", Whole(200), elsewhere(url)),
    ]
}

/// Answers to which some clients say the same again, unasked.
fn demands() -> Vec<Named> {
    let demand = |status| Reply::status(status);
    vec![
        (
            "asks for a password",
            Whole(401),
            demand(401).header("www-authenticate", "Basic realm=\"x\""),
        ),
        (
            "asks for a proxy's password",
            Whole(407),
            demand(407).header("proxy-authenticate", "Basic realm=\"x\""),
        ),
        ("says that the request took too long", Whole(408), demand(408).then_close()),
        ("is gone for good", Whole(410), demand(410)),
        ("says that it is not the one", Whole(421), demand(421)),
        ("says that it is too early", Whole(425), demand(425)),
        ("is overloaded and does not say for how long", Whole(429), demand(429)),
        ("is unavailable and does not say for how long", Whole(503), demand(503)),
    ]
}

fn heads() -> Vec<Named> {
    let header = |bytes: &[u8]| Reply::status(200).header("x-odd", bytes);
    let many = |count| {
        let headers: String = (1..count).map(|n| format!("x-{n}: y\r\n")).collect();
        Reply::bytes(format!("{OK_LINE}{headers}content-length: 0\r\n\r\n"))
    };
    let large = Reply::status(200).header("x-large", vec![b'y'; 1_000_000]);
    let endless = Reply::endless(format!("{OK_LINE}x-large: "), "y".repeat(1000));
    let promises = Reply::endless("", "HTTP/1.1 100 Continue\r\n\r\n".repeat(100));
    let switching =
        "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    vec![
        ("sends 101 headers", Doubtful, many(101)),
        ("sends 10,000 headers", Doubtful, many(10_000)),
        ("sends a header of 1 MB", Doubtful, large),
        ("sends headers without end", Missing, Reply::endless_head()),
        ("sends a header without end", Missing, endless),
        ("promises an answer without end", Missing, promises),
        ("switches to another protocol", Missing, Reply::half(switching)),
        ("sends a head byte by byte, a second each", Missing, Reply::slow_head()),
        ("stops within its head", Missing, Reply::half("HTTP/1.1 200 OK\r\nx-half: ")),
        ("ends within its head", Missing, Reply::raw("HTTP/1.1 200 OK\r\nx-half: ")),
        ("ends before the empty line", Missing, Reply::raw("HTTP/1.1 200 OK\r\nx-a: b\r\n")),
        ("sends a header in Latin-1", Whole(200), header(b"sp\xe4ter")),
        ("sends a header that is no text", Whole(200), header(b"\xff\xfe\x80")),
        ("sends a header with control sequences", Doubtful, header(b"\x1b[2Jgone\x07")),
        ("sends a header with a zero in it", Doubtful, header(b"a\0b")),
        ("sends a header over two lines", Doubtful, header(b"a\r\n b")),
        ("sends a header without a name", Doubtful, Reply::status(200).header("", "x")),
        (
            "sends a header with a blank in its name",
            Doubtful,
            Reply::status(200).header("a b", "x"),
        ),
        ("ends its lines by a line feed alone", Doubtful, Reply::half("HTTP/1.1 200 OK\n\n")),
    ]
}

fn no_http() -> Vec<Named> {
    const SETTINGS: &[u8] = b"\0\0\x06\x04\0\0\0\0\0\0\x04\0\0\xff\xff";
    const ALERT: &[u8] = b"\x15\x03\x03\0\x02\x02\x46";
    vec![
        ("speaks SSH", Missing, Reply::raw("SSH-2.0-OpenSSH_9.6\r\n")),
        ("speaks HTTP/0.9", Missing, Reply::raw("<html>hello</html>\r\n\r\n")),
        ("speaks HTTP/2", Missing, Reply::raw(SETTINGS)),
        ("says that it speaks HTTP/2", Doubtful, Reply::raw("HTTP/2.0 200 OK\r\n\r\n")),
        ("speaks TLS", Missing, Reply::raw(ALERT)),
        ("sends nothing but zeros", Missing, Reply::endless("", vec![0; 1000])),
        ("sends nothing but empty lines", Missing, Reply::endless("", "\r\n".repeat(500))),
        ("has a status that is no number", Missing, Reply::raw("HTTP/1.1 abc OK\r\n\r\n")),
        ("has a status of one digit", Missing, Reply::raw("HTTP/1.1 2 OK\r\n\r\n")),
        ("has a status of four digits", Missing, Reply::raw("HTTP/1.1 2000 OK\r\n\r\n")),
    ]
}

fn framings() -> Vec<Named> {
    let length = |text| Reply::half(format!("{OK_LINE}content-length: {text}\r\n\r\nok"));
    let chunk_size = |text| Reply::half(format!("{CHUNKED_HEAD}2\r\nok\r\n{text}\r\nok"));
    // By the chunks the answer ends before the next one; by the length the next one is its body.
    let rest = "0\r\n\r\n".len() + UNASKED_RESPONSE.len();
    let both = format!("content-length: {rest}\r\ntransfer-encoding: chunked");
    let two = format!("content-length: 0\r\ncontent-length: {}", UNASKED_RESPONSE.len());
    let coded = |coding| Reply::status(200).header("transfer-encoding", coding);
    let more = "x-more: and more\r\n".repeat(100);
    vec![
        ("answers with a length and in chunks", Doubtful, framed(&both, "0\r\n\r\n")),
        ("answers with two lengths", Doubtful, framed(&two, "")),
        ("has a length below zero", Doubtful, length("-1")),
        ("has a length of twenty digits", Doubtful, length("99999999999999999999")),
        ("has a length with a sign", Doubtful, length("+2")),
        ("has a length in hexadecimal", Doubtful, length("0x2")),
        ("has a list of lengths", Doubtful, length("2, 3")),
        ("has a length of no digits", Doubtful, length("")),
        ("answers in a coding that nobody knows", Doubtful, coded("snail")),
        ("has a chunk size of twenty digits", Whole(200), chunk_size("fffffffffffffffffff0")),
        ("has a chunk size below zero", Whole(200), chunk_size("-2")),
        ("has a chunk size that is no number", Whole(200), chunk_size("zz")),
        ("extends a chunk without end", Whole(200), endless_chunks("2;x=", "y".repeat(1000))),
        ("sends trailers without end", Whole(200), endless_chunks("2\r\nok\r\n0\r\n", more)),
    ]
}

fn odd_words() -> Vec<Named> {
    let body = |status, body: &'static [u8]| Reply::status(status).body(body);
    let cookie = |reply: Reply| reply.header("set-cookie", "session=1; Path=/; Max-Age=86400");
    vec![
        ("sets a cookie", Whole(200), cookie(Reply::status(200))),
        ("answers with control sequences", Whole(500), body(500, b"\x1b]0;owned\x07\x1b[2J\0")),
        ("answers with a script", Whole(500), body(500, b"<script>alert(1)</script>")),
        ("answers with what is no text", Whole(500), body(500, b"\xff\xfe\xf0\x28\x8c\x28")),
    ]
}

/// Ways to ask for a pause.
fn waits() -> Vec<Named> {
    let wait = |text| Reply::status(503).header("retry-after", text);
    vec![
        ("asks for a pause of millions of years", Whole(503), wait("99999999999999")),
        ("asks for a pause of thirty digits", Whole(503), wait("999999999999999999999999999999")),
        ("asks for a pause below zero", Whole(503), wait("-1")),
        ("asks for a pause with a fraction", Whole(503), wait("120.5")),
        ("asks for a pause of nothing", Whole(503), wait("")),
        ("asks for a pause in words", Whole(503), wait("soon")),
        ("asks for a pause until long ago", Whole(503), wait("Thu, 01 Jan 1970 00:00:00 GMT")),
        ("asks for a pause until far away", Whole(503), wait("Fri, 31 Dec 9999 23:59:59 GMT")),
        (
            "asks for a pause until a day that is none",
            Whole(503),
            wait("Fri, 31 Feb 2026 25:61:61 GMT"),
        ),
        ("asks for two pauses", Whole(503), wait("1").header("retry-after", "2")),
    ]
}

fn bodies() -> Vec<Named> {
    let cut = || Reply::bytes(format!("{HEAD_ALONE}half"));
    let endless = Reply::endless(format!("{OK_LINE}\r\n"), vec![b'x'; 16 * 1024]);
    let chunk = format!("2000\r\n{}\r\n", "x".repeat(0x2000));
    let slow = Reply::endless_drip(format!("{OK_LINE}\r\n"), "x", SLOW_BYTE_INTERVAL);
    let no_content =
        format!("HTTP/1.1 204 No Content\r\ncontent-length: {}", UNASKED_RESPONSE.len());
    let no_content = Reply::bytes(format!("{no_content}\r\n\r\n{UNASKED_RESPONSE}"));
    vec![
        ("sends a body without end", Whole(200), endless),
        ("sends chunks without end", Whole(200), endless_chunks("", chunk)),
        ("sends a body without end, a byte a second", Whole(200), slow),
        ("sends 50 kB that unpack to 50 MB", Whole(200), Reply::gzip_bomb()),
        ("sends a body with a status that has none", Whole(204), no_content),
        ("ends right after its head", Whole(200), Reply::raw(HEAD_ALONE)),
        ("stops right after its head", Whole(200), Reply::half(HEAD_ALONE)),
        ("ends within its body", Whole(200), cut().then_close()),
        ("resets the connection within its body", Whole(200), cut().then_reset()),
    ]
}

const HEAD_ALONE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n";

fn connections() -> Vec<Named> {
    let twice = |pause| Reply::status(200).body("first").then_say(pause, UNASKED_RESPONSE);
    vec![
        ("takes the connection and reads nothing", Missing, Reply::silence()),
        ("never reads the body of the request", Missing, Reply::never().after_head()),
        ("reads the request and says nothing", Missing, Reply::never()),
        ("reads the request and closes the connection", Missing, Reply::close()),
        ("reads the request and resets the connection", Missing, Reply::reset()),
        ("resets the connection within the request", Missing, Reply::reset().after_head()),
        ("resets the connection at once", Missing, Reply::reset().unasked()),
        ("closes the connection at once", Missing, Reply::close().unasked()),
        ("greets before it is asked", Missing, Reply::half("220 mail.example ESMTP\r\n").unasked()),
        ("answers before it is asked", Doubtful, Reply::bytes(UNASKED_RESPONSE).unasked()),
        ("answers twice", Whole(200), twice(Duration::ZERO)),
        (
            "sends an answer to nothing on an idle connection",
            Whole(200),
            twice(Duration::from_millis(20)),
        ),
        (
            "keeps the connection and hangs",
            Whole(200),
            Reply::status(200).header("connection", "keep-alive").then_hang(),
        ),
        ("closes the connection and does not say so", Whole(200), Reply::status(200).then_close()),
    ]
}
