//! Group commit without a timer.
//!
//! A commit costs a flush of the disk, regardless of its size. While one runs, new calls wait in a
//! queue, and the next commit takes all of them. A call that finds no commit running becomes the
//! leader and commits immediately; the calls behind it follow. If the database has room for two
//! writers, a second leader starts once the queue is long: while one waits for the disk, the rows
//! of the other are written.

use std::{
    error::Error,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::oneshot};
use webhook_core::{StoreError, StoreErrorKind};

/// Calls of one kind that share commits.
pub(crate) struct GroupCommit<I, A> {
    queue: Mutex<CallQueue<I, A>>,
    /// Longest time that a call may wait in the queue.
    limit: Duration,
    /// Number of leaders that may commit at the same time.
    max_leaders: usize,
}

/// Calls that wait for the next commit, the oldest first.
struct CallQueue<I, A> {
    calls: Vec<QueuedCall<I, A>>,
    leaders: usize,
}

struct QueuedCall<I, A> {
    items: Vec<I>,
    arrived: Instant,
    tell: oneshot::Sender<Result<Vec<A>, StoreError>>,
}

/// Items in one commit, unless a single call brings more.
const MAX_ITEMS_PER_COMMIT: usize = 1000;

/// Items in the queue at which a second leader starts.
const SECOND_LEADER_ITEMS: usize = 64;

impl<I, A> QueuedCall<I, A> {
    /// Fails the call before its commit has begun, so that nothing was written.
    fn reject(self, why: &'static str) {
        let _ = self.tell.send(Err(StoreError::because(StoreErrorKind::Unavailable, why)));
    }
}

impl<I, A> GroupCommit<I, A> {
    /// An empty queue in which a call waits for `limit` at most.
    pub(crate) const fn new(limit: Duration, max_leaders: usize) -> Self {
        let queue = Mutex::new(CallQueue { calls: Vec::new(), leaders: 0 });
        Self { queue, limit, max_leaders }
    }
}

impl<I: Clone + Send + 'static, A: Send + 'static> GroupCommit<I, A> {
    /// Commits `items`, possibly with those of other calls. `commit` returns one answer for each
    /// item, in order.
    pub(crate) async fn submit<W, F>(
        self: &Arc<Self>,
        items: Vec<I>,
        commit: W,
    ) -> Result<Vec<A>, StoreError>
    where
        W: Fn(Vec<I>) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Vec<A>, StoreError>> + Send,
    {
        if items.is_empty() {
            return Ok(Vec::new());
        }
        let runtime = Handle::try_current().map_err(|_| {
            StoreError::because(StoreErrorKind::Other, "the store needs a running tokio runtime")
        })?;
        let (tell, answer) = oneshot::channel();
        if self.enqueue(QueuedCall { items, arrived: Instant::now(), tell }) {
            let mut leader = Leader { group: Arc::clone(self), ended: false };
            runtime.spawn(async move {
                while let Some(calls) = leader.next_calls() {
                    commit_calls(calls, &commit).await;
                }
            });
        }
        answer.await.unwrap_or_else(|_| {
            Err(StoreError::because(StoreErrorKind::Unknown, "the task that did the work is gone"))
        })
    }

    /// Appends a call to the queue. Returns true if the caller becomes a leader: there is none, or
    /// too few.
    fn enqueue(&self, call: QueuedCall<I, A>) -> bool {
        let mut queue = self.queue();
        queue.calls.push(call);
        let is_long = || {
            queue.calls.iter().map(|call| call.items.len()).sum::<usize>() >= SECOND_LEADER_ITEMS
        };
        let leads = queue.leaders == 0 || queue.leaders < self.max_leaders && is_long();
        queue.leaders += usize::from(leads);
        leads
    }

    /// Calls of the next commit; `None` if the queue is empty, so that the leader ends.
    fn next_calls(&self) -> Option<Vec<QueuedCall<I, A>>> {
        let mut queue = self.queue();
        let late = queue.calls.iter().take_while(|call| call.arrived.elapsed() >= self.limit);
        let late = late.count();
        for call in queue.calls.drain(..late) {
            call.reject("it waited too long for its commit");
        }
        let mut items = 0;
        let fits = |call: &QueuedCall<I, A>| {
            let first = items == 0;
            items += call.items.len();
            first || items <= MAX_ITEMS_PER_COMMIT
        };
        let count = queue.calls.iter().map(fits).take_while(|fits| *fits).count();
        if count == 0 {
            queue.leaders -= 1;
            return None;
        }
        Some(queue.calls.drain(..count).collect())
    }
}

impl<I, A> GroupCommit<I, A> {
    fn queue(&self) -> MutexGuard<'_, CallQueue<I, A>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The call whose task commits for all calls in the queue.
struct Leader<I, A> {
    group: Arc<GroupCommit<I, A>>,
    ended: bool,
}

impl<I: Clone + Send + 'static, A: Send + 'static> Leader<I, A> {
    fn next_calls(&mut self) -> Option<Vec<QueuedCall<I, A>>> {
        let calls = self.group.next_calls();
        self.ended = calls.is_none();
        calls
    }
}

impl<I, A> Drop for Leader<I, A> {
    /// Rejects the queued calls if the runtime ends during a commit, so that the next call leads.
    fn drop(&mut self) {
        if !self.ended {
            let mut queue = self.group.queue();
            queue.leaders -= 1;
            for call in queue.calls.drain(..) {
                call.reject("the runtime of its commit has ended");
            }
        }
    }
}

/// Commits the items of these calls together, and returns each call its own answers.
async fn commit_calls<I, A, W, F>(calls: Vec<QueuedCall<I, A>>, commit: &W)
where
    I: Clone,
    W: Fn(Vec<I>) -> F,
    F: Future<Output = Result<Vec<A>, StoreError>>,
{
    let all = calls.iter().flat_map(|call| call.items.iter().cloned()).collect();
    match commit(all).await {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            for call in calls {
                let its = answers.by_ref().take(call.items.len()).collect();
                // The caller may have been dropped.
                let _ = call.tell.send(Ok(its));
            }
        }
        // One item may have failed all of them: each call gets a commit of its own.
        Err(error) if calls.len() > 1 && may_be_due_to_one_item(&error) => {
            for call in calls {
                let _ = call.tell.send(commit(call.items).await);
            }
        }
        Err(error) => {
            let (kind, shared) = (error.kind(), Arc::new(error));
            for call in calls {
                let source = SharedError(Arc::clone(&shared));
                let _ = call.tell.send(Err(StoreError::because(kind, source)));
            }
        }
    }
}

fn may_be_due_to_one_item(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Other | StoreErrorKind::Corrupt)
}

/// Error of a group commit, returned to each of its callers.
#[derive(Clone, Debug)]
struct SharedError(Arc<StoreError>);

impl fmt::Display for SharedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(source) => fmt::Display::fmt(source, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for SharedError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()?.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    /// Doubles each item once the gate is open, and counts the commits.
    struct Doubling {
        group: Arc<GroupCommit<u32, u32>>,
        commits: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
        bad: Option<(u32, StoreErrorKind)>,
    }

    impl Doubling {
        fn new(open: usize, bad: Option<(u32, StoreErrorKind)>) -> Self {
            let gate = Arc::new(Semaphore::new(open));
            let group = Arc::new(GroupCommit::new(Duration::from_secs(3600), 1));
            Self { group, commits: Arc::default(), gate, bad }
        }

        async fn submit(&self, items: &[u32]) -> Result<Vec<u32>, StoreError> {
            let (commits, gate, bad) = (self.commits.clone(), self.gate.clone(), self.bad);
            let commit = move |items: Vec<u32>| {
                let (commits, gate) = (commits.clone(), gate.clone());
                async move {
                    commits.fetch_add(1, Ordering::SeqCst);
                    gate.acquire().await.unwrap().forget();
                    match bad {
                        Some((item, kind)) if items.contains(&item) => {
                            Err(StoreError::because(kind, "no such luck"))
                        }
                        _ => Ok(items.iter().map(|item| item * 2).collect()),
                    }
                }
            };
            self.group.submit(items.to_vec(), commit).await
        }

        /// Three calls; the first one keeps the others waiting until all have arrived.
        async fn three(&self) -> [Result<Vec<u32>, StoreError>; 3] {
            let open = async {
                tokio::task::yield_now().await;
                self.gate.add_permits(100);
            };
            let first = self.submit(&[1]);
            let (a, b, c, ()) = tokio::join!(first, self.submit(&[2, 3]), self.submit(&[4]), open);
            [a, b, c]
        }

        fn commits(&self) -> usize {
            self.commits.load(Ordering::SeqCst)
        }
    }

    #[tokio::test]
    async fn a_call_without_a_leader_commits_immediately() {
        let doubling = Doubling::new(100, None);
        assert_eq!(doubling.submit(&[1, 2]).await.unwrap(), [2, 4]);
        assert_eq!(doubling.submit(&[3]).await.unwrap(), [6]);
        assert!(doubling.submit(&[]).await.unwrap().is_empty());
        assert_eq!(doubling.commits(), 2);
    }

    #[tokio::test]
    async fn concurrent_calls_share_a_commit_and_get_their_own_answers() {
        let doubling = Doubling::new(0, None);
        let answers = doubling.three().await.map(Result::unwrap);
        assert_eq!(answers, [vec![2], vec![4, 6], vec![8]]);
        assert!(doubling.commits() <= 2, "{} commits", doubling.commits());
    }

    #[tokio::test]
    async fn a_long_queue_starts_a_second_leader_and_no_third() {
        for (items, expected) in [(SECOND_LEADER_ITEMS / 2 - 1, 1), (SECOND_LEADER_ITEMS, 2)] {
            let mut doubling = Doubling::new(0, None);
            doubling.group = Arc::new(GroupCommit::new(Duration::from_secs(3600), 2));
            let many = vec![2; items];
            // The others arrive during the first commit.
            let others = async {
                tokio::task::yield_now().await;
                tokio::join!(doubling.submit(&many), doubling.submit(&many))
            };
            let open = async {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                assert_eq!(doubling.commits(), expected, "{items} items in the queue");
                doubling.gate.add_permits(100);
            };
            let (a, (b, c), ()) = tokio::join!(doubling.submit(&[1]), others, open);
            assert_eq!(a.unwrap(), [2]);
            assert!([b, c].into_iter().all(|answers| answers.unwrap() == vec![4; items]));
        }
    }

    #[tokio::test]
    async fn an_error_of_a_shared_commit_reaches_all_its_callers() {
        let doubling = Doubling::new(0, Some((3, StoreErrorKind::Unknown)));
        let [.., b, c] = doubling.three().await;
        for answer in [b, c] {
            let error = answer.unwrap_err();
            assert_eq!(error.kind(), StoreErrorKind::Unknown);
            assert_eq!(error.source().unwrap().to_string(), "no such luck");
        }
    }

    #[tokio::test]
    async fn one_bad_item_fails_its_own_call_alone() {
        let doubling = Doubling::new(0, Some((3, StoreErrorKind::Other)));
        let [_, b, c] = doubling.three().await;
        assert_eq!(b.unwrap_err().kind(), StoreErrorKind::Other);
        assert_eq!(c.unwrap(), [8]);
    }

    #[tokio::test]
    async fn a_call_that_waited_too_long_is_rejected_unwritten() {
        let mut doubling = Doubling::new(100, None);
        doubling.group = Arc::new(GroupCommit::new(Duration::ZERO, 1));
        let error = doubling.submit(&[1]).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert_eq!(doubling.commits(), 0);
        assert!(doubling.submit(&[2]).await.is_err(), "the next call is rejected as well");
    }

    #[test]
    fn a_runtime_that_ends_during_a_commit_blocks_no_other() {
        let doubling = Doubling::new(0, None);
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let first = runtime();
        let mut begun = std::pin::pin!(doubling.submit(&[1]));
        let mut queued = std::pin::pin!(doubling.submit(&[3]));
        first.block_on(async {
            assert!(poll_once(begun.as_mut()).await.is_none());
            tokio::task::yield_now().await;
            assert!(poll_once(queued.as_mut()).await.is_none());
        });
        drop(first);
        let kind = |answer: Result<_, StoreError>| answer.unwrap_err().kind();
        assert_eq!(kind(runtime().block_on(begun)), StoreErrorKind::Unknown);
        assert_eq!(kind(runtime().block_on(queued)), StoreErrorKind::Unavailable);
        doubling.gate.add_permits(100);
        assert_eq!(runtime().block_on(doubling.submit(&[2])).unwrap(), [4]);
    }

    /// Polls once.
    async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|cx| {
            std::task::Poll::Ready(match future.as_mut().poll(cx) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
