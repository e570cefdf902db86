//! A network between two programs.

use std::{
    fmt,
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// Fate of bytes on their way to the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fate {
    /// The server receives them.
    Pass,
    /// The connection ends before the server receives them.
    Cut,
    /// The server receives them, and the connection ends before its response passes.
    LoseReply,
    /// The relay falls silent before the server receives them.
    SilenceBefore,
    /// The server receives them, and the relay falls silent before its response passes.
    SilenceAfter,
}

/// Rule of one connection: the fate of each piece that a client sends.
pub type Rule = Box<dyn FnMut(&[u8]) -> Fate + Send>;

/// Returns the rule of a new connection, or `None` if the relay refuses it.
type Rules = Box<dyn Fn() -> Option<Rule> + Send + Sync>;

/// A TCP relay on `127.0.0.1`. A connection that ends or is reset on one side ends the same way on
/// the other. Dropping the relay closes its port and all connections.
pub struct Relay {
    addr: SocketAddr,
    wire: Arc<Wire>,
    accepting: JoinHandle<()>,
}

struct Wire {
    server: SocketAddr,
    rules: Rules,
    silence: watch::Sender<Silence>,
    carried: AtomicUsize,
    connections: Mutex<JoinSet<io::Result<()>>>,
}

#[derive(Clone, Copy, Default)]
struct Silence {
    /// Number of silences so far. Connections of an earlier number carry nothing.
    begun: usize,
    lasts: bool,
}

impl Relay {
    /// Creates a relay that passes everything to `server`.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub async fn to(server: SocketAddr) -> io::Result<Self> {
        Self::with(server, || Some(Box::new(|_: &[u8]| Fate::Pass))).await
    }

    /// Creates a relay to `server` with a rule for each connection. Refused connections are closed
    /// after they were accepted.
    ///
    /// # Errors
    ///
    /// If no port is free.
    pub async fn with(
        server: SocketAddr,
        rules: impl Fn() -> Option<Rule> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), server, rules).await
    }

    /// Creates a relay at this address, as [`with`](Self::with) does at any free port.
    ///
    /// # Errors
    ///
    /// If the address is taken.
    pub async fn at(
        addr: SocketAddr,
        server: SocketAddr,
        rules: impl Fn() -> Option<Rule> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = listen(addr)?;
        let addr = listener.local_addr()?;
        let wire = Arc::new(Wire {
            server,
            rules: Box::new(rules),
            silence: watch::Sender::default(),
            carried: AtomicUsize::default(),
            connections: Mutex::default(),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&wire)));
        Ok(Self { addr, wire, accepting })
    }

    /// Address of the relay.
    pub const fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Number of bytes that clients have received.
    pub fn carried(&self) -> usize {
        self.wire.carried.load(SeqCst)
    }

    /// Stops carrying bytes on the connections made so far, without an end. New ones wait.
    pub fn silence(&self) {
        self.wire.silence();
    }

    /// Ends a silence for new connections.
    pub fn speak(&self) {
        self.wire.silence.send_modify(|silence| silence.lasts = false);
    }

    /// Refuses new connections from now on. The others stay open.
    pub async fn close(&mut self) {
        self.accepting.abort();
        // The port is free once the task has ended.
        let _ = (&mut self.accepting).await;
    }

    /// Accepts connections again, at the same port.
    ///
    /// # Errors
    ///
    /// If another program has taken the port.
    pub async fn reopen(&mut self) -> io::Result<()> {
        self.accepting = tokio::spawn(accept(listen(self.addr)?, Arc::clone(&self.wire)));
        Ok(())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
        self.wire.connections().abort_all();
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("addr", &self.addr).finish_non_exhaustive()
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    /// Bytes that the system buffers for a client. Few, so that `carried` counts little that a
    /// client never reads.
    const SEND_BUFFER: u32 = 64 * 1024;
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(addr)?;
    socket.listen(128)
}

async fn accept(listener: TcpListener, wire: Arc<Wire>) {
    while let Ok((client, _)) = listener.accept().await {
        let Some(rule) = (wire.rules)() else { continue };
        let carrier = Arc::clone(&wire);
        let mut connections = wire.connections();
        connections.spawn(async move { carrier.connect(client, rule).await });
        while connections.try_join_next().is_some() {}
    }
}

impl Wire {
    fn connections(&self) -> MutexGuard<'_, JoinSet<io::Result<()>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn silence(&self) {
        self.silence.send_modify(|silence| {
            *silence = Silence { begun: silence.begun + 1, lasts: true };
        });
    }

    async fn connect(&self, mut client: TcpStream, rule: Rule) -> io::Result<()> {
        let mut silence = self.silence.subscribe();
        let begun = reached(&mut silence, |silence| !silence.lasts).await;
        let mut server = TcpStream::connect(self.server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        let ended = tokio::select! {
            biased;
            _ = reached(&mut silence, |silence| silence.begun > begun) => pending().await,
            ended = self.carry(&mut client, &mut server, rule) => ended,
        };
        if ended.is_err() {
            for stream in [&client, &server] {
                let _ = stream.set_zero_linger();
            }
        }
        Ok(())
    }

    /// Carries bytes in both directions until either side ends.
    async fn carry(
        &self,
        client: &mut TcpStream,
        server: &mut TcpStream,
        mut rule: Rule,
    ) -> io::Result<()> {
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.split(), server.split());
        let (loses_reply, hushes_reply) = (AtomicBool::new(false), AtomicBool::new(false));
        let down = async {
            let mut buffer = vec![0; 64 * 1024];
            while let Some(bytes) = some(from_server.read(&mut buffer).await?, &buffer) {
                if loses_reply.load(SeqCst) {
                    break;
                }
                if hushes_reply.load(SeqCst) {
                    self.silence();
                    pending::<()>().await;
                }
                to_client.write_all(bytes).await?;
                self.carried.fetch_add(bytes.len(), SeqCst);
            }
            Ok(())
        };
        let up = async {
            let mut buffer = vec![0; 64 * 1024];
            while let Some(bytes) = some(from_client.read(&mut buffer).await?, &buffer) {
                match rule(bytes) {
                    Fate::Pass => {}
                    Fate::Cut => break,
                    Fate::LoseReply => loses_reply.store(true, SeqCst),
                    Fate::SilenceAfter => hushes_reply.store(true, SeqCst),
                    Fate::SilenceBefore => {
                        self.silence();
                        pending::<()>().await;
                    }
                }
                to_server.write_all(bytes).await?;
            }
            Ok(())
        };
        tokio::select! {
            biased;
            ended = down => ended,
            ended = up => ended,
        }
    }
}

/// Waits for a state of the silence, and returns its number.
async fn reached(
    silence: &mut watch::Receiver<Silence>,
    state: impl FnMut(&Silence) -> bool,
) -> usize {
    match silence.wait_for(state).await {
        Ok(silence) => silence.begun,
        // The sender is part of the relay, which ends this connection first.
        Err(_) => usize::MAX,
    }
}

/// The bytes that were read, or `None` at the end of a stream.
fn some(read: usize, buffer: &[u8]) -> Option<&[u8]> {
    buffer.get(..read).filter(|bytes| !bytes.is_empty())
}
