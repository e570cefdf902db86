//! Wait queues for publishers that need a slot.
//!
//! A delivery that is sent from memory, under a lease stored with it, costs the database half as
//! much as one that is stored pending and claimed. So a short wait for a slot pays off. Waits are
//! bounded, and a publisher does not wait for an endpoint whose slots are released slowly.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::model::id::EndpointId;

/// Maximum time a publisher waits for a slot.
pub(crate) const MAX_SLOT_WAIT: Duration = Duration::from_millis(250);

/// Maximum estimated wait at which a publisher still joins a queue.
const MAX_ESTIMATED_WAIT: Duration = Duration::from_millis(100);

/// Length of one measurement window. Rates cover the current window and the previous one.
const RATE_WINDOW: Duration = Duration::from_millis(250);

/// Limit that a publisher waits on.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum QueueKey {
    /// The endpoint's maximum number of attempts in flight.
    Endpoint(EndpointId),
    /// The number of slots that all publishers together may take.
    All,
}

/// Resolves when a slot is released, or with an error when the queue is closed.
pub(crate) type Waiter = oneshot::Receiver<()>;

/// FIFO queues of waiting publishers, one per limit. All times are on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct WaitQueues(BTreeMap<QueueKey, Queue>);

#[derive(Debug)]
struct Queue {
    waiters: VecDeque<oneshot::Sender<()>>,
    rate: ReleaseRate,
}

/// Number of slots released in the current and the previous window.
#[derive(Clone, Copy, Debug)]
struct ReleaseRate {
    /// Start of the measurement.
    measured_from: Duration,
    /// Start of the current window.
    window_start: Duration,
    /// Slots released in the current window.
    current: u32,
    /// Slots released in the previous window.
    previous: u32,
}

impl WaitQueues {
    /// Returns true if a publisher waits on this limit.
    pub(crate) fn has_waiters(&self, key: QueueKey) -> bool {
        self.0.get(&key).is_some_and(|queue| !queue.waiters.is_empty())
    }

    /// Adds a waiter, or returns `None` if its estimated wait is longer than
    /// [`MAX_ESTIMATED_WAIT`].
    ///
    /// A waiter that was woken but lost its slot to another publisher is `overtaken`: it joins at
    /// the front, regardless of the estimate.
    pub(crate) fn enqueue_waiter(
        &mut self,
        key: QueueKey,
        overtaken: bool,
        now: Duration,
    ) -> Option<Waiter> {
        let empty = || Queue { waiters: VecDeque::new(), rate: ReleaseRate::new(now) };
        let queue = self.0.entry(key).or_insert_with(empty);
        let length = queue.waiters.len() + 1;
        if !overtaken && queue.rate.estimated_wait(length, now) > MAX_ESTIMATED_WAIT {
            return None;
        }
        let (wake, waiter) = oneshot::channel();
        if overtaken {
            queue.waiters.push_front(wake);
        } else {
            queue.waiters.push_back(wake);
        }
        Some(waiter)
    }

    /// Records a released slot and wakes the first waiter that still exists.
    ///
    /// If there is no waiter and all slots of this limit are free, the queue is removed and its
    /// rate with it.
    pub(crate) fn slot_released(&mut self, key: QueueKey, all_free: bool, now: Duration) {
        let Some(queue) = self.0.get_mut(&key) else { return };
        queue.rate.record(now);
        while let Some(first) = queue.waiters.pop_front() {
            if first.send(()).is_ok() {
                return;
            }
        }
        if all_free {
            self.0.remove(&key);
        }
    }

    /// Removes all queues. Their waiters resolve with an error.
    pub(crate) fn close(&mut self) {
        self.0.clear();
    }
}

impl ReleaseRate {
    const fn new(now: Duration) -> Self {
        Self { measured_from: now, window_start: now, current: 0, previous: 0 }
    }

    /// Records one released slot.
    fn record(&mut self, now: Duration) {
        self.roll_window(now);
        self.current = self.current.saturating_add(1);
    }

    /// Estimates how long it takes until `slots` slots have been released.
    ///
    /// Returns zero until one full window has been measured, and [`Duration::MAX`] if no slot was
    /// released in the last two windows.
    fn estimated_wait(&mut self, slots: usize, now: Duration) -> Duration {
        self.roll_window(now);
        if now.saturating_sub(self.measured_from) < RATE_WINDOW {
            return Duration::ZERO;
        }
        match (self.current.saturating_add(self.previous), u32::try_from(slots)) {
            (0, _) | (_, Err(_)) => Duration::MAX,
            (released, Ok(slots)) => {
                let window = now.saturating_sub(self.window_start).saturating_add(RATE_WINDOW);
                window.saturating_mul(slots) / released
            }
        }
    }

    /// Starts the next window if the current one has ended.
    fn roll_window(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.window_start);
        if elapsed >= RATE_WINDOW {
            let is_next = elapsed < RATE_WINDOW * 2;
            self.previous = if is_next { self.current } else { 0 };
            self.window_start = if is_next { self.window_start + RATE_WINDOW } else { now };
            self.current = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: QueueKey = QueueKey::All;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn is_woken(waiter: &mut Waiter) -> bool {
        waiter.try_recv().is_ok()
    }

    #[test]
    fn wakes_waiters_in_order_and_overtaken_ones_first() {
        let mut queues = WaitQueues::default();
        let mut enqueue = |overtaken| queues.enqueue_waiter(KEY, overtaken, millis(1)).unwrap();
        let (mut first, mut second, mut overtaken) =
            (enqueue(false), enqueue(false), enqueue(true));
        for waiter in [&mut overtaken, &mut first, &mut second] {
            assert!(!is_woken(waiter));
            queues.slot_released(KEY, false, millis(2));
            assert!(is_woken(waiter));
        }
        assert!(!queues.has_waiters(KEY));
    }

    #[test]
    fn skips_waiters_that_were_dropped() {
        let mut queues = WaitQueues::default();
        drop(queues.enqueue_waiter(KEY, false, millis(1)));
        let mut second = queues.enqueue_waiter(KEY, false, millis(1)).unwrap();
        queues.slot_released(KEY, false, millis(2));
        assert!(is_woken(&mut second));
    }

    #[test]
    fn rejects_waiters_when_slots_are_released_slowly() {
        // Milliseconds between two released slots, and since the last one; is the waiter accepted?
        let table = [(5, 0, true), (80, 0, true), (200, 0, false), (5, 240, true), (5, 510, false)];
        for (gap, since, expected) in table {
            let mut queues = WaitQueues::default();
            drop(queues.enqueue_waiter(KEY, false, millis(0)));
            (1..=100).for_each(|at| queues.slot_released(KEY, false, millis(at * gap)));
            let waiter = queues.enqueue_waiter(KEY, false, millis(100 * gap + since));
            assert_eq!(waiter.is_some(), expected, "{gap} {since}");
        }
    }

    #[test]
    fn queue_length_is_bounded_by_the_estimated_wait() {
        let mut queues = WaitQueues::default();
        drop(queues.enqueue_waiter(KEY, false, millis(0)));
        (1..=100).for_each(|at| queues.slot_released(KEY, false, millis(at * 10)));
        let enqueue = |_| queues.enqueue_waiter(KEY, false, millis(1000));
        let waiters: Vec<_> = (0..20).map_while(enqueue).collect();
        let length = waiters.len();
        assert!((9..=10).contains(&length), "one each 10 ms, within 100 ms: {length}");
    }

    #[test]
    fn forgets_the_rate_when_all_slots_are_free() {
        let mut queues = WaitQueues::default();
        drop(queues.enqueue_waiter(KEY, false, millis(0)));
        (1..=100).for_each(|at| queues.slot_released(KEY, false, millis(at * 200)));
        assert!(queues.enqueue_waiter(KEY, false, millis(20_000)).is_none());
        queues.slot_released(KEY, true, millis(20_100));
        assert!(queues.enqueue_waiter(KEY, false, millis(20_200)).is_some());
    }

    #[test]
    fn close_fails_all_waiters() {
        let mut queues = WaitQueues::default();
        let mut waiter = queues.enqueue_waiter(KEY, false, millis(1)).unwrap();
        queues.close();
        assert_eq!(waiter.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
