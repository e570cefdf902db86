//! The connections of a store, and others in their place when the network goes silent.
//!
//! A connection whose network says nothing more waits for an answer for many minutes, and a pool full
//! of them serves nobody. What was asked of it is given up when its limit is over, and then the whole
//! pool with it: the next unit finds a new one.

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
use crate::db::reconnect::Knock;
use crate::db::{
    reconnect::Door,
    tx::begun::{Begun, Manner, Wants},
};

/// Opens a pool, without waiting for a connection.
pub(crate) type Opener = Box<dyn Fn() -> DatabaseConnection + Send + Sync>;

/// The way to a database over a network.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) struct Way {
    pub(crate) open: Opener,
    pub(crate) knock: Knock,
    /// How many connections a pool has.
    pub(crate) standing: fn(&DatabaseConnection) -> u32,
}

/// The connections at present.
pub(crate) struct Pools {
    present: RwLock<Pair>,
    /// Opens a new pool, without waiting for a connection; absent where no network is between us and
    /// the database.
    renew: Option<Opener>,
    /// How many connections a pool has, where it may have none.
    standing: Option<fn(&DatabaseConnection) -> u32>,
    manner: Manner,
    door: Arc<Door>,
    /// Whether the connections that write are to be opened anew, where they are kept otherwise.
    anew: Arc<AtomicBool>,
    closed: AtomicBool,
}

/// Connections for those who write and for those who only read; they may be the same.
#[derive(Clone)]
struct Pair {
    writer: DatabaseConnection,
    readers: DatabaseConnection,
    generation: u64,
}

impl Pools {
    /// Connections that are kept whatever happens, but for one that writes while `anew` is set.
    #[cfg(feature = "sqlite")]
    pub(crate) fn lasting(
        writer: DatabaseConnection,
        readers: DatabaseConnection,
        anew: Arc<AtomicBool>,
    ) -> Self {
        let present = RwLock::new(Pair { writer, readers, generation: 0 });
        let (door, closed) = (Arc::new(Door::open(None)), AtomicBool::new(false));
        Self { present, renew: None, standing: None, manner: Manner::Named, door, anew, closed }
    }

    #[cfg(any(feature = "postgres", feature = "mysql"))]
    /// Connections over a network, opened by this way now and whenever it has gone silent.
    pub(crate) fn over(way: Way, manner: Manner) -> Self {
        let Way { open, knock, standing } = way;
        let pool = open();
        let pair = Pair { writer: pool.clone(), readers: pool, generation: 0 };
        let (door, closed) = (Arc::new(Door::open(Some(knock))), AtomicBool::new(false));
        let (present, anew) = (RwLock::new(pair), Arc::default());
        Self { present, renew: Some(open), standing: Some(standing), manner, door, anew, closed }
    }

    /// Begins a transaction on one of the connections.
    pub(crate) async fn begin(
        &self,
        options: sea_orm::TransactionOptions,
        wants: Wants,
    ) -> Result<Begun, sea_orm::DbErr> {
        let pair = self.present();
        let pool = if wants.writes { pair.writer } else { pair.readers };
        let none_stands = || self.standing.is_some_and(|standing| standing(&pool) == 0);
        self.door.pass(none_stands, Begun::begin(&pool, options, &self.manner, wants)).await
    }

    /// Where all pass who want a connection.
    pub(crate) fn door(&self) -> Arc<Door> {
        Arc::clone(&self.door)
    }

    /// A connection was lost: others are opened one at a time, and not often while nobody answers.
    pub(crate) fn one_was_lost(&self) {
        self.door.shut();
    }

    /// A connection was opened when nobody might write, and may stay so when everybody may.
    pub(crate) fn one_may_not_write(&self) {
        self.anew.store(true, Ordering::Release);
    }

    /// The connection that writes.
    pub(crate) fn writer(&self) -> DatabaseConnection {
        self.present().writer
    }

    /// The connections that read.
    #[cfg(test)]
    pub(crate) fn readers(&self) -> DatabaseConnection {
        self.present().readers
    }

    /// Which connections are in use: the number rises when they are replaced.
    pub(crate) fn generation(&self) -> u64 {
        self.present().generation
    }

    /// Opens others in place of those of this generation, unless that has been done.
    pub(crate) fn replace(&self, generation: u64, limit: Duration) {
        let Some(renew) = self.renew.as_ref().filter(|_| !self.is_closed()) else { return };
        let mut present = self.present.write().unwrap_or_else(PoisonError::into_inner);
        if present.generation != generation {
            return;
        }
        let pool = renew();
        let next = Pair { writer: pool.clone(), readers: pool, generation: generation + 1 };
        let old = std::mem::replace(&mut *present, next);
        drop(present);
        tracing::warn!("the database did not answer in time; its connections are replaced");
        // The work under way on them ends some day, for the better or the worse.
        tokio::spawn(async move { timeout(limit, old.writer.close()).await.map(drop) });
    }

    /// Whether [`close`](Self::close) was called.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Closes the connections, after the work under way.
    pub(crate) async fn close(&self) {
        self.closed.store(true, Ordering::Release);
        let Pair { writer, readers, .. } = self.present();
        for pool in [readers, writer] {
            if let Err(error) = pool.close().await {
                tracing::debug!(%error, "could not close the database");
            }
        }
    }

    fn present(&self) -> Pair {
        self.present.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for Pools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pools").field("generation", &self.generation()).finish_non_exhaustive()
    }
}
