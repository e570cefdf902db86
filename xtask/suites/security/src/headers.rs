//! D: Headers, types and ids.
//!
//! The types of the core refuse them, so that no value exists which could be sent.

use http::{HeaderMap, HeaderName, HeaderValue};
use webhook_core::{
    ContentType, CustomHeaders, EventId, EventType, TenantId, transport::Transport,
};

use crate::{
    fixture::{Fixture, transport},
    ids::Id,
    literal,
    script::{Script, quoted},
};

/// Names and values.
type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

pub(crate) async fn play(id: Id, input: &str) -> String {
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
    guarded
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
    (fixture, "sent".to_owned())
}

/// Some headers decide where a request ends, or whose it is. Handed to our transport, they change nothing.
async fn past_the_door(pairs: &Pairs) -> String {
    let (fixture, _) = send(map(pairs)).await;
    let requests = fixture.receiver.requests();
    let head = requests.first().map(|request| String::from_utf8_lossy(&request.head));
    let head = head.unwrap_or_default().to_ascii_lowercase();
    let names = ["host:", "content-length:", "transfer-encoding:"];
    let is_framing = |line: &&str| names.iter().any(|name| line.starts_with(name));
    // Some receivers take a line feed alone for the end of a line.
    let mut framing: Vec<&str> = head.split(['\r', '\n']).filter(is_framing).collect();
    framing.sort_unstable();
    let body = fixture.script.body.len();
    if framing == [format!("content-length: {body}"), format!("host: {}", fixture.relay.addr())] {
        return "; past the door, our host and our length arrive alone".to_owned();
    }
    format!("; past the door, {framing:?} arrive")
}

async fn receiver() -> Fixture {
    Fixture::set(Script::read(r#""HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n""#)).await
}
