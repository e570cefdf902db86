//! The suite for stores catches mutants of a store and names the broken sentence.

#![allow(clippy::expect_used, clippy::panic, reason = "a panic here is the failed assertion")]

mod common;
mod mutant_stores {
    pub(crate) mod mutant_store;
}

use std::{cell::Cell, sync::Arc, time::Duration};

use common::{assert_caught, failure_message};
use mutant_stores::mutant_store::{MutantStore, StoreMutation};
use webhook_core::store::Store;
use webhook_testkit::{ManualClock, MemoryStore, StoreHarness, conformance};

thread_local! {
    static MUTATION: Cell<StoreMutation> = const { Cell::new(StoreMutation::None) };
}

/// Harness of a store with the mutation of this thread.
struct MutantStoreHarness {
    store: MutantStore,
    clock: ManualClock,
}

impl StoreHarness for MutantStoreHarness {
    async fn fresh() -> Self {
        let clock = ManualClock::new();
        let inner = MemoryStore::new(Arc::new(clock.clone()));
        Self { store: MutantStore::new(inner, MUTATION.get()), clock }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn reopen(&self) -> Arc<dyn Store> {
        let inner = MemoryStore::new(Arc::new(self.clock.clone()));
        match MUTATION.get() {
            StoreMutation::KeepsNothing => {
                Arc::new(MutantStore::new(inner, StoreMutation::KeepsNothing))
            }
            _ => self.store(),
        }
    }
}

/// Message of a case that runs on a store with this mutation.
macro_rules! message_of {
    ($mutation:expr, $file:ident::$case:ident) => {{
        MUTATION.set($mutation);
        failure_message("store", stringify!($case), || {
            conformance::run(conformance::store::$file::$case::<MutantStoreHarness>());
        })
    }};
}

// The same store without a mutation passes, so each test below is about its mutation.
webhook_testkit::store_conformance!(MutantStoreHarness);

#[test]
fn a_store_that_forgets_epochs_is_caught() {
    assert_caught(
        message_of!(StoreMutation::ForgetsEpochs, leases::a_late_writer_changes_nothing),
        "the store broke its contract: a late writer changes nothing",
        "the epoch has passed",
    );
    assert_caught(
        message_of!(StoreMutation::ForgetsEpochs, leases::an_epoch_from_the_future_changes_nothing),
        "the store broke its contract: an epoch from the future changes nothing",
        "no such lease",
    );
}

#[test]
fn a_store_that_loses_an_item_of_a_batch_is_caught() {
    assert_caught(
        message_of!(StoreMutation::LosesTheLastOfABatch, enqueue::a_large_batch_is_stored_whole),
        "the store broke its contract: a large batch is stored whole",
        "every delivery can be claimed, in one call",
    );
    assert_caught(
        message_of!(
            StoreMutation::LosesTheLastOfABatch,
            finish::each_finish_of_a_batch_gets_its_own_answer
        ),
        "the store broke its contract: each finish of a batch gets its own answer",
        "each finish is answered, in order",
    );
}

#[test]
fn a_store_that_writes_nothing_is_caught() {
    assert_caught(
        message_of!(StoreMutation::WritesNothing, finish::a_success_is_final),
        "the store broke its contract: a success is final",
        "the receiver has accepted it",
    );
}

#[test]
fn a_store_that_keeps_nothing_is_caught() {
    assert_caught(
        message_of!(
            StoreMutation::KeepsNothing,
            reopen::what_was_answered_is_there_when_the_store_is_opened_anew
        ),
        "the store broke its contract: \
         what was answered is there when the store is opened anew",
        "the endpoint is there",
    );
    assert_caught(
        message_of!(
            StoreMutation::KeepsNothing,
            reopen::a_lease_holds_when_the_store_is_opened_anew
        ),
        "the store broke its contract: a lease holds when the store is opened anew",
        "exactly one delivery can be claimed",
    );
    assert_caught(
        message_of!(
            StoreMutation::KeepsNothing,
            reopen::an_unrouted_event_is_there_when_the_store_is_opened_anew
        ),
        "the store broke its contract: \
         an unrouted event is there when the store is opened anew",
        "an event that was stored unrouted can be routed",
    );
}

/// Harness that fails, for example because its database is unreachable.
struct UnreachableStore;

impl StoreHarness for UnreachableStore {
    async fn fresh() -> Self {
        panic!("no database at this address")
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(MemoryStore::default())
    }

    async fn advance(&self, _by: Duration) {}
}

#[test]
fn a_failing_harness_breaks_no_contract() {
    let panic = std::panic::catch_unwind(|| {
        conformance::prove("store", "a_success_is_final", || {
            conformance::run(conformance::store::finish::a_success_is_final::<UnreachableStore>());
        });
    });
    let message = panic.expect_err("the harness fails").downcast::<&str>();
    assert_eq!(message.ok().as_deref(), Some(&"no database at this address"));
}
