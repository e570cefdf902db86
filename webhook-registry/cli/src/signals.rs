//! SIGTERM and SIGINT: the first one starts a graceful shutdown, the second one exits immediately.

use std::{future::Future, process};

use tokio::sync::oneshot;

use crate::error::{Error, print_error};

/// Exit status that shells give to a process stopped by SIGINT.
const SIGINT_STATUS: i32 = 130;

/// Returns a future that completes at the first signal.
pub(crate) fn shutdown() -> Result<impl Future<Output = ()>, Error> {
    let mut signals = Signals::new()?;
    let (request, requested) = oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        // The command may have ended on its own.
        let _ = request.send(());
        print_error("ending, as soon as what is under way is done; again to end at once");
        signals.next().await;
        process::exit(SIGINT_STATUS);
    });
    Ok(async move {
        if requested.await.is_err() {
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
