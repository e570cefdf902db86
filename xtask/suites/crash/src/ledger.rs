//! What a process knows for sure: one line for each fact, on the disk before it goes on.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::Path,
    process,
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

use tokio::sync::oneshot;

/// A fact that a process writes down.
pub(crate) mod word {
    /// The publisher is about to hand an event over.
    pub(crate) const TRYING: &str = "trying";
    /// The publisher was told that the event is stored.
    pub(crate) const ACCEPTED: &str = "accepted";
    /// The receiver has read the whole request of an event, from this process.
    pub(crate) const RECEIVED: &str = "received";
    /// A crash point was reached; the process ends here.
    pub(crate) const HIT: &str = "hit";
    /// The harness is about to kill this process.
    pub(crate) const KILL: &str = "kill";
    /// A worker has ended as it should, and this is its report.
    pub(crate) const REPORT: &str = "report";
}

/// An append-only file.
#[derive(Debug)]
pub(crate) struct Ledger(Mutex<File>);

/// A fact, and when it was written down, in milliseconds of Unix time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Line {
    pub(crate) at: u64,
    pub(crate) word: String,
    pub(crate) subject: String,
}

impl Ledger {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(Mutex::new(File::options().create(true).append(true).open(path)?)))
    }

    /// Writes facts down and flushes them.
    pub(crate) fn note_all<'a>(
        &self,
        facts: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> io::Result<()> {
        let at = now();
        let lines: String =
            facts.into_iter().map(|(word, subject)| format!("{at} {word} {subject}\n")).collect();
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(lines.as_bytes())?;
        file.sync_data()
    }

    pub(crate) fn note(&self, word: &str, subject: &str) -> io::Result<()> {
        self.note_all([(word, subject)])
    }
}

/// All whole lines of a ledger. Of the last one a killed process may have written a part.
pub(crate) fn read(path: &Path) -> io::Result<Vec<Line>> {
    Ok(parse(&fs::read_to_string(path)?))
}

fn parse(text: &str) -> Vec<Line> {
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let line = |line: &str| {
        let (at, rest) = line.split_once(' ')?;
        let (word, subject) = rest.split_once(' ')?;
        Some(Line { at: at.parse().ok()?, word: word.into(), subject: subject.into() })
    };
    whole.lines().filter_map(line).collect()
}

pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// Writes for many tasks: what comes while one flush runs shares the next one.
#[derive(Clone, Debug)]
pub(crate) struct Scribe(mpsc::Sender<Fact>);

struct Fact {
    word: &'static str,
    subject: String,
    done: oneshot::Sender<()>,
}

impl Scribe {
    pub(crate) fn new(ledger: Ledger) -> Self {
        let (sender, facts) = mpsc::channel::<Fact>();
        thread::spawn(move || {
            while let Ok(first) = facts.recv() {
                let batch: Vec<_> = std::iter::once(first).chain(facts.try_iter()).collect();
                let lines = batch.iter().map(|fact| (fact.word, fact.subject.as_str()));
                if let Err(error) = ledger.note_all(lines) {
                    // Without its ledger a process proves nothing.
                    eprintln!("crash: the ledger cannot be written: {error}");
                    process::exit(3);
                }
                for fact in batch {
                    let _ = fact.done.send(());
                }
            }
        });
        Self(sender)
    }

    /// Returns when it is on the disk.
    pub(crate) async fn note(&self, word: &'static str, subject: &str) {
        let (done, wait) = oneshot::channel();
        let _ = self.0.send(Fact { word, subject: subject.to_owned(), done });
        let _ = wait.await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_read_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger");
        let ledger = Ledger::open(&path).unwrap();
        ledger.note(word::ACCEPTED, "one").unwrap();
        ledger.note(word::HIT, "K3 two").unwrap();
        File::options().append(true).open(&path).unwrap().write_all(b"17 accepted thr").unwrap();
        let read = read(&path).unwrap();
        let read: Vec<_> = read.iter().map(|line| (&*line.word, &*line.subject)).collect();
        assert_eq!(read, [("accepted", "one"), ("hit", "K3 two")]);
        assert_eq!(parse(""), []);
    }
}
