//! What a receiver does, as the table spells it.
//!
//! `"bytes" then close`: once the request is there, it writes those bytes and closes the connection.
//! Instead of `close` it may `reset` it, do `nothing` more, or say `soon "more"`, unasked. Bytes may come
//! `for ever`, `each second`, or `a byte a second`. What does not end goes on with the next request.
//!
//! What is special stands before, as in `https, unasked: nothing`: the receiver does it `unasked`, as soon
//! as somebody has connected; once the head is there, with the body `unread`; the request has `32 MB`; the
//! URL is `https`; nobody takes the connection, as the receiver is `unreachable`.

use std::time::Duration;

use bytes::Bytes;
use webhook_testkit::Reply;

use crate::literal;

/// As slow as one can be without being silent.
const SLOW: Duration = Duration::from_secs(1);

/// Delay of bytes that follow a response, before the next request.
const NEXT_BYTES_DELAY: Duration = Duration::from_millis(20);

/// More than the buffers of all sockets on the way hold.
const LARGE: usize = 32 * 1024 * 1024;

pub(crate) struct Script {
    pub(crate) reply: Reply,
    pub(crate) is_unreachable: bool,
    pub(crate) is_https: bool,
    /// The body of the request.
    pub(crate) body: Bytes,
}

/// One thing after the other.
enum Deed {
    Say(Vec<u8>),
    SaySoon(Vec<u8>),
    SayForEver(Vec<u8>),
    SayEachSecond(Vec<u8>),
    Drip(Vec<u8>),
    Nothing,
    Close,
    Reset,
}

type How = fn(Vec<u8>) -> Deed;

impl Script {
    /// # Panics
    ///
    /// When it is spelled wrong: then the table is.
    pub(crate) fn read(spelled: &str) -> Self {
        let before = spelled.split('"').next().unwrap_or_default();
        let (words, what) = match before.split_once(": ") {
            Some((words, _)) => (words, &spelled[words.len() + 2..]),
            None => ("", spelled),
        };
        let mut script = Self {
            reply: reply(deeds(what)),
            is_unreachable: false,
            is_https: false,
            body: Bytes::from_static(b"{}"),
        };
        for word in words.split(", ").filter(|word| !word.is_empty()) {
            script = script.with(word);
        }
        script
    }

    fn with(mut self, word: &str) -> Self {
        match word {
            "unasked" => self.reply = self.reply.unasked(),
            "unread" => self.reply = self.reply.after_head(),
            "32 MB" => self.body = vec![b'x'; LARGE].into(),
            "https" => self.is_https = true,
            "unreachable" => self.is_unreachable = true,
            _ => panic!("`{word}` says nothing about a receiver"),
        }
        self
    }
}

fn reply(deeds: Vec<Deed>) -> Reply {
    let mut deeds = deeds.into_iter();
    match (deeds.next(), deeds.next()) {
        (Some(Deed::Say(first)), Some(Deed::SayForEver(again))) => Reply::endless(first, again),
        (Some(Deed::Say(first)), Some(Deed::SayEachSecond(again))) => {
            Reply::endless_drip(first, again, SLOW)
        }
        (Some(Deed::Say(first)), next) => {
            next.into_iter().chain(deeds).fold(Reply::bytes(first), and_then)
        }
        (Some(Deed::SayForEver(again)), None) => Reply::endless("", again),
        (Some(Deed::Drip(bytes)), None) => Reply::drip(bytes, SLOW),
        (Some(Deed::Nothing), None) => Reply::never(),
        (Some(Deed::Close), None) => Reply::close(),
        (Some(Deed::Reset), None) => Reply::reset(),
        _ => panic!("no receiver does these one after the other"),
    }
}

fn and_then(reply: Reply, deed: Deed) -> Reply {
    match deed {
        Deed::SaySoon(bytes) => reply.then_say(NEXT_BYTES_DELAY, bytes),
        Deed::Nothing => reply.then_hang(),
        Deed::Close => reply.then_close(),
        Deed::Reset => reply.then_reset(),
        _ => panic!("no receiver does this after something else"),
    }
}

fn deeds(spelled: &str) -> Vec<Deed> {
    let (mut deeds, mut rest) = (Vec::new(), Some(spelled));
    while let Some(text) = rest {
        let (deed, after) = deed(text);
        deeds.push(deed);
        rest = after.strip_prefix(" then ");
        assert!(rest.is_some() || after.is_empty(), "`{after}` is nothing that a receiver does");
    }
    deeds
}

/// The first deed of `text`, and what stands after it.
fn deed(text: &str) -> (Deed, &str) {
    for (word, deed) in [("nothing", Deed::Nothing), ("close", Deed::Close), ("reset", Deed::Reset)]
    {
        if let Some(after) = text.strip_prefix(word) {
            return (deed, after);
        }
    }
    if let Some(text) = text.strip_prefix("soon ") {
        let (bytes, after) = quoted(text);
        return (Deed::SaySoon(bytes), after);
    }
    let (bytes, after) = quoted(text);
    let ways: [(&str, How); 4] = [
        (" for ever", Deed::SayForEver),
        (" each second", Deed::SayEachSecond),
        (" a byte a second", Deed::Drip),
        ("", Deed::Say),
    ];
    let way = ways.into_iter().find_map(|(how, deed)| Some((deed, after.strip_prefix(how)?)));
    let (deed, after) = way.expect("the last way is any");
    (deed(bytes), after)
}

/// The bytes between two quotation marks, and what stands after them.
pub(crate) fn quoted(text: &str) -> (Vec<u8>, &str) {
    let inside = text.strip_prefix('"').expect("bytes stand between quotation marks");
    let mut is_escaped = false;
    let end = inside.find(|c| {
        let is_end = c == '"' && !is_escaped;
        is_escaped = c == '\\' && !is_escaped;
        is_end
    });
    let (inside, after) = inside.split_at(end.expect("bytes end with a quotation mark"));
    (literal::bytes(inside), &after[1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome_text(spelled: &str) -> String {
        format!("{:?}", Script::read(spelled).reply)
    }

    #[test]
    fn what_is_spelled_is_done() {
        for (spelled, reply) in [
            (r#""a\"b: \r\n" then close"#, Reply::bytes("a\"b: \r\n").then_close()),
            (r#""a" then "bc" for ever"#, Reply::endless("a", "bc")),
            (r#""a" then "b" each second"#, Reply::endless_drip("a", "b", SLOW)),
            (r#"unasked: "{ab*2}" a byte a second"#, Reply::drip("abab", SLOW).unasked()),
            (r#""a" then soon "b""#, Reply::bytes("a").then_say(NEXT_BYTES_DELAY, "b")),
            ("32 MB, unread: reset", Reply::reset().after_head()),
        ] {
            assert_eq!(outcome_text(spelled), format!("{reply:?}"), "{spelled}");
        }
        let script = Script::read("https, unasked: nothing");
        assert!(script.is_https && !script.is_unreachable);
        assert_eq!(Script::read("32 MB: nothing").body.len(), LARGE);
    }
}
