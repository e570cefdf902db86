//! The executor: all tasks on one thread, in virtual time, in an order drawn from the seed.

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

use super::{rng::RunRng, trace::Pid};
use crate::ManualClock;

/// Handle to the executor: spawns, kills and stalls tasks. Clones are the same executor.
#[derive(Clone)]
pub(super) struct Executor {
    clock: ManualClock,
    requests: Arc<Mutex<Requests>>,
    ready: Arc<ReadyTasks>,
}

#[derive(Default)]
struct Requests {
    spawned: Vec<(Group, BoxFuture<'static, ()>)>,
    killed: BTreeSet<Group>,
    stalled: BTreeMap<Group, Duration>,
    resume_all: bool,
}

/// Tasks of one worker process, which end together; None for tasks that are never killed.
pub(super) type Group = Option<Pid>;

/// Numbers of the tasks that were woken.
#[derive(Default)]
struct ReadyTasks(Mutex<BTreeSet<u64>>);

impl ReadyTasks {
    fn tasks(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waker of one task.
struct TaskWaker {
    task: u64,
    ready: Arc<ReadyTasks>,
}

impl Wake for TaskWaker {
    fn wake(self: Arc<Self>) {
        self.ready.tasks().insert(self.task);
    }
}

struct Task {
    group: Group,
    future: BoxFuture<'static, ()>,
    waker: Waker,
}

/// Result of one step of the executor.
pub(super) enum StepResult {
    /// A task of this group was polled.
    Polled(Group),
    /// A task of this group panicked with this message.
    Panicked(Group, String),
    /// No task was ready; the clock was advanced to the next deadline.
    Waited,
    /// No task is ready and no deadline is left.
    Deadlocked,
}

/// The tasks, and the loop that polls them.
pub(super) struct TaskSet {
    executor: Executor,
    tasks: BTreeMap<u64, Task>,
    stalled: BTreeMap<Group, Duration>,
    spawned: u64,
    rng: Arc<RunRng>,
}

impl Executor {
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

    /// Spawns a task.
    pub(super) fn spawn(&self, group: Group, task: impl Future<Output = ()> + Send + 'static) {
        self.requests().spawned.push((group, task.boxed()));
    }

    /// Drops all tasks of a process after the present step.
    pub(super) fn kill(&self, pid: Pid) {
        self.requests().killed.insert(Some(pid));
    }

    /// Stops polling the tasks of a process until this time.
    pub(super) fn stall(&self, pid: Pid, until: Duration) {
        self.requests().stalled.insert(Some(pid), until);
    }

    /// Ends all stalls.
    pub(super) fn resume_all(&self) {
        self.requests().resume_all = true;
    }

    fn requests(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TaskSet {
    pub(super) fn new(executor: Executor, rng: Arc<RunRng>) -> Self {
        Self { executor, tasks: BTreeMap::new(), stalled: BTreeMap::new(), spawned: 0, rng }
    }

    /// Polls one ready task. If there is none, advances the clock to the next deadline.
    pub(super) fn step(&mut self) -> StepResult {
        self.take_requests();
        let now = self.executor.now();
        self.stalled.retain(|_, until| *until > now);
        match self.choose() {
            Some(task) => self.poll(task),
            None => self.wait(now),
        }
    }

    fn take_requests(&mut self) {
        let Requests { spawned, killed, stalled, resume_all } =
            std::mem::take(&mut *self.executor.requests());
        if resume_all {
            self.stalled.clear();
        }
        // Dropping a task may spawn or kill others, so no lock is held here.
        if !killed.is_empty() {
            self.tasks.retain(|_, task| !killed.contains(&task.group));
        }
        self.stalled.extend(stalled.into_iter().filter(|_| !resume_all));
        for (group, future) in spawned.into_iter().filter(|(group, _)| !killed.contains(group)) {
            self.spawned += 1;
            let ready = Arc::clone(&self.executor.ready);
            ready.tasks().insert(self.spawned);
            let waker = Waker::from(Arc::new(TaskWaker { task: self.spawned, ready }));
            self.tasks.insert(self.spawned, Task { group, future, waker });
        }
    }

    /// Chooses one of the ready tasks that are not stalled.
    fn choose(&mut self) -> Option<u64> {
        let mut ready = self.executor.ready.tasks();
        ready.retain(|task| self.tasks.contains_key(task));
        let may_run = |task: &&u64| {
            let group = self.tasks.get(task).map(|task| task.group);
            group.is_some_and(|group| !self.stalled.contains_key(&group))
        };
        let choice: Vec<u64> = ready.iter().filter(may_run).copied().collect();
        let mut order = self.rng.stream("order", choice.len() as u64, self.executor.now());
        let chosen = order.one_of(&choice)?;
        ready.remove(&chosen);
        Some(chosen)
    }

    fn poll(&mut self, number: u64) -> StepResult {
        let Some(task) = self.tasks.get_mut(&number) else { return StepResult::Waited };
        let (group, waker) = (task.group, task.waker.clone());
        let mut context = Context::from_waker(&waker);
        let polled = catch_unwind(AssertUnwindSafe(|| task.future.as_mut().poll(&mut context)));
        match polled {
            Ok(Poll::Pending) => StepResult::Polled(group),
            Ok(Poll::Ready(())) => {
                self.tasks.remove(&number);
                StepResult::Polled(group)
            }
            Err(panic) => {
                self.tasks.remove(&number);
                StepResult::Panicked(group, panic_message(&*panic))
            }
        }
    }

    fn wait(&self, now: Duration) -> StepResult {
        let deadline = self.executor.clock.next_deadline();
        let stall = self.stalled.values().map(|until| until.saturating_sub(now)).min();
        let next = [deadline, stall].into_iter().flatten().min();
        let Some(next) = next else { return StepResult::Deadlocked };
        self.executor.clock.advance(next.max(Duration::from_nanos(1)));
        StepResult::Waited
    }
}

/// Message of a panic.
fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "a panic without a message".to_owned())
}

impl fmt::Debug for Executor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Executor").field("clock", &self.clock).finish_non_exhaustive()
    }
}
