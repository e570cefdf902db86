//! Connection pools of a store, and their replacement when the network stops responding.
//!
//! A connection over a silent network waits for a response for many minutes, and a pool full of
//! such connections serves no caller. A unit of work that reaches its time limit therefore replaces
//! the whole pool, so that the next unit finds a new one.

use std::{
    fmt,
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use sea_orm::DatabaseConnection;
use tokio::time::timeout;

#[cfg(any(feature = "postgres", feature = "mysql"))]
use crate::db::reconnect::Probe;
use crate::db::{
    reconnect::ReconnectGate,
    tx::open_tx::{Mode, OpenTx, TxOptions},
};

/// Opens a pool without waiting for a connection.
pub(crate) type OpenPool = Box<dyn Fn() -> DatabaseConnection + Send + Sync>;

/// Pool of a database over a network.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) struct NetworkPool {
    pub(crate) open: OpenPool,
    pub(crate) probe: Probe,
    /// Number of connections that a pool has open.
    pub(crate) open_connections: fn(&DatabaseConnection) -> u32,
}

/// Pools of connections, replaced when they stop responding.
pub(crate) struct Pools {
    present: RwLock<PoolPair>,
    /// Opens a pool; `None` if there is no network between the store and the database.
    open: Option<OpenPool>,
    /// Number of open connections; `None` if a pool always has some.
    open_connections: Option<fn(&DatabaseConnection) -> u32>,
    mode: Mode,
    gate: Arc<ReconnectGate>,
    /// True if the connection that writes must be replaced, in a pool that keeps its connections.
    replace_writer: Arc<AtomicBool>,
    closed: AtomicBool,
}

/// Pools for writing and for reading; they may be the same.
#[derive(Clone)]
struct PoolPair {
    writer: DatabaseConnection,
    readers: DatabaseConnection,
    generation: u64,
}

impl Pools {
    /// Pools that keep their connections, except the one that writes while `replace_writer` is set.
    #[cfg(feature = "sqlite")]
    pub(crate) fn permanent(
        writer: DatabaseConnection,
        readers: DatabaseConnection,
        replace_writer: Arc<AtomicBool>,
    ) -> Self {
        let present = RwLock::new(PoolPair { writer, readers, generation: 0 });
        let (gate, closed) = (Arc::new(ReconnectGate::new(None)), AtomicBool::new(false));
        let (open, open_connections, mode) = (None, None, Mode::SeaOrm);
        Self { present, open, open_connections, mode, gate, replace_writer, closed }
    }

    /// A pool over a network, opened now and whenever it stops responding.
    #[cfg(any(feature = "postgres", feature = "mysql"))]
    pub(crate) fn over_network(pool: NetworkPool, mode: Mode) -> Self {
        let NetworkPool { open, probe, open_connections } = pool;
        let pool = open();
        let pair = PoolPair { writer: pool.clone(), readers: pool, generation: 0 };
        let (gate, closed) = (Arc::new(ReconnectGate::new(Some(probe))), AtomicBool::new(false));
        let (present, replace_writer) = (RwLock::new(pair), Arc::default());
        let (open, open_connections) = (Some(open), Some(open_connections));
        Self { present, open, open_connections, mode, gate, replace_writer, closed }
    }

    /// Begins a transaction on one of the connections.
    pub(crate) async fn begin(
        &self,
        isolation: sea_orm::TransactionOptions,
        options: TxOptions,
    ) -> Result<OpenTx, sea_orm::DbErr> {
        let pair = self.present();
        let pool = if options.writes { pair.writer } else { pair.readers };
        let none_is_open = || self.open_connections.is_some_and(|count| count(&pool) == 0);
        self.gate.pass(none_is_open, OpenTx::begin(&pool, isolation, &self.mode, options)).await
    }

    /// Gate that every caller passes before it takes a connection.
    pub(crate) fn gate(&self) -> Arc<ReconnectGate> {
        Arc::clone(&self.gate)
    }

    /// Reports a lost connection: others are opened one at a time until one succeeds.
    pub(crate) fn connection_lost(&self) {
        self.gate.trip();
    }

    /// Reports a connection that was opened while the file was read-only. It stays read-only, so it
    /// is replaced.
    pub(crate) fn writer_is_read_only(&self) {
        self.replace_writer.store(true, Ordering::Release);
    }

    /// Pool for writing.
    pub(crate) fn writer(&self) -> DatabaseConnection {
        self.present().writer
    }

    /// Pool for reading.
    #[cfg(test)]
    pub(crate) fn readers(&self) -> DatabaseConnection {
        self.present().readers
    }

    /// Number of times that the pools were replaced.
    pub(crate) fn generation(&self) -> u64 {
        self.present().generation
    }

    /// Replaces the pools of this generation, unless they are replaced already.
    pub(crate) fn replace(&self, generation: u64, limit: Duration) {
        let Some(open) = self.open.as_ref().filter(|_| !self.is_closed()) else { return };
        let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
        if present.generation != generation {
            return;
        }
        let pool = open();
        let next = PoolPair { writer: pool.clone(), readers: pool, generation: generation + 1 };
        let old = std::mem::replace(&mut *present, next);
        drop(present);
        tracing::warn!("the database did not answer in time; its connections are replaced");
        // Waits for the units that still use them, up to the limit.
        tokio::spawn(async move { timeout(limit, old.writer.close()).await.map(drop) });
    }

    /// Returns true after [`close`](Self::close) was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes the connections after the units of work that use them.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let PoolPair { writer, readers, .. } = self.present();
        for pool in [readers, writer] {
            if let Err(error) = pool.close().await {
                tracing::debug!(%error, "could not close the database");
            }
        }
    }

    fn present(&self) -> PoolPair {
        self.present.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools").field("generation", &self.generation()).finish_non_exhaustive()
    }
}
