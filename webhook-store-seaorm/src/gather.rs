//! Shared commits without a timer.
//!
//! A commit costs a flush of the disk, whatever it holds. While one runs, the calls that arrive wait
//! in line, and the next one takes all of them; a call that finds nobody at work goes at once.

use std::{
    error::Error,
    fmt,
    future::Future,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{runtime::Handle, sync::oneshot};
use webhook_core::{StoreError, StoreErrorKind};

/// Calls of one kind, in line for the next commit.
#[derive(Debug)]
pub(crate) struct Gather<I, A> {
    line: Mutex<Line<I, A>>,
}

#[derive(Debug)]
struct Line<I, A> {
    calls: Vec<Call<I, A>>,
    busy: bool,
}

#[derive(Debug)]
struct Call<I, A> {
    items: Vec<I>,
    tell: oneshot::Sender<Result<Vec<A>, StoreError>>,
}

/// Items in one commit, unless a single call brings more.
const MOST: usize = 1000;

impl<I, A> Default for Gather<I, A> {
    fn default() -> Self {
        Self { line: Mutex::new(Line { calls: Vec::new(), busy: false }) }
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
        if self.stand_in_line(Call { items, tell }) {
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

    /// Whether nobody is at work, so that the caller has to begin.
    fn stand_in_line(&self, call: Call<I, A>) -> bool {
        let mut line = self.line();
        line.calls.push(call);
        !mem::replace(&mut line.busy, true)
    }

    /// The calls of the next commit; none, when the line is empty and the shift ends.
    fn next_calls(&self) -> Option<Vec<Call<I, A>>> {
        let mut line = self.line();
        let mut items = 0;
        let fits = |call: &Call<I, A>| {
            let first = items == 0;
            items += call.items.len();
            first || items <= MOST
        };
        let count = line.calls.iter().map(fits).take_while(|fits| *fits).count();
        line.busy = count > 0;
        line.busy.then(|| line.calls.drain(..count).collect())
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
            line.busy = false;
            line.calls.clear();
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
