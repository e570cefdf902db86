//! Scripted faults, before or after the effect of a call.

mod store;
mod store_call;
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

pub use store::FaultyStore;
pub use store_call::StoreCall;
pub use transport::FaultyTransport;

/// Fault of one call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault<K> {
    /// No fault.
    None,
    /// The call fails with an error of this kind and has no effect.
    Before(K),
    /// The call takes effect, and its result is replaced by an error of this kind.
    After(K),
    /// The call takes effect, and its result is held until the test releases it. Other calls may
    /// run in between.
    Held,
}

/// Source of faults and delays that replaces the script.
pub(crate) trait FaultSource: fmt::Debug + Send + Sync + 'static {
    /// Returns the faults and delays of a call that starts now.
    fn plan_call(&self, call: StoreCall) -> CallPlan;
}

/// Faults and delays of one call.
pub(crate) struct CallPlan {
    /// Delay before the effect.
    pub(crate) before: BoxFuture<'static, ()>,
    pub(crate) fault: Fault<StoreErrorKind>,
    /// Delay after the effect.
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

/// Script of the faults of one method.
#[derive(Debug)]
struct FaultScript<K> {
    /// Faults of the next calls. Calls after its end have none.
    script: Mutex<VecDeque<Fault<K>>>,
    calls: AtomicUsize,
    release_held: Notify,
}

impl<K> FaultScript<K> {
    fn add(&self, faults: impl IntoIterator<Item = Fault<K>>) {
        self.script().extend(faults);
    }

    /// Number of calls.
    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Releases the results that are held now.
    fn release_held(&self) {
        self.release_held.notify_waiters();
    }

    /// Makes a call with the next fault.
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
                self.release_held.notified().await;
                answer
            }
        }
    }

    fn script(&self) -> MutexGuard<'_, VecDeque<Fault<K>>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K> Default for FaultScript<K> {
    fn default() -> Self {
        Self { script: Mutex::default(), calls: AtomicUsize::new(0), release_held: Notify::new() }
    }
}

/// Message of the errors of scripted faults.
const FAULT_MESSAGE: &str = "a fault by script";
