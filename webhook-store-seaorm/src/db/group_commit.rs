//! Shared commits without a timer.
//!
//! A commit costs a flush of the disk, whatever it holds. While one runs, the calls that arrive wait
//! in line, and the next one takes all of them; a call that finds nobody at work goes at once. Where the
//! database has room for two writers, a second one begins when the line is long: while one waits for the
//! disk, the other has its rows written.

use std::{
    error::Error,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::{runtime::Handle, sync::oneshot};
use webhook_core::{StoreError, StoreErrorKind};

/// Calls of one kind, in line for the next commit.
pub(crate) struct Gather<I, A> {
    line: Mutex<Line<I, A>>,
    /// How long a call may stand in line.
    limit: Duration,
    /// How many may be at work at once.
    most_at_work: usize,
}

struct Line<I, A> {
    calls: Vec<Call<I, A>>,
    at_work: usize,
}

struct Call<I, A> {
    items: Vec<I>,
    arrived: Instant,
    tell: oneshot::Sender<Result<Vec<A>, StoreError>>,
}

/// Items in one commit, unless a single call brings more.
const MOST: usize = 1000;

/// Items in line for which another begins to work beside those who do.
const LONG: usize = 64;

impl<I, A> Call<I, A> {
    /// Tells the caller that nothing was written: the work has not begun.
    fn turn_away(self, why: &'static str) {
        let _ = self.tell.send(Err(StoreError::because(StoreErrorKind::Unavailable, why)));
    }
}

impl<I, A> Gather<I, A> {
    /// Nobody in line yet, and nobody to stand in it for longer than `limit`; at most so many at work.
    pub(crate) const fn new(limit: Duration, most_at_work: usize) -> Self {
        let line = Mutex::new(Line { calls: Vec::new(), at_work: 0 });
        Self { line, limit, most_at_work }
    }
}

impl<I: Clone + Send + 'static, A: Send + 'static> Gather<I, A> {
    /// Has `work` done on `items`, perhaps together with those of other calls. `work` answers each
    /// item, in order.
    pub(crate) async fn submit<W, F>(
        self: &Arc<Self>,
        items: Vec<I>,
        work: W,
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
        if self.stand_in_line(Call { items, arrived: Instant::now(), tell }) {
            let mut shift = Shift { gather: Arc::clone(self), ended: false };
            runtime.spawn(async move {
                while let Some(calls) = shift.next_calls() {
                    serve(calls, &work).await;
                }
            });
        }
        answer.await.unwrap_or_else(|_| {
            Err(StoreError::because(StoreErrorKind::Unknown, "the task that did the work is gone"))
        })
    }

    /// Whether the caller has to begin to work: nobody does, or too few do.
    fn stand_in_line(&self, call: Call<I, A>) -> bool {
        let mut line = self.line();
        line.calls.push(call);
        let is_long = || line.calls.iter().map(|call| call.items.len()).sum::<usize>() >= LONG;
        let begins = line.at_work == 0 || line.at_work < self.most_at_work && is_long();
        line.at_work += usize::from(begins);
        begins
    }

    /// The calls of the next commit; none, when the line is empty and the shift ends.
    fn next_calls(&self) -> Option<Vec<Call<I, A>>> {
        let mut line = self.line();
        // The oldest stand first.
        let late = line.calls.iter().take_while(|call| call.arrived.elapsed() >= self.limit);
        let late = late.count();
        for call in line.calls.drain(..late) {
            call.turn_away("too much work stood in line before it");
        }
        let mut items = 0;
        let fits = |call: &Call<I, A>| {
            let first = items == 0;
            items += call.items.len();
            first || items <= MOST
        };
        let count = line.calls.iter().map(fits).take_while(|fits| *fits).count();
        if count == 0 {
            line.at_work -= 1;
            return None;
        }
        Some(line.calls.drain(..count).collect())
    }
}

impl<I, A> Gather<I, A> {
    fn line(&self) -> MutexGuard<'_, Line<I, A>> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody at work.
struct Shift<I, A> {
    gather: Arc<Gather<I, A>>,
    ended: bool,
}

impl<I: Clone + Send + 'static, A: Send + 'static> Shift<I, A> {
    fn next_calls(&mut self) -> Option<Vec<Call<I, A>>> {
        let calls = self.gather.next_calls();
        self.ended = calls.is_none();
        calls
    }
}

impl<I, A> Drop for Shift<I, A> {
    /// Should the runtime end in the middle, those in line learn of it and the next call begins anew.
    fn drop(&mut self) {
        if !self.ended {
            let mut line = self.gather.line();
            line.at_work -= 1;
            for call in line.calls.drain(..) {
                call.turn_away("the runtime that worked for it has ended");
            }
        }
    }
}

async fn serve<I, A, W, F>(calls: Vec<Call<I, A>>, work: &W)
where
    I: Clone,
    W: Fn(Vec<I>) -> F,
    F: Future<Output = Result<Vec<A>, StoreError>>,
{
    let all = calls.iter().flat_map(|call| call.items.iter().cloned()).collect();
    match work(all).await {
        Ok(answers) => {
            let mut answers = answers.into_iter();
            for call in calls {
                let its = answers.by_ref().take(call.items.len()).collect();
                // Nobody may be left to hear it.
                let _ = call.tell.send(Ok(its));
            }
        }
        // Perhaps one item stopped them all: each call for itself, then.
        Err(error) if calls.len() > 1 && may_be_one_items_fault(&error) => {
            for call in calls {
                let _ = call.tell.send(work(call.items).await);
            }
        }
        Err(error) => {
            let (kind, shared) = (error.kind(), Arc::new(error));
            for call in calls {
                let source = Shared(Arc::clone(&shared));
                let _ = call.tell.send(Err(StoreError::because(kind, source)));
            }
        }
    }
}

fn may_be_one_items_fault(error: &StoreError) -> bool {
    matches!(error.kind(), StoreErrorKind::Other | StoreErrorKind::Corrupt)
}

/// Why a shared commit failed, told to each of its callers.
#[derive(Clone, Debug)]
struct Shared(Arc<StoreError>);

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.source() {
            Some(source) => fmt::Display::fmt(source, f),
            None => fmt::Display::fmt(&self.0, f),
        }
    }
}

impl Error for Shared {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()?.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    /// Doubles each item, once it is let; counts how often it is asked to.
    struct Doubling {
        gather: Arc<Gather<u32, u32>>,
        commits: Arc<AtomicUsize>,
        gate: Arc<Semaphore>,
        bad: Option<(u32, StoreErrorKind)>,
    }

    impl Doubling {
        fn new(open: usize, bad: Option<(u32, StoreErrorKind)>) -> Self {
            let gate = Arc::new(Semaphore::new(open));
            let gather = Arc::new(Gather::new(Duration::from_secs(3600), 1));
            Self { gather, commits: Arc::default(), gate, bad }
        }

        async fn submit(&self, items: &[u32]) -> Result<Vec<u32>, StoreError> {
            let (commits, gate, bad) = (self.commits.clone(), self.gate.clone(), self.bad);
            let work = move |items: Vec<u32>| {
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
            self.gather.submit(items.to_vec(), work).await
        }

        /// Three calls, the first of which keeps the others waiting until all have come.
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
    async fn a_call_that_finds_nobody_at_work_goes_at_once() {
        let doubling = Doubling::new(100, None);
        assert_eq!(doubling.submit(&[1, 2]).await.unwrap(), [2, 4]);
        assert_eq!(doubling.submit(&[3]).await.unwrap(), [6]);
        assert!(doubling.submit(&[]).await.unwrap().is_empty());
        assert_eq!(doubling.commits(), 2);
    }

    #[tokio::test]
    async fn calls_that_meet_share_a_commit_and_each_gets_its_own_answers() {
        let doubling = Doubling::new(0, None);
        let answers = doubling.three().await.map(Result::unwrap);
        assert_eq!(answers, [vec![2], vec![4, 6], vec![8]]);
        assert!(doubling.commits() <= 2, "{} commits", doubling.commits());
    }

    #[tokio::test]
    async fn a_second_begins_to_work_when_the_line_is_long_and_no_third() {
        for (items, at_once) in [(LONG / 2 - 1, 1), (LONG, 2)] {
            let mut doubling = Doubling::new(0, None);
            doubling.gather = Arc::new(Gather::new(Duration::from_secs(3600), 2));
            let many = vec![2; items];
            // The others come while the first is at work.
            let others = async {
                tokio::task::yield_now().await;
                tokio::join!(doubling.submit(&many), doubling.submit(&many))
            };
            let open = async {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                assert_eq!(doubling.commits(), at_once, "{items} items in line");
                doubling.gate.add_permits(100);
            };
            let (a, (b, c), ()) = tokio::join!(doubling.submit(&[1]), others, open);
            assert_eq!(a.unwrap(), [2]);
            assert!([b, c].into_iter().all(|answers| answers.unwrap() == vec![4; items]));
        }
    }

    #[tokio::test]
    async fn an_error_of_a_shared_commit_is_told_to_all_its_callers() {
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
    async fn a_call_that_stood_in_line_too_long_is_turned_away_unwritten() {
        let mut doubling = Doubling::new(100, None);
        doubling.gather = Arc::new(Gather::new(Duration::ZERO, 1));
        let error = doubling.submit(&[1]).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable);
        assert_eq!(doubling.commits(), 0);
        assert!(doubling.submit(&[2]).await.is_err(), "and somebody looked after the next one");
    }

    #[test]
    fn a_runtime_that_ends_in_the_middle_stops_nobody_else() {
        let doubling = Doubling::new(0, None);
        let runtime = || tokio::runtime::Builder::new_current_thread().build().unwrap();
        let first = runtime();
        let mut begun = std::pin::pin!(doubling.submit(&[1]));
        let mut in_line = std::pin::pin!(doubling.submit(&[3]));
        first.block_on(async {
            assert!(poll_once(begun.as_mut()).await.is_none());
            tokio::task::yield_now().await;
            assert!(poll_once(in_line.as_mut()).await.is_none());
        });
        drop(first);
        let kind = |answer: Result<_, StoreError>| answer.unwrap_err().kind();
        assert_eq!(kind(runtime().block_on(begun)), StoreErrorKind::Unknown);
        assert_eq!(kind(runtime().block_on(in_line)), StoreErrorKind::Unavailable);
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
