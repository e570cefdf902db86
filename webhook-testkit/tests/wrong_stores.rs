//! The suite for stores notices a store that breaks its contract, and says which sentence.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic here is the failed assertion")]

mod common;
mod wrong_stores {
    pub(crate) mod wrong;
}

use std::{cell::Cell, sync::Arc, time::Duration};

use common::{assert_said, said};
use webhook_core::Store;
use webhook_testkit::{ManualClock, MemoryStore, StoreHarness, conformance};
use wrong_stores::wrong::{Flaw, WrongStore};

thread_local! {
    static FLAW: Cell<Flaw> = const { Cell::new(Flaw::None) };
}

/// Brings a store with the flaw of this thread.
struct Wrong {
    store: WrongStore,
    clock: ManualClock,
}

impl StoreHarness for Wrong {
    async fn fresh() -> Self {
        let clock = ManualClock::new();
        let inner = MemoryStore::new(Arc::new(clock.clone()));
        Self { store: WrongStore::new(inner, FLAW.get()), clock }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn reopen(&self) -> Arc<dyn Store> {
        let inner = MemoryStore::new(Arc::new(self.clock.clone()));
        match FLAW.get() {
            Flaw::KeepsNothing => Arc::new(WrongStore::new(inner, Flaw::KeepsNothing)),
            _ => self.store(),
        }
    }
}

/// What the case says of a store with this flaw.
macro_rules! said_of {
    ($flaw:expr, $file:ident::$case:ident) => {{
        FLAW.set($flaw);
        said("store", stringify!($case), || {
            conformance::run(conformance::store::$file::$case::<Wrong>());
        })
    }};
}

// The same store without a flaw passes: it is the flaw that each test below is about.
webhook_testkit::store_conformance!(Wrong);

#[test]
fn one_that_forgets_the_epoch_of_a_lease_is_told() {
    assert_said(
        said_of!(Flaw::ForgetsEpochs, leases::a_late_writer_changes_nothing),
        "the store broke its contract: a late writer changes nothing",
        "the epoch has passed",
    );
    assert_said(
        said_of!(Flaw::ForgetsEpochs, leases::an_epoch_from_the_future_changes_nothing),
        "the store broke its contract: an epoch from the future changes nothing",
        "no such lease",
    );
}

#[test]
fn one_that_loses_an_item_of_a_batch_is_told() {
    assert_said(
        said_of!(Flaw::LosesTheLastOfABatch, enqueue::a_large_batch_is_stored_whole),
        "the store broke its contract: a large batch is stored whole",
        "every delivery can be claimed, in one call",
    );
    assert_said(
        said_of!(Flaw::LosesTheLastOfABatch, finish::each_finish_of_a_batch_gets_its_own_answer),
        "the store broke its contract: each finish of a batch gets its own answer",
        "each finish is answered, in order",
    );
}

#[test]
fn one_that_answers_and_writes_nothing_is_told() {
    assert_said(
        said_of!(Flaw::WritesNothing, finish::a_success_is_final),
        "the store broke its contract: a success is final",
        "the receiver has accepted it",
    );
}

#[test]
fn one_that_has_forgotten_everything_when_it_is_opened_anew_is_told() {
    assert_said(
        said_of!(
            Flaw::KeepsNothing,
            reopen::what_was_answered_is_there_when_the_store_is_opened_anew
        ),
        "the store broke its contract: \
         what was answered is there when the store is opened anew",
        "the endpoint is there",
    );
    assert_said(
        said_of!(Flaw::KeepsNothing, reopen::a_lease_holds_when_the_store_is_opened_anew),
        "the store broke its contract: a lease holds when the store is opened anew",
        "exactly one delivery can be claimed",
    );
    assert_said(
        said_of!(
            Flaw::KeepsNothing,
            reopen::an_unrouted_event_is_there_when_the_store_is_opened_anew
        ),
        "the store broke its contract: \
         an unrouted event is there when the store is opened anew",
        "an event that was stored unrouted can be routed",
    );
}

/// A store that cannot be made ready, because its database is away, say.
struct Away;

impl StoreHarness for Away {
    async fn fresh() -> Self {
        panic!("no database at this address")
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::default())
    }

    async fn advance(&self, _by: Duration) {}
}

#[test]
fn one_that_cannot_be_made_ready_has_broken_nothing() {
    let panic = std::panic::catch_unwind(|| {
        conformance::prove("store", "a_success_is_final", || {
            conformance::run(conformance::store::finish::a_success_is_final::<Away>());
        });
    });
    let said = panic.expect_err("it cannot be made").downcast::<&str>();
    assert_eq!(said.ok().as_deref(), Some(&"no database at this address"));
}
