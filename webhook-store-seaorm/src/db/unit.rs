//! Units of work: one transaction each, on a task of its own.
//!
//! The caller only waits for the result. If it is dropped, the result is lost and nothing else: no
//! `BEGIN` or `COMMIT` is interrupted, which would return a connection to its pool inside a
//! transaction.

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

#[cfg(feature = "__crash-points")]
use crate::db::crash_points;
use crate::db::{
    database::Database,
    fault::Fault,
    tx::{Tx, open_tx::TxOptions},
};

/// Longest pause between two runs of a unit, so that an unreachable database is not retried in a
/// tight loop.
const MAX_RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Work of one transaction.
///
/// A unit is retried from the start after errors that may pass, so it changes nothing but the
/// database. The first run may be optimistic: it may write without a look at rows that are absent
/// or unchanged in nearly all cases. If such a row is found after all, the run fails with
/// [`OptimisticMiss`](crate::db::error_class::ErrorClass::OptimisticMiss), and the retry, which
/// [`Tx::is_retry`] reports, must look before it writes.
#[async_trait]
pub(crate) trait Unit: Send + Sync + 'static {
    /// Result of the unit.
    type Output: Send + 'static;

    /// True if it writes.
    const WRITES: bool;

    /// True if its statements may be planned once for each connection: each finds its rows by a
    /// single index, regardless of their number.
    const KEEPS_PLANS: bool = false;

    /// Parts of a result that a crash test sees.
    #[cfg(feature = "__crash-points")]
    fn parts(answer: &Self::Output) -> Vec<&dyn std::any::Any> {
        vec![answer]
    }

    /// Runs the statements of the unit.
    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault>;
}

impl Database {
    /// Runs `unit` to its end, even if the caller is dropped.
    pub(crate) async fn perform<U: Unit>(
        self: &Arc<Self>,
        unit: U,
    ) -> Result<U::Output, StoreError> {
        let runtime = Handle::try_current().map_err(|_| {
            StoreError::because(StoreErrorKind::Other, "the store needs a running tokio runtime")
        })?;
        let generation = self.pools.generation();
        let progress = Arc::new(UnitProgress::default());
        let (tell, answer) = oneshot::channel();
        let (database, its_progress) = (Arc::clone(self), Arc::clone(&progress));
        runtime.spawn(async move {
            // The caller may have been dropped.
            let _ = tell.send(database.run_to_end(&unit, &its_progress).await);
        });
        match time::timeout(self.limit, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(progress.abandon::<U>("the task that did the work is gone")),
            Err(_) => {
                self.pools.replace(generation, self.limit);
                self.notifier.relisten();
                Err(progress.abandon::<U>("the work took longer than its limit"))
            }
        }
    }

    /// Retries `unit` after retryable errors until its time limit.
    async fn run_to_end<U: Unit>(
        &self,
        unit: &U,
        progress: &UnitProgress,
    ) -> Result<U::Output, StoreError> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(5);
        let mut is_retry = false;
        loop {
            let end = self.run_once(unit, progress, is_retry).await;
            if end.as_ref().is_err_and(Fault::is_lost) {
                self.pools.connection_lost();
            }
            let code = end.as_ref().err().and_then(Fault::code);
            if code.is_some_and(|code| self.sql.dialect.is_read_only(code)) {
                self.pools.writer_is_read_only();
            }
            match end {
                Err(fault)
                    if fault.is_retryable()
                        && began.elapsed() + pause < self.limit
                        && !self.pools.is_closed() =>
                {
                    #[cfg(feature = "__test-clock")]
                    self.runs_again.fetch_add(1, Ordering::Relaxed);
                    // After an optimistic miss the unit is retried immediately; after a second
                    // miss it backs off.
                    if is_retry || !fault.is_optimistic_miss() {
                        time::sleep(jittered(pause)).await;
                        pause = (pause * 2).min(MAX_RETRY_PAUSE);
                    }
                    is_retry = true;
                }
                end => return end.map_err(Fault::into_error),
            }
        }
    }

    async fn run_once<U: Unit>(
        &self,
        unit: &U,
        progress: &UnitProgress,
        is_retry: bool,
    ) -> Result<U::Output, Fault> {
        let options = TxOptions { writes: U::WRITES, keeps_plans: U::KEEPS_PLANS };
        let tx = Tx::begin(self, options, is_retry).await?;
        let answer = match unit.run(&tx).await {
            Ok(answer) if progress.may_commit() => answer,
            Ok(_) => {
                tx.rollback().await;
                return Err(Fault::new(StoreErrorKind::Unavailable, "the caller waits no longer"));
            }
            Err(fault) => {
                tx.rollback().await;
                return Err(fault);
            }
        };
        #[cfg(feature = "__crash-points")]
        crash_points::reach(crash_points::Moment::BeforeCommit, &U::parts(&answer));
        match tx.commit().await {
            // A read has its result, even if its transaction failed to end.
            Err(fault) if U::WRITES => {
                progress.commit_failed(&fault);
                return Err(fault);
            }
            _ => {}
        }
        #[cfg(feature = "__crash-points")]
        crash_points::reach(crash_points::Moment::AfterCommit, &U::parts(&answer));
        Ok(answer)
    }
}

/// Random time between half of `pause` and `pause`, so that two processes do not collide again.
fn jittered(pause: Duration) -> Duration {
    let spread = u32::try_from(RandomState::new().hash_one(0u8) % 512).unwrap_or_default();
    pause / 1024 * (512 + spread)
}

/// Progress of a unit. Decides which was first: the caller, which waits no longer, or the task,
/// which is about to commit.
#[derive(Debug, Default)]
struct UnitProgress(AtomicU8);

impl UnitProgress {
    const OPEN: u8 = 0;
    const COMMITTING: u8 = 1;
    const ABANDONED: u8 = 2;

    /// Returns true if the caller still waits. From then on the unit cannot be abandoned.
    fn may_commit(&self) -> bool {
        self.step(Self::OPEN, Self::COMMITTING)
    }

    /// Allows the unit to be abandoned again after a commit that surely wrote nothing.
    fn commit_failed(&self, fault: &Fault) {
        if fault.is_retryable() {
            self.step(Self::COMMITTING, Self::OPEN);
        }
    }

    /// Abandons the unit unless its commit has begun, and returns the error for the caller.
    fn abandon<U: Unit>(&self, why: &'static str) -> StoreError {
        let abandoned = self.step(Self::OPEN, Self::ABANDONED);
        let surely_not = abandoned || !U::WRITES;
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
        type Output = ();
        const WRITES: bool = WRITES;

        async fn run(&self, _: &Tx) -> Result<(), Fault> {
            Ok(())
        }
    }

    #[test]
    fn a_unit_abandoned_before_the_commit_is_unavailable() {
        let progress = UnitProgress::default();
        assert_eq!(progress.abandon::<Nothing<true>>("").kind(), StoreErrorKind::Unavailable);
        assert!(!progress.may_commit(), "the task has to notice");
    }

    #[test]
    fn a_unit_abandoned_during_the_commit_is_unknown() {
        let progress = UnitProgress::default();
        assert!(progress.may_commit());
        assert_eq!(progress.abandon::<Nothing<true>>("").kind(), StoreErrorKind::Unknown);
    }

    #[test]
    fn an_abandoned_read_is_unavailable() {
        let progress = UnitProgress::default();
        assert!(progress.may_commit());
        assert_eq!(progress.abandon::<Nothing<false>>("").kind(), StoreErrorKind::Unavailable);
    }

    /// Fails with an error of this code, so many times, and then no more.
    struct Hindered {
        code: &'static str,
        left: AtomicU8,
    }

    #[async_trait]
    impl Unit for Hindered {
        type Output = ();
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
    async fn retryable_errors_are_retried_and_permanent_ones_returned() {
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
