//! `webhook publish --ndjson`: many events, one a line, published as they are read.
//!
//! One thread reads, the other side publishes what is there, so that memory holds a few hundred
//! lines however long the file is, and a slow pipe is published as it trickles.

mod line;

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read},
    path::Path,
    thread,
};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::mpsc;
use webhook_registry::{NewEvent, TenantId, Webhooks, error::PublishError};

use self::line::{NoEvent, parse};
use crate::{
    error::{End, Error, print_error, text},
    output::Output,
    publish::published_view::PublishedView,
};

/// Lines published together.
const LINES_PER_BATCH: usize = 500;

/// What a line may hold besides the body.
const MAX_ENVELOPE_BYTES: usize = 4 * 1024;

/// Where lines come from.
pub(crate) struct Source {
    what: String,
    /// Bytes in all, where that is known.
    len: Option<u64>,
    from: Box<dyn Read + Send>,
}

impl Source {
    /// A file, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        if path.as_os_str() == "-" {
            let what = "standard input".to_owned();
            return Ok(Self { what, len: None, from: Box::new(io::stdin()) });
        }
        let what = path.display().to_string();
        let failed = |source| Error::Read { what: what.clone(), source };
        let file = File::open(path).map_err(failed)?;
        let len = file.metadata().ok().filter(|data| data.is_file()).map(|data| data.len());
        Ok(Self { what, len, from: Box::new(file) })
    }
}

/// One line, as it was read.
struct Line {
    number: usize,
    /// Bytes on the way, the end of the line included.
    len: u64,
    content: Result<Vec<u8>, BadLine>,
}

/// Why a line was not published.
#[derive(Debug, thiserror::Error)]
enum BadLine {
    #[error("longer than {0} bytes")]
    TooLong(usize),
    #[error(transparent)]
    NoEvent(#[from] NoEvent),
    #[error("cannot be read, and nothing after it")]
    Read(#[source] io::Error),
}

/// Publishes every line that is an event, and names those that are not.
pub(crate) async fn publish(
    output: Output,
    webhooks: &Webhooks,
    source: Source,
    tenant: &TenantId,
    max_body: usize,
) -> Result<End, Error> {
    let mut tally = Tally::new(output, source.len);
    let (send, mut lines) = mpsc::channel(LINES_PER_BATCH);
    let max_line = max_body.saturating_add(MAX_ENVELOPE_BYTES);
    thread::spawn(move || read_lines(source, max_line, &send));
    let mut batch = Vec::with_capacity(LINES_PER_BATCH);
    while lines.recv_many(&mut batch, LINES_PER_BATCH).await > 0 {
        let (numbers, events) = tally.take(&mut batch, tenant);
        let answers = webhooks.publish_many(events).await;
        for (number, answer) in numbers.into_iter().zip(answers) {
            tally.answer(number, answer)?;
        }
    }
    tally.end()
}

/// Reads lines until the end, or until nobody wants them any more.
fn read_lines(source: Source, max_line: usize, to: &mpsc::Sender<Line>) {
    let mut from = BufReader::new(source.from);
    for number in 1.. {
        let line = read_line(&mut from, max_line, number, &source.what);
        let Some(line) = line else { return };
        let is_last = matches!(line.content, Err(BadLine::Read(_)));
        if to.blocking_send(line).is_err() || is_last {
            return;
        }
    }
}

fn read_line(from: &mut impl BufRead, max: usize, number: usize, what: &str) -> Option<Line> {
    let mut content = Vec::new();
    let most = u64::try_from(max).unwrap_or(u64::MAX).saturating_add(1);
    let read = from.by_ref().take(most).read_until(b'\n', &mut content);
    let read = read.and_then(|len| {
        let cut = content.len() > max && content.last() != Some(&b'\n');
        let rest = if cut { from.skip_until(b'\n')? } else { 0 };
        Ok((len.saturating_add(rest), cut))
    });
    let (len, content) = match read {
        Ok((0, _)) => return None,
        Ok((len, true)) => (len, Err(BadLine::TooLong(max))),
        Ok((len, false)) => (len, Ok(content)),
        Err(error) => {
            let error = io::Error::new(error.kind(), format!("{what}: {error}"));
            (0, Err(BadLine::Read(error)))
        }
    };
    Some(Line { number, len: u64::try_from(len).unwrap_or(u64::MAX), content })
}

/// What became of the lines so far.
struct Tally {
    output: Output,
    bar: ProgressBar,
    published: usize,
    bad: usize,
}

impl Tally {
    fn new(output: Output, len: Option<u64>) -> Self {
        Self { output, bar: bar(len), published: 0, bad: 0 }
    }

    /// Reads the events of a batch; what is none is told.
    fn take(&mut self, batch: &mut Vec<Line>, tenant: &TenantId) -> (Vec<usize>, Vec<NewEvent>) {
        let (mut numbers, mut events) = (Vec::new(), Vec::new());
        for line in batch.drain(..) {
            self.bar.inc(line.len);
            match line.content.and_then(|content| Ok(parse(&content, tenant)?)) {
                Ok(Some(event)) => {
                    numbers.push(line.number);
                    events.push(event);
                }
                Ok(None) => {}
                Err(error) => self.reject(line.number, &error),
            }
        }
        (numbers, events)
    }

    /// Counts an answer. What is wrong with one event concerns that one; what is wrong with the
    /// store concerns all that follow.
    fn answer(
        &mut self,
        line: usize,
        answer: Result<webhook_registry::Published, PublishError>,
    ) -> Result<(), Error> {
        match answer {
            Ok(published) => {
                self.published += 1;
                if self.output.json {
                    self.output.show(&PublishedView::new(Some(line), published))?;
                }
                Ok(())
            }
            Err(error @ (PublishError::Invalid(_) | PublishError::Conflict { .. })) => {
                self.reject(line, &error);
                Ok(())
            }
            Err(source) => Err(Error::Stopped { line, source }),
        }
    }

    fn reject(&mut self, line: usize, error: &dyn std::error::Error) {
        self.bad += 1;
        self.bar.suspend(|| print_error(&format!("line {line}: {}", text(error))));
    }

    fn end(self) -> Result<End, Error> {
        self.bar.finish_and_clear();
        let plural = if self.published == 1 { "" } else { "s" };
        self.output.message(&format!("published {} event{plural}", self.published))?;
        if self.bad == 0 {
            return Ok(End::Done);
        }
        let lines = if self.bad == 1 { "1 line was" } else { &format!("{} lines were", self.bad) };
        print_error(&format!("{lines} not published; correct and publish what is missing"));
        Ok(End::Failed)
    }
}

/// A bar on a terminal, and nothing elsewhere.
fn bar(len: Option<u64>) -> ProgressBar {
    let Some(len) = len else { return ProgressBar::new_spinner() };
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {eta}");
    let bar = ProgressBar::new(len);
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(line: &str) -> Result<String, String> {
        match parse(line.as_bytes(), &TenantId::default()) {
            Ok(Some(event)) => Ok(String::from_utf8(event.body().to_vec()).unwrap()),
            Ok(None) => Ok(String::new()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn data_is_kept_as_it_is_spelled() {
        let line = r#" {"key":"k1","data":{"z": 1.00, "a":1e3, "u":"\u00fc"},"type":"a.b"} "#;
        assert_eq!(body(line).unwrap(), r#"{"z": 1.00, "a":1e3, "u":"\u00fc"}"#);
        assert_eq!(body(r#"{"type":"a","data":null}"#).unwrap(), "null");
        assert_eq!(body("  \r\n").unwrap(), "");
    }

    #[test]
    fn a_mistake_is_told_with_its_column() {
        let table = [
            (r#"{"type":"a"}"#, "missing field `data` at column 12"),
            (r#"{"type":"a","data":}"#, "expected value at column 20"),
            (r#"{"type":"a","data":1,"x":2}"#, "unknown field `x`, expected one of"),
            (r#"{"\u001b[2J\n":2}"#, "unknown field ` [2J `, expected one of"),
            (r#"{"type":"a..b","data":1}"#, "not a valid event type"),
            (r#"{"type":"a","data":1,"key":""}"#, "not a valid event key"),
        ];
        for (line, expected) in table {
            let error = body(line).unwrap_err();
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_whole() {
        let mut from = &b"123\n12345678\n12\n1234"[..];
        let mut next = || {
            let line = read_line(&mut from, 4, 1, "")?;
            Some((line.len, line.content.map_err(|error| error.to_string())))
        };
        assert_eq!(next(), Some((4, Ok(b"123\n".to_vec()))));
        assert_eq!(next(), Some((9, Err("longer than 4 bytes".to_owned()))));
        assert_eq!(next(), Some((3, Ok(b"12\n".to_vec()))));
        assert_eq!(next(), Some((4, Ok(b"1234".to_vec()))));
        assert_eq!(next(), None);
    }

    proptest! {
        #[test]
        fn any_line_is_an_event_of_its_own_bytes_or_a_mistake_that_can_be_shown(
            line in prop_oneof![
                any::<Vec<u8>>(),
                "[{}\\[\\]\",:a-z0-9. \\\\\u{e9}\u{1b}]{0,40}".prop_map(String::into_bytes),
                "[{]\"(\\\\u00[0-9][0-9a-f]|[a-z]{1,3}){0,60}\":1[}]".prop_map(String::into_bytes),
                ("[a-z.]{1,5}", "\"[ -~\u{e9}]{0,9}\"|[0-9.e+-]{1,9}|[{]\"a\": *1[}]", "[!-~]{0,3}")
                    .prop_map(|(name, data, key)| {
                        let line = format!(r#"{{"type":"{name}","data":{data},"key":"{key}"}}"#);
                        line.into_bytes()
                    }),
            ],
        ) {
            match parse(&line, &TenantId::default()) {
                Ok(Some(event)) => {
                    let body = event.body();
                    prop_assert!(line.windows(body.len()).any(|window| window == body));
                }
                Ok(None) => prop_assert!(!line.iter().any(u8::is_ascii_graphic)),
                Err(error) => {
                    let text = error.to_string();
                    let shown = !text.chars().any(char::is_control) && (1..400).contains(&text.len());
                    prop_assert!(shown, "{text:?}");
                }
            }
        }
    }
}
