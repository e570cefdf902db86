//! Who knocks while the database does not answer: one unit of work at a time, and not often.

use std::{
    future::Future,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use sea_orm::{ConnAcquireErr, DbErr};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until, timeout},
};

/// The shortest time between two knocks.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a unit waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to the connections. It stands open until one of them is lost.
#[derive(Debug)]
pub(crate) struct Door {
    shut: AtomicBool,
    /// When nobody answered last.
    unanswered: Mutex<Option<Instant>>,
}

impl Door {
    pub(crate) const fn open() -> Self {
        Self { shut: AtomicBool::new(false), unanswered: Mutex::const_new(None) }
    }

    /// A connection was lost, and perhaps the database with it: units take turns, until one of them
    /// has begun.
    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::Release);
    }

    /// Lets `begin` take a connection, in its turn.
    pub(crate) async fn pass<T>(
        &self,
        begin: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        if !self.is_shut() {
            return begin.await;
        }
        let late = || DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        let mut unanswered = timeout(PATIENCE, self.unanswered.lock()).await.map_err(|_| late())?;
        if let Some(last) = unanswered.filter(|_| self.is_shut()) {
            sleep_until(last + PAUSE).await;
        }
        let begun = begin.await;
        match &begun {
            Ok(_) => {
                self.shut.store(false, Ordering::Release);
                *unanswered = None;
            }
            Err(DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) => {
                *unanswered = Some(Instant::now());
            }
            // A connection that stood before is lost as well; the next one may be another.
            Err(_) => {}
        }
        begun
    }

    fn is_shut(&self) -> bool {
        self.shut.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicUsize};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn while_nobody_answers_few_knock_and_then_all_come_in() {
        let (door, knocks) = (Arc::new(Door::open()), Arc::new(AtomicUsize::new(0)));
        door.shut();
        let mut units = tokio::task::JoinSet::new();
        for _ in 0..5 {
            let (door, knocks) = (Arc::clone(&door), Arc::clone(&knocks));
            units.spawn(async move {
                loop {
                    let nobody = async {
                        knocks.fetch_add(1, Ordering::SeqCst);
                        Err::<(), _>(DbErr::Conn(sea_orm::RuntimeErr::Internal("away".into())))
                    };
                    door.pass(nobody).await.unwrap_err();
                }
            });
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        units.shutdown().await;
        let knocked = knocks.load(Ordering::SeqCst);
        assert!((10..=20).contains(&knocked), "{knocked}");
        door.pass(async { Ok(()) }).await.unwrap();
        let began = Instant::now();
        door.pass(async { Ok(()) }).await.unwrap();
        assert_eq!(began.elapsed(), Duration::ZERO);
    }
}
