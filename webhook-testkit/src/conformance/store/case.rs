//! A case, and the capabilities without which it is skipped.

use std::io::{self, Write as _};

use webhook_core::store::{Capabilities, Capability};

use super::{
    super::{prove, run},
    StoreHarness,
};

/// A case of the suite for stores.
#[derive(Clone, Copy, Debug)]
pub struct StoreCase {
    /// Name of the case: a sentence of the contract, with `_` for blanks.
    pub name: &'static str,
    /// Capabilities without which the case is skipped.
    pub needs: &'static [Capability],
    /// Runs the case to its end. It panics if the case fails.
    pub run: fn(),
}

impl StoreCase {
    /// Proves a store by this case. A store that lacks a capability skips the case, and the line
    /// about it is printed even if the output of tests is captured.
    ///
    /// `supported` returns the capabilities of the store. It is called only if the case needs any.
    pub fn prove(&self, supported: impl FnOnce() -> Capabilities) {
        if let Some(line) = self.prove_or_skip(supported) {
            // A single write, so that lines of concurrent tests stay whole.
            _ = io::stderr().write_all(line.as_bytes());
        }
    }

    /// Returns the line to print if the case is skipped.
    fn prove_or_skip(&self, supported: impl FnOnce() -> Capabilities) -> Option<String> {
        let missing = if self.needs.is_empty() { vec![] } else { self.missing(supported()) };
        if missing.is_empty() {
            prove("store", self.name, self.run);
            return None;
        }
        Some(skipped(self.name, &missing))
    }

    /// Needed capabilities that are not among the supported ones.
    fn missing(&self, supported: Capabilities) -> Vec<Capability> {
        self.needs.iter().copied().filter(|needed| !supported.has(*needed)).collect()
    }
}

/// Line about a skipped case.
fn skipped(case: &str, missing: &[Capability]) -> String {
    let missing: Vec<_> = missing.iter().map(|capability| capability.name()).collect();
    format!("skipped: store case {case}: the store has no {}\n", missing.join(", no "))
}

/// Returns the capabilities of the store of a harness. Creates one store.
pub fn capabilities_of<H: StoreHarness>() -> Capabilities {
    run(async {
        let harness = H::fresh().await;
        let store = harness.store();
        let supported = Capability::ALL.into_iter().filter(|one| store.supports(*one));
        supported.fold(Capabilities::NONE, Capabilities::with)
    })
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    const NEEDY: StoreCase = StoreCase {
        name: "some_case",
        needs: &[Capability::Ordering, Capability::Log],
        run: || panic!("it runs"),
    };

    #[test]
    fn a_case_is_skipped_if_a_capability_is_missing() {
        let rest = Capabilities::NONE.with(Capability::Ordering);
        assert_eq!(
            NEEDY.prove_or_skip(|| rest).as_deref(),
            Some("skipped: store case some_case: the store has no log\n")
        );
        assert_eq!(
            NEEDY.prove_or_skip(|| Capabilities::NONE).as_deref(),
            Some("skipped: store case some_case: the store has no ordering, no log\n")
        );
    }

    #[test]
    fn a_case_runs_if_the_store_has_all_that_it_needs() {
        let enough = Capabilities::NONE.with(Capability::Ordering).with(Capability::Log);
        assert!(catch_unwind(|| NEEDY.prove_or_skip(|| enough)).is_err(), "it runs and fails");
    }

    #[test]
    fn a_case_without_needs_asks_for_no_capabilities() {
        let passes = StoreCase { needs: &[], run: || {}, ..NEEDY };
        let asks = || panic!("a store would be created for nothing");
        assert_eq!(passes.prove_or_skip(asks), None);
    }
}
