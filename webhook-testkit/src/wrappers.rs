//! Wrappers of a store have the capabilities of the store inside.

use std::sync::Arc;

use webhook_core::store::{Capabilities, Capability, Store};

use crate::{
    FaultyStore, MemoryStore,
    observed::{Effect, Observed, Observer},
};

#[derive(Debug)]
struct Unobserved;

impl Observer for Unobserved {
    fn observe(&self, _: Effect) {}
}

/// Stores with all capabilities but one each.
fn each_without_one() -> impl Iterator<Item = MemoryStore> {
    Capability::ALL.into_iter().map(|missing| MemoryStore::default().without(missing))
}

fn supported(store: &dyn Store) -> Capabilities {
    let supported = Capability::ALL.into_iter().filter(|capability| store.supports(*capability));
    supported.fold(Capabilities::NONE, Capabilities::with)
}

#[test]
fn an_observed_store_has_the_capabilities_of_the_store_inside() {
    let stores = each_without_one().flat_map(|store| -> [Arc<dyn Store>; 2] {
        // The only one with a work signal.
        [Arc::new(FaultyStore::new(store.clone())), Arc::new(store)]
    });
    for inner in stores {
        let observed = Observed::new(Arc::clone(&inner), Arc::new(Unobserved));
        assert_eq!(supported(&observed), supported(&*inner), "{:?}", inner.capabilities());
        assert_eq!(observed.capabilities(), inner.capabilities());
    }
}

#[test]
fn a_faulty_store_adds_a_work_signal_and_hides_nothing() {
    for inner in each_without_one() {
        let expected = supported(&inner).with(Capability::WorkSignal);
        let faulty = FaultyStore::new(inner.clone());
        assert_eq!(supported(&faulty), expected, "{:?}", inner.capabilities());
        assert_eq!(faulty.capabilities(), inner.capabilities());
    }
}

#[cfg(feature = "mocks")]
#[test]
fn a_mock_lacks_the_removed_capability_and_the_work_signal() {
    for missing in Capability::ALL {
        let mock = crate::mock::MockStore::new().without(missing);
        let expected = Capabilities::ALL.without(missing);
        assert_eq!(mock.capabilities(), expected);
        assert_eq!(supported(&mock), expected.without(Capability::WorkSignal));
    }
}
