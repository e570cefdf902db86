//! A clock that stands still until a test advances it.

use std::{
    collections::BTreeMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    time::Duration,
};

use async_trait::async_trait;
use webhook_core::{Clock, Timestamp};

/// A clock that stands still until a test advances it. Clones are the same clock.
///
/// ```
/// use std::time::Duration;
/// use webhook_core::Clock;
/// use webhook_testkit::ManualClock;
///
/// let clock = ManualClock::new();
/// clock.advance(Duration::from_secs(60));
/// assert_eq!(clock.now(), ManualClock::START.after(Duration::from_secs(60)));
/// ```
#[derive(Clone, Default)]
pub struct ManualClock(Arc<Mutex<ClockState>>);

#[derive(Default)]
struct ClockState {
    elapsed: Duration,
    sleepers: BTreeMap<Sleeper, Waker>,
    slept: u64,
}

/// Wake time of a sleeper, and a number that keeps sleepers of one time in their order.
type Sleeper = (Duration, u64);

impl ManualClock {
    /// Start of every manual clock: 2026-01-01T00:00:00Z.
    pub const START: Timestamp = Timestamp::from_unix_secs(1_767_225_600);

    /// A clock that shows [`START`](Self::START).
    pub fn new() -> Self {
        Self::default()
    }

    /// Advances the clock, and wakes the sleepers that are due, in the order of their deadlines.
    pub fn advance(&self, by: Duration) {
        let due = self.state().advance(by);
        due.into_iter().for_each(Waker::wake);
    }

    /// Time until the first sleeper wakes; `None` if there is no sleeper.
    pub fn next_deadline(&self) -> Option<Duration> {
        let state = self.state();
        let (deadline, _) = state.sleepers.keys().next()?;
        Some(deadline.saturating_sub(state.elapsed))
    }

    fn state(&self) -> MutexGuard<'_, ClockState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add_sleeper(&self, wait: Duration) -> Sleep {
        let mut state = self.state();
        state.slept += 1;
        Sleep { clock: self.clone(), sleeper: (state.elapsed.saturating_add(wait), state.slept) }
    }
}

impl ClockState {
    fn advance(&mut self, by: Duration) -> Vec<Waker> {
        self.elapsed = self.elapsed.saturating_add(by);
        let later = self.sleepers.split_off(&(self.elapsed, u64::MAX));
        std::mem::replace(&mut self.sleepers, later).into_values().collect()
    }
}

impl fmt::Debug for ManualClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManualClock").field("now", &self.now()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Self::START.after(self.monotonic())
    }

    fn monotonic(&self) -> Duration {
        self.state().elapsed
    }

    async fn sleep(&self, wait: Duration) {
        self.add_sleeper(wait).await;
    }

    fn is_real_time(&self) -> bool {
        false
    }
}

/// A wait for the clock; dropping it takes the sleeper off the list.
struct Sleep {
    clock: ManualClock,
    sleeper: Sleeper,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        if state.elapsed >= self.sleeper.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.sleeper, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.state().sleepers.remove(&self.sleeper);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{sync::mpsc, task::Wake};

    /// Sends its number when it is woken.
    struct NumberedWaker(u32, mpsc::Sender<u32>);

    impl Wake for NumberedWaker {
        fn wake(self: Arc<Self>) {
            self.1.send(self.0).unwrap();
        }
    }

    #[test]
    fn sleepers_wake_in_the_order_of_their_deadlines() {
        let clock = ManualClock::new();
        let (sender, woken) = mpsc::channel();
        let mut sleeps: Vec<_> = [3, 1, 2, 9].map(|secs| (secs, clock.sleep(seconds(secs)))).into();
        for (secs, sleep) in &mut sleeps {
            let waker = Arc::new(NumberedWaker(*secs, sender.clone())).into();
            assert!(sleep.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        }
        clock.advance(seconds(3));
        assert_eq!(woken.try_iter().collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(clock.next_deadline(), Some(seconds(6)));
    }

    #[test]
    fn a_sleep_is_over_exactly_at_its_deadline() {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep(seconds(5));
        let mut poll = || sleep.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(poll().is_pending());
        clock.advance(Duration::from_millis(4_999));
        assert!(poll().is_pending());
        clock.advance(Duration::from_millis(1));
        assert!(poll().is_ready());
    }

    #[test]
    fn a_dropped_sleep_leaves_no_deadline_behind() {
        let clock = ManualClock::new();
        let mut sleep = clock.sleep(seconds(5));
        assert!(sleep.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        drop(sleep);
        assert_eq!(clock.next_deadline(), None);
    }

    fn seconds(secs: u32) -> Duration {
        Duration::from_secs(secs.into())
    }
}
