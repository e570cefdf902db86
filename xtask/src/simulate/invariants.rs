//! The mutants that the simulator's invariants name.

use std::{fs, path::Path};

use crate::{
    mutant::{self, Mutant},
    run::Failure,
    sources::rust_sources,
};

/// A mutant, and the invariant that must catch it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct InvariantMutant {
    pub(super) invariant: String,
    pub(super) mutant: Mutant,
}

impl InvariantMutant {
    pub(super) fn name(&self) -> &str {
        self.mutant.name.as_deref().unwrap_or(&self.invariant)
    }

    /// Returns true if the mutant breaks the engine, false if it breaks the store.
    pub(super) fn is_of_core(&self) -> bool {
        self.mutant.file.starts_with("webhook-core/")
    }

    /// Content of the broken file.
    pub(super) fn apply(&self) -> Result<String, Failure> {
        let file = &self.mutant.file;
        let failed = |why: String| Failure::Found(format!("{}: {why}", self.name()));
        let content =
            fs::read_to_string(file).map_err(|error| failed(format!("{file}: {error}")))?;
        self.mutant.apply_to(&content).map_err(failed)
    }
}

/// Reads the mutants of all invariants in a folder, in the order of their names.
pub(super) fn read_mutants(folder: &Path) -> Result<Vec<InvariantMutant>, Failure> {
    let mut mutants = Vec::new();
    for (file, text) in rust_sources(folder)? {
        mutants.extend(mutants_of(file.trim_end_matches(".rs"), &text));
    }
    mutants
        .sort_by(|one, other| (&one.invariant, one.name()).cmp(&(&other.invariant, other.name())));
    Ok(mutants)
}

/// The invariant is named like its file, with dashes.
fn mutants_of(file: &str, text: &str) -> impl Iterator<Item = InvariantMutant> {
    let invariant = file.replace('_', "-");
    let mutants = mutant::parse(text).into_iter().flat_map(|marked| marked.mutants);
    mutants.map(move |mutant| InvariantMutant { invariant: invariant.clone(), mutant })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invariant_may_catch_several_mutants() {
        let text = "\
            // Catches `one` in webhook-core/src/a.rs:\n\
            // - old;\n\
            // Catches `two` in c.rs:\n\
            // - gone\n\
            /// An invariant.\n";
        let mutants: Vec<_> = mutants_of("one_send", text).collect();
        let found: Vec<_> =
            mutants.iter().map(|found| (found.name(), found.is_of_core())).collect();
        assert_eq!(found, [("one", true), ("two", false)]);
        assert_eq!(mutants[0].invariant, "one-send");
    }
}
