//! Listeners to whom nobody may come.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

/// A listener at one port of each loopback address there is: it counts who comes, and says nothing.
pub(crate) struct Canary {
    port: u16,
    came: Arc<AtomicUsize>,
    listening: Vec<JoinHandle<()>>,
}

impl Canary {
    /// At 127.0.0.1, and at ::1 where the machine has it.
    pub(crate) async fn everywhere() -> Self {
        let mut canary = Self::at([127, 0, 0, 1].into()).await;
        if let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, canary.port)).await {
            canary.listen(listener);
        }
        canary
    }

    /// At this address of loopback alone.
    pub(crate) async fn at(address: Ipv4Addr) -> Self {
        let listener = TcpListener::bind((IpAddr::V4(address), 0)).await.expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let mut canary = Self { port, came: Arc::default(), listening: Vec::new() };
        canary.listen(listener);
        canary
    }

    fn listen(&mut self, listener: TcpListener) {
        let came = Arc::clone(&self.came);
        self.listening.push(tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                came.fetch_add(1, Relaxed);
            }
        }));
    }

    /// Whether it listens at ::1 as well.
    pub(crate) const fn has_v6(&self) -> bool {
        self.listening.len() > 1
    }

    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Whether anybody has come, a moment after it was asked.
    pub(crate) async fn is_reached(&self) -> bool {
        sleep(Duration::from_millis(5)).await;
        self.came.load(Relaxed) > 0
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        self.listening.iter().for_each(JoinHandle::abort);
    }
}
