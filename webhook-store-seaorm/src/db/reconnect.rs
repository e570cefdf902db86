//! Who knocks while the database does not answer: one at a time, and not often.
//!
//! A pool must not knock by itself: refused, it would try again after 10 ms, 20 ms, 40 ms, for each of
//! those who wait. So whoever might find no connection knocks here first, once.

use std::{
    fmt,
    future::Future,
    pin::Pin,
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

/// How long somebody waits for his turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Opens one connection and closes it.
pub(crate) type Knock =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<(), DbErr>> + Send>> + Send + Sync>;

/// The way to the connections. It stands open until one of them is lost.
pub(crate) struct Door {
    /// Absent where no network is between us and the database.
    knock: Option<Knock>,
    shut: AtomicBool,
    /// When nobody answered last.
    unanswered: Mutex<Option<Instant>>,
}

impl Door {
    #[allow(dead_code, reason = "what is used depends on the databases compiled in")]
    pub(crate) const fn open(knock: Option<Knock>) -> Self {
        Self { knock, shut: AtomicBool::new(false), unanswered: Mutex::const_new(None) }
    }

    /// A connection was lost, and perhaps the database with it: all take turns, until one of them
    /// has begun.
    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::Release);
    }

    /// Lets `begin` take a connection: in its turn, if the door is shut or no connection stands.
    pub(crate) async fn pass<T>(
        &self,
        none_stands: impl Fn() -> bool,
        begin: impl Future<Output = Result<T, DbErr>>,
    ) -> Result<T, DbErr> {
        let is_open = || !none_stands() && !self.is_shut();
        if is_open() {
            return begin.await;
        }
        let late = || DbErr::ConnectionAcquire(ConnAcquireErr::Timeout);
        let mut unanswered = timeout(PATIENCE, self.unanswered.lock()).await.map_err(|_| late())?;
        // Whoever had his turn before may have come in.
        if is_open() {
            drop(unanswered);
            return begin.await;
        }
        if let Some(last) = *unanswered {
            sleep_until(last + PAUSE).await;
        }
        let begun = match &self.knock {
            Some(knock) => match knock().await {
                Ok(()) => begin.await,
                Err(error) => Err(error),
            },
            None => begin.await,
        };
        match &begun {
            Ok(_) => {
                self.shut.store(false, Ordering::Release);
                *unanswered = None;
            }
            Err(DbErr::Conn(_) | DbErr::ConnectionAcquire(_)) => {
                self.shut();
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

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Door").field("shut", &self.is_shut()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, atomic::AtomicUsize};

    use super::*;

    fn away() -> DbErr {
        DbErr::Conn(sea_orm::RuntimeErr::Internal("away".into()))
    }

    /// A door, the knocks at it, and whether somebody is there.
    fn door() -> (Arc<Door>, Arc<AtomicUsize>, Arc<AtomicBool>) {
        let (knocks, there) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (count, answers) = (Arc::clone(&knocks), Arc::clone(&there));
        let knock: Knock = Box::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let answer = answers.load(Ordering::SeqCst).then_some(()).ok_or_else(away);
            Box::pin(std::future::ready(answer))
        });
        (Arc::new(Door::open(Some(knock))), knocks, there)
    }

    #[tokio::test(start_paused = true)]
    async fn while_nobody_answers_few_knock_and_then_all_come_in() {
        for none_stands in [false, true] {
            let (door, knocks, there) = door();
            if !none_stands {
                door.shut();
            }
            let mut units = tokio::task::JoinSet::new();
            for _ in 0..5 {
                let door = Arc::clone(&door);
                units.spawn(async move {
                    loop {
                        let pool = async { panic!("a pool knocks on its own account") };
                        door.pass::<()>(|| none_stands, pool).await.unwrap_err();
                    }
                });
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
            units.shutdown().await;
            let knocked = knocks.load(Ordering::SeqCst);
            assert!((10..=20).contains(&knocked), "{knocked}");
            there.store(true, Ordering::SeqCst);
            door.pass(|| false, async { Ok(()) }).await.unwrap();
            let began = Instant::now();
            door.pass(|| none_stands, async { Ok(()) }).await.unwrap();
            assert_eq!(began.elapsed(), Duration::ZERO);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_stood_in_line_does_not_knock_once_a_connection_stands() {
        let (door, knocks, there) = door();
        there.store(true, Ordering::SeqCst);
        let standing = Arc::<AtomicBool>::default();
        let mut units = tokio::task::JoinSet::new();
        for _ in 0..300 {
            let (door, standing) = (Arc::clone(&door), Arc::clone(&standing));
            units.spawn(async move {
                let opened = async {
                    // It takes a while, and the others come meanwhile.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    standing.store(true, Ordering::SeqCst);
                    Ok(())
                };
                door.pass(|| !standing.load(Ordering::SeqCst), opened).await
            });
        }
        assert!(units.join_all().await.iter().all(Result::is_ok));
        assert_eq!(knocks.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn nobody_knocks_while_connections_stand() {
        let (door, knocks, _) = door();
        door.pass(|| false, async { Ok(()) }).await.unwrap();
        assert_eq!(knocks.load(Ordering::SeqCst), 0);
    }
}
