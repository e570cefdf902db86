//! SIGTERM and SIGINT: the first asks for a graceful end, the second ends at once.

use std::{future::Future, process};

use tokio::sync::oneshot;

use crate::error::{Error, complain};

/// What a process that was stopped by SIGINT answers, to a shell.
const INTERRUPTED: i32 = 130;

/// Completes when somebody asks for the end.
pub(crate) fn shutdown() -> Result<impl Future<Output = ()>, Error> {
    let mut signals = Signals::new()?;
    let (ask, asked) = oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        // Whoever waited may have come to an end by itself.
        let _ = ask.send(());
        complain("ending, as soon as what is under way is done; again to end at once");
        signals.next().await;
        process::exit(INTERRUPTED);
    });
    Ok(async move {
        if asked.await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}

#[cfg(unix)]
struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> Result<Self, Error> {
        use tokio::signal::unix::{SignalKind, signal};
        let listen = |kind| signal(kind).map_err(Error::Signals);
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> Result<Self, Error> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
