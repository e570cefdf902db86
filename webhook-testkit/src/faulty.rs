//! Faults by script, before a call has its effect or after it.

mod store;
mod transport;

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::future::BoxFuture;
use tokio::sync::Notify;
use webhook_core::StoreErrorKind;

pub use store::{FaultyStore, StoreCall};
pub use transport::FaultyTransport;

/// What goes wrong in one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault<K> {
    /// Nothing: the call is handed on.
    None,
    /// The call fails with an error of this kind, and has no effect.
    Before(K),
    /// The call has its effect, and then its answer is lost behind an error of this kind.
    After(K),
    /// The call has its effect, and its answer is held back until the test lets it go: other things
    /// may happen in between.
    Held,
}

/// Says what each call goes through, instead of a script.
pub(crate) trait FaultSource: fmt::Debug + Send + Sync + 'static {
    /// What the call that begins now goes through.
    fn plan_call(&self, call: StoreCall) -> CallPlan;
}

/// What a call goes through.
pub(crate) struct CallPlan {
    /// What it waits for before its effect.
    pub(crate) before: BoxFuture<'static, ()>,
    pub(crate) fault: Fault<StoreErrorKind>,
    /// What its answer waits for.
    pub(crate) after: BoxFuture<'static, ()>,
}

impl CallPlan {
    async fn around<T, E>(
        self,
        call: impl Future<Output = Result<T, E>>,
        failed: impl FnOnce(StoreErrorKind) -> E,
    ) -> Result<T, E> {
        self.before.await;
        if let Fault::Before(kind) = self.fault {
            return Err(failed(kind));
        }
        let answer = call.await;
        self.after.await;
        match self.fault {
            Fault::After(kind) => answer.and(Err(failed(kind))),
            _ => answer,
        }
    }
}

/// The script of one call.
#[derive(Debug)]
struct Faults<K> {
    /// Faults still to come; none, when it is empty.
    script: Mutex<VecDeque<Fault<K>>>,
    calls: AtomicUsize,
    let_go: Notify,
}

impl<K> Faults<K> {
    fn add(&self, faults: impl IntoIterator<Item = Fault<K>>) {
        self.script().extend(faults);
    }

    /// How often the call was made.
    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Lets the answers go that are held back now.
    fn let_go(&self) {
        self.let_go.notify_waiters();
    }

    /// Makes a call, with what goes wrong in it.
    async fn around<T, E>(
        &self,
        call: impl Future<Output = Result<T, E>>,
        failed: impl FnOnce(K) -> E,
    ) -> Result<T, E> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let fault = self.script().pop_front().unwrap_or(Fault::None);
        match fault {
            Fault::None => call.await,
            Fault::Before(kind) => Err(failed(kind)),
            Fault::After(kind) => {
                call.await?;
                Err(failed(kind))
            }
            Fault::Held => {
                let answer = call.await;
                self.let_go.notified().await;
                answer
            }
        }
    }

    fn script(&self) -> MutexGuard<'_, VecDeque<Fault<K>>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Default for Faults<K> {
    fn default() -> Self {
        Self { script: Mutex::default(), calls: AtomicUsize::new(0), let_go: Notify::new() }
    }
}

/// The reason that every scripted fault gives.
const WHY: &str = "a fault by script";
