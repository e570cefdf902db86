//! Units of work: one transaction each, on a task of its own.
//!
//! Whoever asked only waits for the answer. Dropping that wait loses the answer and nothing else:
//! no `BEGIN` or `COMMIT` is ever cut off half way, which would hand a connection back to its pool
//! inside a transaction.

use std::{
    collections::hash_map::RandomState,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use tokio::{runtime::Handle, sync::oneshot, time};
use webhook_core::{StoreError, StoreErrorKind};

#[cfg(feature = "crash-points")]
use crate::db::crash_points;
use crate::db::{
    database::Database,
    fault::Fault,
    tx::{Tx, open_tx::TxOptions},
};

/// Between two tries, so that a database which is down is not asked in a tight loop.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Work that one transaction does whole. It may be run again from the start, so it changes nothing
/// but the database.
#[async_trait]
pub(crate) trait Unit: Send + Sync + 'static {
    /// What it answers.
    type Answer: Send + 'static;

    /// Whether it writes.
    const WRITES: bool;

    /// Whether a plan that was made for its statements once is good for ever. It is where each of them can
    /// find its rows by one index alone, however many there are.
    const KEEPS_PLANS: bool = false;

    /// What a test of crashes gets to see of an answer.
    #[cfg(feature = "crash-points")]
    fn parts(answer: &Self::Answer) -> Vec<&dyn std::any::Any> {
        vec![answer]
    }

    /// Does the work.
    async fn run(&self, tx: &Tx) -> Result<Self::Answer, Fault>;
}

impl Database {
    /// Runs `unit` to its end, whether or not the caller stays to hear of it.
    pub(crate) async fn perform<U: Unit>(
        self: &Arc<Self>,
        unit: U,
    ) -> Result<U::Answer, StoreError> {
        let runtime = Handle::try_current().map_err(|_| {
            StoreError::because(StoreErrorKind::Other, "the store needs a running tokio runtime")
        })?;
        let generation = self.pools.generation();
        let stage = Arc::new(Stage::default());
        let (tell, answer) = oneshot::channel();
        let (database, its_stage) = (Arc::clone(self), Arc::clone(&stage));
        runtime.spawn(async move {
            // Nobody may be left to hear it.
            let _ = tell.send(database.run_to_end(&unit, &its_stage).await);
        });
        match time::timeout(self.limit, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(stage.give_up::<U>("the task that did the work is gone")),
            Err(_) => {
                self.pools.replace(generation, self.limit);
                self.hints.renew();
                Err(stage.give_up::<U>("the work took longer than its limit"))
            }
        }
    }

    /// Runs `unit` again as long as only passing errors stop it and its time is not used up.
    async fn run_to_end<U: Unit>(&self, unit: &U, stage: &Stage) -> Result<U::Answer, StoreError> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(5);
        let mut is_again = false;
        loop {
            let end = self.run_once(unit, stage, is_again).await;
            if end.as_ref().is_err_and(Fault::is_lost) {
                self.pools.connection_lost();
            }
            let code = end.as_ref().err().and_then(Fault::code);
            if code.is_some_and(|code| self.sql.dialect.is_read_only(code)) {
                self.pools.writer_is_read_only();
            }
            match end {
                Err(fault)
                    if fault.is_passing()
                        && began.elapsed() + pause < self.limit
                        && !self.pools.is_closed() =>
                {
                    #[cfg(feature = "test-clock")]
                    self.runs_again.fetch_add(1, Ordering::Relaxed);
                    // Whoever is surprised looks at once; if that was in vain, he takes his time.
                    if is_again || !fault.is_surprise() {
                        time::sleep(jittered(pause)).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                    is_again = true;
                }
                end => return end.map_err(Fault::into_error),
            }
        }
    }

    async fn run_once<U: Unit>(
        &self,
        unit: &U,
        stage: &Stage,
        is_again: bool,
    ) -> Result<U::Answer, Fault> {
        let options = TxOptions { writes: U::WRITES, keeps_plans: U::KEEPS_PLANS };
        let tx = Tx::begin(self, options, is_again).await?;
        let answer = match unit.run(&tx).await {
            Ok(answer) if stage.may_commit() => answer,
            Ok(_) => {
                tx.rollback().await;
                return Err(Fault::new(StoreErrorKind::Unavailable, "given up by its caller"));
            }
            Err(fault) => {
                tx.rollback().await;
                return Err(fault);
            }
        };
        #[cfg(feature = "crash-points")]
        crash_points::reach(crash_points::Moment::BeforeCommit, &U::parts(&answer));
        match tx.commit().await {
            // What was read is known, however its transaction ended.
            Err(fault) if U::WRITES => {
                stage.commit_failed(&fault);
                return Err(fault);
            }
            _ => {}
        }
        #[cfg(feature = "crash-points")]
        crash_points::reach(crash_points::Moment::AfterCommit, &U::parts(&answer));
        Ok(answer)
    }
}

/// Between half of `pause` and all of it, so that two processes do not meet again at once.
fn jittered(pause: Duration) -> Duration {
    let spread = u32::try_from(RandomState::new().hash_one(0u8) % 512).unwrap_or_default();
    pause / 1024 * (512 + spread)
}

/// How far a unit is. Decides, between the caller that waits no longer and the task that is about to
/// commit, which of them was first.
#[derive(Debug, Default)]
struct Stage(AtomicU8);

impl Stage {
    const OPEN: u8 = 0;
    const COMMITTING: u8 = 1;
    const GIVEN_UP: u8 = 2;

    /// Whether the work is still wanted; from now on it cannot be called off.
    fn may_commit(&self) -> bool {
        self.step(Self::OPEN, Self::COMMITTING)
    }

    /// A commit that surely wrote nothing may be tried again, and called off again.
    fn commit_failed(&self, fault: &Fault) {
        if fault.is_passing() {
            self.step(Self::COMMITTING, Self::OPEN);
        }
    }

    /// Calls the work off, if it is not too late.
    fn give_up<U: Unit>(&self, why: &'static str) -> StoreError {
        let called_off = self.step(Self::OPEN, Self::GIVEN_UP);
        let surely_not = called_off || !U::WRITES;
        let kind = if surely_not { StoreErrorKind::Unavailable } else { StoreErrorKind::Unknown };
        StoreError::because(kind, why)
    }

    fn step(&self, from: u8, to: u8) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing<const WRITES: bool>;

    #[async_trait]
    impl<const WRITES: bool> Unit for Nothing<WRITES> {
        type Answer = ();
        const WRITES: bool = WRITES;

        async fn run(&self, _: &Tx) -> Result<(), Fault> {
            Ok(())
        }
    }

    #[test]
    fn work_given_up_before_the_commit_is_surely_not_written() {
        let stage = Stage::default();
        assert_eq!(stage.give_up::<Nothing<true>>("").kind(), StoreErrorKind::Unavailable);
        assert!(!stage.may_commit(), "the task has to notice");
    }

    #[test]
    fn work_given_up_during_the_commit_may_be_written() {
        let stage = Stage::default();
        assert!(stage.may_commit());
        assert_eq!(stage.give_up::<Nothing<true>>("").kind(), StoreErrorKind::Unknown);
    }

    #[test]
    fn reading_leaves_nothing_unknown() {
        let stage = Stage::default();
        assert!(stage.may_commit());
        assert_eq!(stage.give_up::<Nothing<false>>("").kind(), StoreErrorKind::Unavailable);
    }

    /// Fails with an error of this code, so many times, and then no more.
    struct Hindered {
        code: &'static str,
        left: AtomicU8,
    }

    #[async_trait]
    impl Unit for Hindered {
        type Answer = ();
        const WRITES: bool = true;

        async fn run(&self, tx: &Tx) -> Result<(), Fault> {
            let again = |left: u8| left.checked_sub(1);
            match self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, again) {
                Ok(_) => Err(Fault::classed(tx.sql().dialect.class(self.code), "hindered")),
                Err(_) => Ok(()),
            }
        }
    }

    #[tokio::test]
    async fn what_passes_is_tried_again_and_what_lasts_is_told() {
        let store = crate::SeaOrmStore::connect("sqlite::memory:").await.unwrap();
        let hindered = |code, times| Hindered { code, left: AtomicU8::new(times) };
        let (busy, busy_snapshot, duplicate, full) = ("5", "517", "1555", "13");
        for code in [busy, busy_snapshot, duplicate] {
            store.inner.database.perform(hindered(code, 3)).await.unwrap();
        }
        let error = store.inner.database.perform(hindered(full, 1)).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Refused);
    }

    #[test]
    fn pauses_spread_and_stay_short() {
        let pause = Duration::from_millis(100);
        for _ in 0..100 {
            assert!((pause / 2 - Duration::from_millis(1)..=pause).contains(&jittered(pause)));
        }
    }
}
