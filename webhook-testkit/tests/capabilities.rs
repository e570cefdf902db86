//! Cases of the suite for stores name the optional traits that they need, and no others.

use std::{cell::Cell, collections::BTreeSet, panic::catch_unwind, sync::Arc, time::Duration};

use webhook_core::store::{Capability, Store};
use webhook_testkit::{ManualClock, MemoryStore, StoreHarness, conformance::store::StoreCase};

thread_local! {
    static MISSING: Cell<Option<Capability>> = const { Cell::new(None) };
}

/// Harness of a store without the missing capability of this thread.
struct WithoutOne {
    store: MemoryStore,
    clock: ManualClock,
}

impl StoreHarness for WithoutOne {
    async fn fresh() -> Self {
        let clock = ManualClock::new();
        let store = MemoryStore::new(Arc::new(clock.clone()));
        let store = MISSING.get().into_iter().fold(store, MemoryStore::without);
        Self { store, clock }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::new(self.store.clone())
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// Names of capabilities that `MemoryStore` does not show to be needed.
const NOT_SHOWN: [(&str, Capability); 2] = [
    // It expects an error, and gets one that says that the trait is missing.
    ("an_attempt_is_recorded_of_tracked_deliveries_alone", Capability::Tracking),
    // `MemoryStore` keeps notices without the trait, so that it prunes them like the other store.
    ("random_sequences_give_the_same_answers_as_the_store_in_memory", Capability::Notices),
];

/// Asserts that a capability is named by the cases that fail without it.
fn assert_named_if_needed(capability: Capability) {
    MISSING.set(Some(capability));
    let cases = webhook_testkit::__store_cases!(__store_case_array[WithoutOne]);
    let names = |chosen: &dyn Fn(&StoreCase) -> bool| -> BTreeSet<&str> {
        cases.iter().filter(|case| chosen(case)).map(|case| case.name).collect()
    };
    let named = names(&|case| case.needs.contains(&capability));
    let failed = names(&|case| catch_unwind(case.run).is_err());
    let unnamed: Vec<_> = failed.difference(&named).collect();
    assert!(unnamed.is_empty(), "fail without {capability}, but do not name it: {unnamed:#?}");
    let unneeded =
        named.difference(&failed).filter(|name| !NOT_SHOWN.contains(&(name, capability)));
    let unneeded: Vec<_> = unneeded.collect();
    assert!(unneeded.is_empty(), "name {capability}, but pass without it: {unneeded:#?}");
}

#[test]
fn cases_name_the_directory_if_they_need_it() {
    assert_named_if_needed(Capability::Directory);
}

#[test]
fn cases_name_the_log_if_they_need_it() {
    assert_named_if_needed(Capability::Log);
}

#[test]
fn cases_name_tracking_if_they_need_it() {
    assert_named_if_needed(Capability::Tracking);
}

#[test]
fn cases_name_operations_if_they_need_them() {
    assert_named_if_needed(Capability::Operations);
}

#[test]
fn cases_name_maintenance_if_they_need_it() {
    assert_named_if_needed(Capability::Maintenance);
}

#[test]
fn cases_name_notices_if_they_need_them() {
    assert_named_if_needed(Capability::Notices);
}

#[test]
fn cases_name_the_work_signal_if_they_need_it() {
    assert_named_if_needed(Capability::WorkSignal);
}

#[test]
#[ignore = "prints the number of cases that need each capability"]
#[expect(clippy::print_stdout, reason = "it is printed for a reader")]
fn number_of_cases_by_capability() {
    let cases = webhook_testkit::__store_cases!(__store_case_array[WithoutOne]);
    println!("{:>22} {}", "all cases", cases.len());
    println!("{:>22} {}", "none", cases.iter().filter(|case| case.needs.is_empty()).count());
    for capability in Capability::ALL {
        let needing = cases.iter().filter(|case| case.needs.contains(&capability)).count();
        println!("{:>22} {needing}", capability.name());
    }
}
