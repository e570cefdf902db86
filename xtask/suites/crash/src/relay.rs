//! The network between a process and its database: a TCP relay that misbehaves on request.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use webhook_testkit::relay::{self, Fate, Rule};
use xtask_servers::ReservedPort;

/// What a network may do.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// Nothing: it passes everything.
    #[default]
    None,
    /// Some `COMMIT`s are carried out, and the connection ends before the answer.
    LoseReply,
    /// Some transactions end in their middle, with the connection.
    Cut,
    /// Nobody is there: whoever comes is turned away at once, and who is there when he speaks.
    Away,
    /// With the next `COMMIT`, all falls silent: before it has reached the server.
    SilenceBefore,
    /// The same, after it was carried out.
    SilenceAfter,
}

/// One in so many is hit.
const EACH: usize = 5;

/// A relay on 127.0.0.1. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Relay {
    port: ReservedPort,
    relay: relay::Relay,
    network: Arc<Network>,
}

#[derive(Debug, Default)]
struct Network {
    /// Connections made, and transactions begun on them.
    knocks: AtomicUsize,
    trouble: Mutex<Trouble>,
    chances: AtomicUsize,
    hits: AtomicUsize,
}

impl Relay {
    /// A relay to that port of this machine.
    pub(crate) async fn to(target: u16) -> io::Result<Self> {
        // The port is still free after a time in which it was closed.
        let port = ReservedPort::new()?;
        let network = Arc::new(Network::default());
        let rules = Arc::clone(&network);
        let local = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let rules = move || rules.rule();
        let relay = relay::Relay::at(local(port.number()), local(target), rules).await?;
        Ok(Self { port, relay, network })
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port.number()
    }

    /// From now on.
    pub(crate) fn make(&self, trouble: Trouble) {
        *self.network.trouble() = trouble;
    }

    /// How often something was done to somebody.
    pub(crate) fn hits(&self) -> usize {
        self.network.hits.load(Ordering::Relaxed)
    }

    /// How often anything was asked of the server.
    pub(crate) fn knocks(&self) -> usize {
        self.network.knocks.load(Ordering::Relaxed)
    }

    /// Refuses all connections from now on; those that stand are cut when they speak.
    pub(crate) async fn close(&mut self) {
        self.make(Trouble::Away);
        self.relay.close().await;
    }

    /// Takes connections again.
    pub(crate) async fn reopen(&mut self) -> io::Result<()> {
        self.make(Trouble::None);
        self.relay.reopen().await
    }

    /// Ends a silence: for new connections. The old ones stay as they are.
    pub(crate) fn speak(&self) {
        self.relay.speak();
    }
}

impl Network {
    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The rule of a new connection.
    fn rule(self: &Arc<Self>) -> Option<Rule> {
        self.knocks.fetch_add(1, Ordering::Relaxed);
        if *self.trouble() == Trouble::Away {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let (network, mut transaction) = (Arc::clone(self), Transaction::default());
        Some(Box::new(move |bytes: &[u8]| {
            let fate = network.fate(transaction.see(bytes));
            network.knocks.fetch_add(usize::from(transaction.begins), Ordering::Relaxed);
            fate
        }))
    }

    fn fate(&self, seen: Seen) -> Fate {
        let mut trouble = self.trouble();
        let fate = match (*trouble, seen) {
            (Trouble::LoseReply, Seen::Commit) if self.is_due() => Fate::LoseReply,
            (Trouble::Cut, Seen::Middle) if self.is_due() => Fate::Cut,
            (Trouble::Away, _) => Fate::Cut,
            (Trouble::SilenceBefore, Seen::Commit) => Fate::SilenceBefore,
            (Trouble::SilenceAfter, Seen::Commit) => Fate::SilenceAfter,
            _ => Fate::Pass,
        };
        if matches!(fate, Fate::SilenceBefore | Fate::SilenceAfter) {
            *trouble = Trouble::None;
        }
        if fate != Fate::Pass {
            self.hits.fetch_add(1, Ordering::Relaxed);
        }
        fate
    }

    fn is_due(&self) -> bool {
        self.chances.fetch_add(1, Ordering::Relaxed) % EACH == EACH - 1
    }
}

/// How far a connection is in its transaction.
#[derive(Debug, Default)]
struct Transaction {
    messages: usize,
    /// Whether the last message was its first.
    begins: bool,
}

/// What a message to the server is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Seen {
    Commit,
    /// The second one of a transaction.
    Middle,
    Other,
}

impl Transaction {
    /// Both protocols say these two words in plain text.
    fn see(&mut self, bytes: &[u8]) -> Seen {
        let says = |word: &[u8]| bytes.windows(word.len()).any(|part| part == word);
        self.begins = says(b"BEGIN");
        if says(b"COMMIT") {
            self.messages = 0;
            return Seen::Commit;
        }
        if self.begins || self.messages > 0 {
            self.messages += 1;
        }
        if self.messages == 3 { Seen::Middle } else { Seen::Other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_a_transaction_is_neither_its_beginning_nor_its_end() {
        let mut transaction = Transaction::default();
        let seen: Vec<_> =
            ["SELECT", "Q\0\0BEGIN\0", "SELECT", "UPDATE", "UPDATE", "COMMIT", "SELECT"]
                .iter()
                .map(|text| transaction.see(text.as_bytes()))
                .collect();
        let other = Seen::Other;
        assert_eq!(seen, [other, other, other, Seen::Middle, other, Seen::Commit, other]);
    }

    #[test]
    fn one_commit_in_so_many_gets_no_answer() {
        let network = Arc::new(Network::default());
        *network.trouble() = Trouble::LoseReply;
        let fates: Vec<_> = (0..EACH).map(|_| network.rule().unwrap()(b"COMMIT")).collect();
        assert_eq!(fates, [Fate::Pass, Fate::Pass, Fate::Pass, Fate::Pass, Fate::LoseReply]);
        assert_eq!(network.hits.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn who_comes_while_the_database_is_away_is_turned_away() {
        let network = Arc::new(Network::default());
        let mut early = network.rule().unwrap();
        *network.trouble() = Trouble::Away;
        assert!(network.rule().is_none());
        assert_eq!(early(b"SELECT"), Fate::Cut);
        assert_eq!(network.hits.load(Ordering::Relaxed), 2);
    }
}
