//! D: Headers, types and ids.
//!
//! The doors are those of the core: what comes through is what is ever sent. The sender without doors
//! writes it as it came, and what arrives is read off the socket.

use http::{HeaderMap, HeaderName, HeaderValue};
use url::Url;
use webhook_core::{ContentType, CustomHeaders, EventId, EventType, TenantId, Transport};

use crate::{
    case::Seen,
    fixture::{Fixture, transport},
    ids::Id,
    literal,
    naive_sender::{NaiveSender, Post, own_lines},
    script::{Script, quoted},
};

/// Names and values.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Ours, that some would like to replace.
const SIGNATURE: (&str, &str) = ("webhook-signature", "v1,ours");

pub(crate) async fn play(id: Id, input: &str) -> Seen {
    let (pairs, entered) = match id.number {
        17 | 18 => of_text("x-event-type", input, &[door::<EventType>, door::<EventId>]),
        19 => of_text("x-tenant", input, &[door::<TenantId>]),
        20 => of_text("content-type", input, &[door::<ContentType>]),
        _ => of_headers(input),
    };
    let mut guarded = match entered {
        Err(refusal) => format!("refused: {refusal}"),
        Ok(headers) => send(headers).await.1,
    };
    if (7..=9).contains(&id.number) {
        guarded += &past_the_door(&pairs).await;
    }
    Seen::new(guarded, sent_naively(pairs).await)
}

/// What would be sent, or why it is not.
type Entered = Result<HeaderMap, String>;

fn of_headers(input: &str) -> (Pairs, Entered) {
    let pairs = pairs(input);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers = CustomHeaders::new(pairs.iter().map(|(name, value)| (text(name), text(value))));
    (pairs, headers.map(|headers| headers.as_map().clone()).map_err(|error| error.to_string()))
}

/// What is sent as the value of `name`, if one of the doors lets it in.
fn of_text(name: &str, input: &str, doors: &[Door]) -> (Pairs, Entered) {
    let value = literal::text(input);
    let pairs = vec![(name.into(), value.clone().into())];
    let refusals: Result<Vec<String>, ()> =
        doors.iter().map(|door| door(&value).err().ok_or(())).collect();
    let entered = match refusals {
        Ok(refusals) => Err(refusals.join("; ")),
        Err(()) => Ok(map(&pairs)),
    };
    (pairs, entered)
}

/// What is wrong with a text.
type Door = fn(&str) -> Result<(), String>;

fn door<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop).map_err(|error| error.to_string())
}

/// `"name": "value"`; `"x-1": "v" to "x-9": "v"` stands for nine.
fn pairs(input: &str) -> Pairs {
    let (name, rest) = quoted(input);
    let (value, rest) = quoted(rest.strip_prefix(": ").expect("a value stands behind its name"));
    let Some(last) = rest.strip_prefix(" to ") else {
        assert!(rest.is_empty(), "`{rest}` is no header");
        return vec![(name, value)];
    };
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("a name that counts is text");
    let (first, last) = (text(name), text(quoted(last).0));
    let stem = first.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = |name: &str| name[stem.len()..].parse::<u32>().expect("it ends with a number");
    let all = number(&first)..=number(&last);
    all.map(|number| (format!("{stem}{number}").into(), value.clone())).collect()
}

/// As many as are headers at all.
fn map(pairs: &Pairs) -> HeaderMap {
    let header = |(name, value): &(Vec<u8>, Vec<u8>)| {
        Some((HeaderName::from_bytes(name).ok()?, HeaderValue::from_bytes(value).ok()?))
    };
    pairs.iter().filter_map(header).collect()
}

/// Our transport sends these. Where to, and what arrives.
async fn send(headers: HeaderMap) -> (Fixture, String) {
    let fixture = receiver().await;
    if let Err(error) = transport().send(fixture.request(headers)).await {
        return (fixture, format!("failed: {}", error.kind()));
    }
    let outcome_text = format!("sent: {} bytes arrive", head(&fixture).len());
    (fixture, outcome_text)
}

/// Some headers decide where a request ends, or whose it is. Handed to our transport, they change nothing.
async fn past_the_door(pairs: &Pairs) -> String {
    let (fixture, _) = send(map(pairs)).await;
    let names = ["host:", "content-length:", "transfer-encoding:"];
    let is_framing =
        |line: &&String| names.iter().any(|name| line.to_ascii_lowercase().starts_with(name));
    let lines = lines(&head(&fixture));
    let mut framing: Vec<&str> = lines.iter().filter(is_framing).map(String::as_str).collect();
    framing.sort_unstable();
    let body = fixture.script.body.len();
    if framing == [format!("content-length: {body}"), format!("host: {}", fixture.relay.addr)] {
        return "; past the door, our host and our length arrive alone".to_owned();
    }
    format!("; past the door, {framing:?} arrive")
}

/// Returns the headers that arrive from a naive sender with a signature of its own.
async fn sent_naively(pairs: Pairs) -> String {
    let fixture = receiver().await;
    let mut post = Post::of(&fixture, "/first");
    post.headers = vec![(SIGNATURE.0.into(), SIGNATURE.1.into())];
    post.headers.extend(pairs);
    NaiveSender::default().deliver(&post).await;
    let Ok(url) = Url::parse(&post.url) else { return "is no URL".to_owned() };
    let mut ours: Vec<String> = own_lines(&url, post.body.len()).into();
    ours.push(format!("{}: {}", SIGNATURE.0, SIGNATURE.1));
    arrives(&head(&fixture), &ours)
}

async fn receiver() -> Fixture {
    Fixture::set(Script::read(r#""HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n""#)).await
}

/// The bytes up to the first empty line.
fn head(fixture: &Fixture) -> Vec<u8> {
    let mut written = fixture.relay.written();
    let end = written.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    written.truncate(end.unwrap_or(written.len()));
    written
}

/// As receivers read it that take a line feed alone for an end as well.
fn lines(head: &[u8]) -> Vec<String> {
    let line = |line: &[u8]| String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
    head.split(|byte| *byte == b'\n').map(line).collect()
}

/// The lines of `head` that are not `ours`, in words.
fn arrives(head: &[u8], ours: &[String]) -> String {
    /// Longest text that is shown in full.
    const MAX_SHOWN_BYTES: usize = 200;
    let mut more = lines(head);
    more.retain(|line| !ours.contains(line));
    let bytes: usize = more.iter().map(String::len).sum();
    let is_double = more.iter().any(|line| ours.iter().any(|own| says_the_same(own, line)));
    let shown = || more.iter().map(|line| format!("\"{}\"", line.escape_debug()));
    match more.len() {
        0 => "nothing of it arrives".to_owned(),
        1 if bytes > MAX_SHOWN_BYTES => format!("a line of {bytes} bytes arrives"),
        count if bytes > MAX_SHOWN_BYTES => format!("{count} lines of {bytes} bytes in all arrive"),
        1 if is_double => format!("{} arrives besides our own", shown().collect::<String>()),
        1 => format!("{} arrives", shown().collect::<String>()),
        _ => format!("{} arrive", shown().collect::<Vec<_>>().join(" and ")),
    }
}

/// Whether both lines speak of the same: both have one name, or both say where the request ends.
fn says_the_same(one: &str, other: &str) -> bool {
    let name = |line: &str| line.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let is_length =
        |line: &str| ["content-length", "transfer-encoding"].contains(&name(line).as_str());
    name(one) == name(other) || is_length(one) && is_length(other)
}
