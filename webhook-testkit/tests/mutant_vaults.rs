//! The suite for vaults catches mutants of a vault and names the broken sentence.

mod common;

use common::{assert_caught, failure_message};
use webhook_core::store::{SEALED, SecretVault, VaultError, VaultErrorKind};
use webhook_testkit::{
    PlainVault,
    conformance::{self, vault::Vaults},
};
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug)]
enum VaultMutation {
    None,
    /// Seals for every context.
    Anywhere,
    /// Returns the same text for the same secret.
    Same,
    /// Reports every sealed text as current.
    AlwaysCurrent,
    /// Reports a missing key as a changed text.
    NoKeyIsChanged,
}

#[derive(Debug)]
struct MutantVault {
    mutation: VaultMutation,
    vault: PlainVault,
    key: &'static str,
}

impl SecretVault for MutantVault {
    fn seal(&self, plain: &[u8], context: &[u8]) -> Result<String, VaultError> {
        match self.mutation {
            VaultMutation::Anywhere => self.vault.seal(plain, b""),
            VaultMutation::Same => PlainVault::new(self.key).seal(plain, context),
            _ => self.vault.seal(plain, context),
        }
    }

    fn open(&self, sealed: &str, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let context = if matches!(self.mutation, VaultMutation::Anywhere) { b"" } else { context };
        self.vault.open(sealed, context).map_err(|error| match self.mutation {
            VaultMutation::NoKeyIsChanged => VaultError::new(VaultErrorKind::Changed),
            _ => error,
        })
    }

    fn is_current(&self, sealed: &str) -> bool {
        match self.mutation {
            VaultMutation::AlwaysCurrent => sealed.starts_with(SEALED),
            _ => self.vault.is_current(sealed),
        }
    }
}

fn mutant(mutation: VaultMutation, key: &'static str, vault: PlainVault) -> MutantVault {
    MutantVault { mutation, vault, key }
}

fn message_of(mutation: VaultMutation, case: &str, prove: fn(&Vaults<'_>)) -> Option<String> {
    let old = mutant(mutation, "old", PlainVault::new("old"));
    let both = mutant(mutation, "new", PlainVault::new("new").with_former("old"));
    let new = mutant(mutation, "new", PlainVault::new("new"));
    failure_message("vault", case, || prove(&Vaults { old: &old, both: &both, new: &new }))
}

// The same vault without a mutation passes, so each test below is about its mutation.
webhook_testkit::vault_conformance!(
    mutant(VaultMutation::None, "old", PlainVault::new("old")),
    mutant(VaultMutation::None, "new", PlainVault::new("new").with_former("old")),
    mutant(VaultMutation::None, "new", PlainVault::new("new")),
);

/// A test for each mutation: the case that catches it, and its message.
macro_rules! catch {
    ($($name:ident: $mutation:ident, $case:ident, $said:literal;)*) => {
        $(#[test]
        fn $name() {
            let case = stringify!($case);
            let sentence = format!("the vault broke its contract: {}", case.replace('_', " "));
            assert_caught(message_of(VaultMutation::$mutation, case, conformance::vault::$case), &sentence, $said);
        })*
    };
}

catch! {
    a_vault_that_opens_anywhere_is_caught:
        Anywhere, a_text_that_was_moved_does_not_open, "the place counts";
    a_vault_without_fresh_seals_is_caught:
        Same, two_seals_differ, "a thousand seals of one text are all different";
    a_vault_that_takes_everything_for_current_is_caught:
        AlwaysCurrent, a_former_key_opens_and_seals_nothing, "sealed with a former key";
    a_vault_that_mixes_up_its_errors_is_caught:
        NoKeyIsChanged, a_missing_key_is_told, "its key is not there";
}
