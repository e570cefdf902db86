//! The suite for vaults notices a vault that breaks its contract, and says which sentence.

mod common;

use common::{assert_said, said};
use webhook_core::{SEALED, SecretVault, VaultError, VaultErrorKind};
use webhook_testkit::{
    PlainVault,
    conformance::{self, vault::Vaults},
};
use zeroize::Zeroizing;

#[derive(Clone, Copy, Debug)]
enum Flaw {
    None,
    /// Seals for every place.
    Anywhere,
    /// Gives the same text for the same secret.
    Same,
    /// Takes any sealed text for current.
    AlwaysCurrent,
    /// Says of a missing key that the text was changed.
    NoKeyIsChanged,
}

#[derive(Debug)]
struct Wrong {
    flaw: Flaw,
    vault: PlainVault,
    key: &'static str,
}

impl SecretVault for Wrong {
    fn seal(&self, plain: &[u8], context: &[u8]) -> Result<String, VaultError> {
        match self.flaw {
            Flaw::Anywhere => self.vault.seal(plain, b""),
            Flaw::Same => PlainVault::new(self.key).seal(plain, context),
            _ => self.vault.seal(plain, context),
        }
    }

    fn open(&self, sealed: &str, context: &[u8]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let context = if matches!(self.flaw, Flaw::Anywhere) { b"" } else { context };
        self.vault.open(sealed, context).map_err(|error| match self.flaw {
            Flaw::NoKeyIsChanged => VaultError::new(VaultErrorKind::Changed),
            _ => error,
        })
    }

    fn is_current(&self, sealed: &str) -> bool {
        match self.flaw {
            Flaw::AlwaysCurrent => sealed.starts_with(SEALED),
            _ => self.vault.is_current(sealed),
        }
    }
}

fn wrong(flaw: Flaw, key: &'static str, vault: PlainVault) -> Wrong {
    Wrong { flaw, vault, key }
}

fn told(flaw: Flaw, case: &str, prove: fn(&Vaults<'_>)) -> Option<String> {
    let old = wrong(flaw, "old", PlainVault::new("old"));
    let both = wrong(flaw, "new", PlainVault::new("new").with_former("old"));
    let new = wrong(flaw, "new", PlainVault::new("new"));
    said("vault", case, || prove(&Vaults { old: &old, both: &both, new: &new }))
}

// The same vault without a flaw passes: it is the flaw that each test below is about.
webhook_testkit::vault_conformance!(
    wrong(Flaw::None, "old", PlainVault::new("old")),
    wrong(Flaw::None, "new", PlainVault::new("new").with_former("old")),
    wrong(Flaw::None, "new", PlainVault::new("new")),
);

/// A test for each flaw: the case that tells it, and what it says.
macro_rules! told {
    ($($name:ident: $flaw:ident, $case:ident, $said:literal;)*) => {
        $(#[test]
        fn $name() {
            let case = stringify!($case);
            let sentence = format!("the vault broke its contract: {}", case.replace('_', " "));
            assert_said(told(Flaw::$flaw, case, conformance::vault::$case), &sentence, $said);
        })*
    };
}

told! {
    one_that_opens_anywhere_is_told:
        Anywhere, a_text_that_was_moved_does_not_open, "the place counts";
    one_without_fresh_seals_is_told:
        Same, two_seals_differ, "a thousand seals of one text are all different";
    one_that_takes_everything_for_current_is_told:
        AlwaysCurrent, a_former_key_opens_and_seals_nothing, "sealed with a former key";
    one_that_mixes_up_its_errors_is_told:
        NoKeyIsChanged, a_missing_key_is_told, "its key is not there";
}
