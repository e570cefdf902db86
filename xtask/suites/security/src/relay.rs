//! Passes bytes on, and counts them: what a sender does is seen from outside.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::{JoinHandle, JoinSet},
};

/// What the system keeps of what the sender has not read yet; small, so that little is counted that
/// never arrives.
const SEND_BUFFER: u32 = 64 * 1024;

/// As much of the requests is kept.
const MAX_WRITTEN: usize = 256 * 1024;

/// Stands before a receiver. A connection that ends on one side ends on the other, and in the same way.
pub(crate) struct Relay {
    pub(crate) addr: SocketAddr,
    passed: Arc<Passed>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Passed {
    /// Bytes that the sender was given.
    given: AtomicUsize,
    /// What the sender has written, on all its connections.
    written: Mutex<Vec<u8>>,
}

impl Relay {
    pub(crate) async fn to(receiver: SocketAddr) -> Self {
        let listener = listen().expect("a free port");
        let addr = listener.local_addr().expect("a bound socket has an address");
        let passed = Arc::new(Passed::default());
        let accepting = tokio::spawn(accept(listener, receiver, Arc::clone(&passed)));
        Self { addr, passed, accepting }
    }

    /// How many bytes the sender was given.
    pub(crate) fn given(&self) -> usize {
        self.passed.given.load(Relaxed)
    }

    /// What the sender has written.
    pub(crate) fn written(&self) -> Vec<u8> {
        self.passed.written.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Passed {
    fn see_written(&self, bytes: &[u8]) {
        let mut written = self.written.lock().expect("nobody panics with it");
        let room = MAX_WRITTEN.saturating_sub(written.len()).min(bytes.len());
        written.extend_from_slice(&bytes[..room]);
    }
}

fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_send_buffer_size(SEND_BUFFER)?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.listen(128)
}

async fn accept(listener: TcpListener, receiver: SocketAddr, passed: Arc<Passed>) {
    let mut connections = JoinSet::new();
    while let Ok((sender, _)) = listener.accept().await {
        let passed = Arc::clone(&passed);
        connections.spawn(async move { relay(sender, receiver, &passed).await });
        while connections.try_join_next().is_some() {}
    }
}

async fn relay(mut sender: TcpStream, receiver: SocketAddr, passed: &Passed) {
    let Ok(mut receiver) = TcpStream::connect(receiver).await else { return };
    let (from_sender, to_sender) = sender.split();
    let (from_receiver, to_receiver) = receiver.split();
    let given = |bytes: &[u8]| {
        passed.given.fetch_add(bytes.len(), Relaxed);
    };
    let ended = tokio::select! {
        ended = pass(from_receiver, to_sender, given) => ended,
        ended = pass(from_sender, to_receiver, |bytes| passed.see_written(bytes)) => ended,
    };
    if ended.is_err() {
        // It was reset, and so it is for the other side.
        for stream in [&sender, &receiver] {
            let _ = stream.set_zero_linger();
        }
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    see: impl Fn(&[u8]),
) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        if read == 0 {
            return Ok(());
        }
        to.write_all(&buffer[..read]).await?;
        see(&buffer[..read]);
    }
}
