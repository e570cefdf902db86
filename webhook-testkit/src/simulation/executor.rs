//! The executor: all tasks on one thread, in virtual time, in an order that the seed decides.

use std::{
    any::Any,
    collections::{BTreeMap, BTreeSet},
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Wake, Waker},
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use webhook_core::Clock;

use super::{rng::Dice, trace::Pid};
use crate::ManualClock;

/// Tasks, and what has been asked for since the last turn. Clones are the same yard.
#[derive(Clone)]
pub(super) struct Yard {
    clock: ManualClock,
    requests: Arc<Mutex<Requests>>,
    ready: Arc<Ready>,
}

#[derive(Default)]
struct Requests {
    spawned: Vec<(Group, BoxFuture<'static, ()>)>,
    killed: BTreeSet<Group>,
    stalled: BTreeMap<Group, Duration>,
    go_on: bool,
}

/// Tasks that live and die together: a worker process; none, for what never dies.
pub(super) type Group = Option<Pid>;

/// Those that want to be polled.
#[derive(Default)]
struct Ready(Mutex<BTreeSet<u64>>);

impl Ready {
    fn tasks(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Wakes one task.
struct Bell {
    task: u64,
    ready: Arc<Ready>,
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ready.tasks().insert(self.task);
    }
}

struct Task {
    group: Group,
    future: BoxFuture<'static, ()>,
    waker: Waker,
}

/// What a turn of the yard came to.
pub(super) enum Turn {
    /// A task of this group was polled.
    Polled(Group),
    /// One panicked, saying this.
    Panicked(Group, String),
    /// The clock was turned to the next deadline.
    Waited,
    /// Nobody will ever do anything again.
    Dead,
}

/// The tasks themselves.
pub(super) struct Tasks {
    yard: Yard,
    tasks: BTreeMap<u64, Task>,
    stalled: BTreeMap<Group, Duration>,
    spawned: u64,
    dice: Arc<Dice>,
}

impl Yard {
    pub(super) fn new(clock: ManualClock) -> Self {
        Self { clock, requests: Arc::default(), ready: Arc::default() }
    }

    /// The true clock.
    pub(super) const fn clock(&self) -> &ManualClock {
        &self.clock
    }

    pub(super) fn now(&self) -> Duration {
        self.clock.monotonic()
    }

    pub(super) async fn sleep(&self, wait: Duration) {
        self.clock.sleep(wait).await;
    }

    /// Begins a task.
    pub(super) fn spawn(&self, group: Group, task: impl Future<Output = ()> + Send + 'static) {
        self.requests().spawned.push((group, task.boxed()));
    }

    /// Ends all tasks of a process, wherever they are, when the present turn is over.
    pub(super) fn kill(&self, pid: Pid) {
        self.requests().killed.insert(Some(pid));
    }

    /// Lets a process stand still until then.
    pub(super) fn stall(&self, pid: Pid, until: Duration) {
        self.requests().stalled.insert(Some(pid), until);
    }

    /// Lets whoever stands still go on.
    pub(super) fn go_on(&self) {
        self.requests().go_on = true;
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tasks {
    pub(super) fn new(yard: Yard, dice: Arc<Dice>) -> Self {
        Self { yard, tasks: BTreeMap::new(), stalled: BTreeMap::new(), spawned: 0, dice }
    }

    /// Polls one task that is ready; when there is none, turns the clock.
    pub(super) fn turn(&mut self) -> Turn {
        self.take_requests();
        let now = self.yard.now();
        self.stalled.retain(|_, until| *until > now);
        match self.choose() {
            Some(task) => self.poll(task),
            None => self.wait(now),
        }
    }

    fn take_requests(&mut self) {
        let Requests { spawned, killed, stalled, go_on } =
            std::mem::take(&mut *self.yard.requests());
        if go_on {
            self.stalled.clear();
        }
        // What is dropped here may ask for something again: no lock is held.
        if !killed.is_empty() {
            self.tasks.retain(|_, task| !killed.contains(&task.group));
        }
        self.stalled.extend(stalled.into_iter().filter(|_| !go_on));
        for (group, future) in spawned.into_iter().filter(|(group, _)| !killed.contains(group)) {
            self.spawned += 1;
            let ready = Arc::clone(&self.yard.ready);
            ready.tasks().insert(self.spawned);
            let waker = Waker::from(Arc::new(Bell { task: self.spawned, ready }));
            self.tasks.insert(self.spawned, Task { group, future, waker });
        }
    }

    /// One of those that are ready and not made to stand still.
    fn choose(&mut self) -> Option<u64> {
        let mut ready = self.yard.ready.tasks();
        ready.retain(|task| self.tasks.contains_key(task));
        let may_run = |task: &&u64| {
            let group = self.tasks.get(task).map(|task| task.group);
            group.is_some_and(|group| !self.stalled.contains_key(&group))
        };
        let choice: Vec<u64> = ready.iter().filter(may_run).copied().collect();
        let mut order = self.dice.stream("order", choice.len() as u64, self.yard.now());
        let chosen = order.one_of(&choice)?;
        ready.remove(&chosen);
        Some(chosen)
    }

    fn poll(&mut self, number: u64) -> Turn {
        let Some(task) = self.tasks.get_mut(&number) else { return Turn::Waited };
        let (group, waker) = (task.group, task.waker.clone());
        let mut context = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| task.future.as_mut().poll(&mut context)));
        match polled {
            Ok(Poll::Pending) => Turn::Polled(group),
            Ok(Poll::Ready(())) => {
                self.tasks.remove(&number);
                Turn::Polled(group)
            }
            Err(panic) => {
                self.tasks.remove(&number);
                Turn::Panicked(group, text_of(&*panic))
            }
        }
    }

    fn wait(&self, now: Duration) -> Turn {
        let deadline = self.yard.clock.next_deadline();
        let stall = self.stalled.values().map(|until| until.saturating_sub(now)).min();
        let next = [deadline, stall].into_iter().flatten().min();
        let Some(next) = next else { return Turn::Dead };
        self.yard.clock.advance(next.max(Duration::from_nanos(1)));
        Turn::Waited
    }
}

/// What a panic says.
fn text_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without words".to_owned())
}

impl fmt::Debug for Yard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Yard").field("clock", &self.clock).finish_non_exhaustive()
    }
}
