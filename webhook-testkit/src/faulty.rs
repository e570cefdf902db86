//! Faults by script, before a call has its effect or after it.

mod store;
mod transport;

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

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
}

/// Faults still to come; none, when it is empty.
#[derive(Debug)]
struct Faults<K>(Mutex<VecDeque<Fault<K>>>);

impl<K> Faults<K> {
    fn add(&self, faults: impl IntoIterator<Item = Fault<K>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(faults);
    }

    fn next(&self) -> Fault<K> {
        let mut faults = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        faults.pop_front().unwrap_or(Fault::None)
    }
}

impl<K> Default for Faults<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// Makes a call, with what goes wrong in it.
async fn around<K, T, E>(
    fault: Fault<K>,
    call: impl Future<Output = Result<T, E>>,
    failed: impl FnOnce(K) -> E,
) -> Result<T, E> {
    match fault {
        Fault::None => call.await,
        Fault::Before(kind) => Err(failed(kind)),
        Fault::After(kind) => {
            call.await?;
            Err(failed(kind))
        }
    }
}

/// The reason that every scripted fault gives.
const WHY: &str = "a fault by script";
