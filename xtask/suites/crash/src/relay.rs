//! The network between a process and its database: a TCP relay that behaves badly when told to.

use std::{
    future::pending,
    io,
    net::Ipv4Addr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use xtask_servers::ReservedPort;

/// What a network may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// Nothing: it hands everything on.
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
    network: Arc<Network>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct Network {
    /// Connections made, and transactions begun on them.
    knocks: AtomicUsize,
    target: u16,
    trouble: Mutex<Trouble>,
    chances: AtomicUsize,
    hits: AtomicUsize,
    silent: watch::Sender<bool>,
}

impl Relay {
    /// A relay to that port of this machine.
    pub(crate) async fn to(target: u16) -> io::Result<Self> {
        // One that is still free after a time in which it was closed.
        let port = ReservedPort::new()?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number())).await?;
        let network = Arc::new(Network {
            knocks: AtomicUsize::default(),
            target,
            trouble: Mutex::new(Trouble::None),
            chances: AtomicUsize::default(),
            hits: AtomicUsize::default(),
            silent: watch::Sender::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&network)));
        Ok(Self { port, network, accepting })
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
    pub(crate) fn close(&self) {
        self.make(Trouble::Away);
        self.accepting.abort();
    }

    /// Takes connections again.
    pub(crate) async fn reopen(&mut self) -> io::Result<()> {
        self.make(Trouble::None);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port())).await?;
        self.accepting = tokio::spawn(accept(listener, Arc::clone(&self.network)));
        Ok(())
    }

    /// Ends a silence: for new connections. The old ones stay as they are.
    pub(crate) fn speak(&self) {
        self.network.silent.send_replace(false);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, network: Arc<Network>) {
    while let Ok((client, _)) = listener.accept().await {
        network.knocks.fetch_add(1, Ordering::Relaxed);
        let network = Arc::clone(&network);
        // An error ends this connection, on both sides.
        tokio::spawn(async move { network.relay(client).await });
    }
}

/// What to do with a message on its way to the server.
#[derive(Debug, Eq, PartialEq)]
enum Fate {
    Pass,
    /// Hand it on, wait until it was carried out, end the connection.
    LoseReply,
    Cut,
    SilenceBefore,
    SilenceAfter,
}

impl Network {
    fn trouble(&self) -> MutexGuard<'_, Trouble> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn relay(&self, mut client: TcpStream) -> io::Result<()> {
        let mut silence = self.silent.subscribe();
        if *self.trouble() == Trouble::Away {
            self.hits.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        // Who knocks during a silence is heard after it.
        turns(&mut silence, false).await;
        let mut server = TcpStream::connect(("127.0.0.1", self.target)).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let (mut from_client, mut from_server) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
        let mut transaction = Transaction::default();
        loop {
            tokio::select! {
                biased;
                () = turns(&mut silence, true) => return pending().await,
                read = server.read(&mut from_server) => {
                    let Some(bytes) = some(&from_server, read?) else { return Ok(()) };
                    client.write_all(bytes).await?;
                }
                read = client.read(&mut from_client) => {
                    let Some(bytes) = some(&from_client, read?) else { return Ok(()) };
                    let fate = self.fate(transaction.see(bytes));
                    self.knocks.fetch_add(usize::from(transaction.begins), Ordering::Relaxed);
                    match fate {
                        Fate::Cut => return Ok(()),
                        Fate::SilenceBefore => drop(self.silent.send_replace(true)),
                        Fate::Pass => server.write_all(bytes).await?,
                        Fate::LoseReply | Fate::SilenceAfter => {
                            server.write_all(bytes).await?;
                            let read = server.read(&mut from_server).await?;
                            if fate == Fate::LoseReply || read == 0 {
                                return Ok(());
                            }
                            self.silent.send_replace(true);
                        }
                    }
                }
            }
        }
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

/// Waits until the network is silent, or no longer.
async fn turns(silence: &mut watch::Receiver<bool>, silent: bool) {
    // It ends when the relay does, and this with it.
    let _ = silence.wait_for(|now| *now == silent).await;
}

fn some(buffer: &[u8], read: usize) -> Option<&[u8]> {
    buffer.get(..read).filter(|bytes| !bytes.is_empty())
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

    /// A server that answers each message with its own length.
    async fn server() -> (u16, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut bytes = [0; 100];
                    while let Ok(read @ 1..) = stream.read(&mut bytes).await {
                        stream.write_all(read.to_string().as_bytes()).await.unwrap();
                    }
                });
            }
        });
        (port, serving)
    }

    async fn ask(stream: &mut TcpStream, text: &str) -> String {
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut bytes = [0; 100];
        let read = stream.read(&mut bytes).await.unwrap_or_default();
        String::from_utf8_lossy(&bytes[..read]).into_owned()
    }

    #[tokio::test]
    async fn one_commit_in_so_many_gets_no_answer() {
        let (port, _serving) = server().await;
        let relay = Relay::to(port).await.unwrap();
        relay.make(Trouble::LoseReply);
        let mut answers = Vec::new();
        for _ in 0..EACH {
            let mut stream = TcpStream::connect(("127.0.0.1", relay.port())).await.unwrap();
            answers.push(ask(&mut stream, "COMMIT").await);
        }
        assert_eq!(answers, ["6", "6", "6", "6", ""]);
        assert_eq!(relay.hits(), 1);
    }

    #[tokio::test]
    async fn a_silence_ends_for_those_who_come_anew() {
        let (port, _serving) = server().await;
        let relay = Relay::to(port).await.unwrap();
        let mut old = TcpStream::connect(("127.0.0.1", relay.port())).await.unwrap();
        assert_eq!(ask(&mut old, "one").await, "3");
        relay.make(Trouble::SilenceAfter);
        old.write_all(b"COMMIT").await.unwrap();
        let mut silent = relay.network.silent.subscribe();
        silent.wait_for(|silent| *silent).await.unwrap();
        relay.speak();
        let mut new = TcpStream::connect(("127.0.0.1", relay.port())).await.unwrap();
        assert_eq!(ask(&mut new, "COMMIT").await, "6");
        let again = tokio::time::timeout(std::time::Duration::from_millis(50), ask(&mut old, "x"));
        assert!(again.await.is_err(), "the old one stays silent");
    }
}
