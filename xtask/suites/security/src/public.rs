//! A receiver where anybody may come, and a canary at the same port of an address where nobody may.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::canary::Canary;

pub(crate) struct Public {
    pub(crate) canary: Canary,
    closes: Arc<AtomicBool>,
    serving: JoinHandle<()>,
}

impl Public {
    /// At 127.0.0.2; the canary is at 127.0.0.1.
    pub(crate) async fn beside_a_canary() -> Self {
        let (canary, listener) = loop {
            let canary = Canary::everywhere().await;
            if let Ok(listener) = TcpListener::bind(("127.0.0.2", canary.port())).await {
                break (canary, listener);
            }
        };
        let closes = Arc::new(AtomicBool::new(false));
        let serving = tokio::spawn(serve(listener, Arc::clone(&closes)));
        Self { canary, closes, serving }
    }

    /// Closes each connection after its answer.
    pub(crate) fn closing(self) -> Self {
        self.closes.store(true, Relaxed);
        self
    }

    pub(crate) fn port(&self) -> u16 {
        self.canary.port()
    }
}

impl Drop for Public {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, closes: Arc<AtomicBool>) {
    while let Ok((stream, _)) = listener.accept().await {
        let closes = Arc::clone(&closes);
        tokio::spawn(async move { answer(stream, &closes).await });
    }
}

/// Answers whatever ends with the body of `{}`.
async fn answer(mut stream: TcpStream, closes: &AtomicBool) -> Option<()> {
    let mut request = Vec::new();
    loop {
        let mut buffer = [0; 2048];
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        if !request.ends_with(b"{}") {
            continue;
        }
        request.clear();
        let close = closes.load(Relaxed);
        let last = if close { "connection: close\r\n" } else { "" };
        let head = format!("HTTP/1.1 200 OK\r\n{last}content-length: 0\r\n\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        if close {
            return None;
        }
    }
}
