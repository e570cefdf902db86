//! The contract of a vault, case by case.

use webhook_core::store::{SEALED, SecretVault, VaultErrorKind};

/// Proves a vault: takes three expressions, each of which makes one, and expands to one test for each
/// sentence of the contract of [`SecretVault`]. The first has a key, the second has it as a former
/// key behind a new one, the third has the new key alone.
///
/// ```
/// # type YourVault = webhook_testkit::PlainVault;
/// webhook_testkit::vault_conformance!(
///     YourVault::new("old"),
///     YourVault::new("new").with_former("old"),
///     YourVault::new("new"),
/// );
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! vault_conformance {
    ($old:expr, $both:expr, $new:expr $(,)?) => {
        $crate::__vault_tests! { ($old, $both, $new);
            what_was_sealed_opens
            a_sealed_text_can_be_told
            two_seals_differ
            a_text_that_was_moved_does_not_open
            a_text_that_was_changed_does_not_open
            a_former_key_opens_and_seals_nothing
            a_missing_key_is_told
            neither_text_nor_place_shows
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __vault_tests {
    ($vaults:tt; $($case:ident)*) => {
        $( $crate::__vault_test! { $vaults $case } )*
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __vault_test {
    (($old:expr, $both:expr, $new:expr) $case:ident) => {
        #[test]
        fn $case() {
            let (old, both, new) = ($old, $both, $new);
            let vaults = $crate::conformance::vault::Vaults { old: &old, both: &both, new: &new };
            $crate::conformance::prove("vault", stringify!($case), || {
                $crate::conformance::vault::$case(&vaults);
            });
        }
    };
}

/// A vault before, while and after its key is replaced.
#[derive(Debug)]
pub struct Vaults<'a> {
    pub old: &'a dyn SecretVault,
    pub both: &'a dyn SecretVault,
    pub new: &'a dyn SecretVault,
}

const PLAIN_TEXT: &[u8] = b"whsec_conformance";
const SEAL_CONTEXT: &[u8] = b"endpoint 1, column a";

pub fn what_was_sealed_opens(vaults: &Vaults<'_>) {
    let long: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    for plain in [b"".as_slice(), b"\0", PLAIN_TEXT, &long] {
        for place in [b"".as_slice(), SEAL_CONTEXT, &long] {
            let sealed = seal(vaults.old, plain, place);
            assert!(opens(vaults.old, &sealed, place, plain), "{} bytes open", plain.len());
        }
    }
}

pub fn a_sealed_text_can_be_told(vaults: &Vaults<'_>) {
    let sealed = seal(vaults.old, PLAIN_TEXT, SEAL_CONTEXT);
    assert!(sealed.starts_with(SEALED), "it begins with {SEALED}");
    assert!(sealed.bytes().all(|byte| byte.is_ascii_graphic()), "it is visible ASCII");
}

pub fn two_seals_differ(vaults: &Vaults<'_>) {
    let seals: std::collections::BTreeSet<_> =
        (0..1000).map(|_| seal(vaults.old, PLAIN_TEXT, SEAL_CONTEXT)).collect();
    assert_eq!(seals.len(), 1000, "a thousand seals of one text are all different");
}

pub fn a_text_that_was_moved_does_not_open(vaults: &Vaults<'_>) {
    let sealed = seal(vaults.old, PLAIN_TEXT, SEAL_CONTEXT);
    for other in [b"".as_slice(), b"endpoint 1, column b", b"endpoint 2, column a"] {
        let kind = vaults.old.open(&sealed, other).err().map(|error| error.kind());
        assert_eq!(kind, Some(VaultErrorKind::Changed), "the place counts");
    }
}

pub fn a_text_that_was_changed_does_not_open(vaults: &Vaults<'_>) {
    let sealed = seal(vaults.old, PLAIN_TEXT, SEAL_CONTEXT);
    for at in 0..sealed.len() {
        let mut changed: Vec<_> = sealed.bytes().collect();
        for byte in changed.iter_mut().skip(at).take(1) {
            *byte = if *byte == b'x' { b'y' } else { b'x' };
        }
        let changed = String::from_utf8_lossy(&changed);
        assert!(vaults.old.open(&changed, SEAL_CONTEXT).is_err(), "character {at} counts");
        let cut = sealed.get(..at).unwrap_or_default();
        assert!(
            vaults.old.open(cut, SEAL_CONTEXT).is_err(),
            "{at} characters are not the whole text"
        );
    }
    assert!(vaults.old.open("[]", SEAL_CONTEXT).is_err(), "plain text is not sealed");
}

pub fn a_former_key_opens_and_seals_nothing(vaults: &Vaults<'_>) {
    let former = seal(vaults.old, PLAIN_TEXT, SEAL_CONTEXT);
    assert!(opens(vaults.both, &former, SEAL_CONTEXT, PLAIN_TEXT), "a former key opens");
    assert!(vaults.old.is_current(&former), "sealed with the key of the vault");
    assert!(!vaults.both.is_current(&former), "sealed with a former key");
    let anew = seal(vaults.both, PLAIN_TEXT, SEAL_CONTEXT);
    assert!(vaults.both.is_current(&anew), "sealed with the new key");
    assert!(opens(vaults.new, &anew, SEAL_CONTEXT, PLAIN_TEXT), "the new key alone opens it");
}

pub fn a_missing_key_is_told(vaults: &Vaults<'_>) {
    let former = seal(vaults.old, PLAIN_TEXT, SEAL_CONTEXT);
    let kind = vaults.new.open(&former, SEAL_CONTEXT).err().map(|error| error.kind());
    assert_eq!(kind, Some(VaultErrorKind::NoKey), "its key is not there");
    assert!(!vaults.new.is_current(&former), "its key is not the current one");
}

pub fn neither_text_nor_place_shows(vaults: &Vaults<'_>) {
    let sealed = seal(vaults.old, PLAIN_TEXT, SEAL_CONTEXT);
    let mut shown = format!("{:?} {:#?}", vaults.old, vaults.both);
    for error in [vaults.new.open(&sealed, SEAL_CONTEXT).err(), vaults.old.open(&sealed, b"").err()]
    {
        shown.extend(error.map(|error| format!("{error} {error:?}")));
    }
    let text = String::from_utf8_lossy(PLAIN_TEXT);
    assert!(!shown.contains(&*text), "the text shows in {shown}");
    assert!(!shown.contains(&sealed), "the sealed text shows in {shown}");
}

#[expect(clippy::expect_used, reason = "a panic here is the failed assertion")]
fn seal(vault: &dyn SecretVault, plain: &[u8], place: &[u8]) -> String {
    vault.seal(plain, place).expect("it can be sealed")
}

fn opens(vault: &dyn SecretVault, sealed: &str, place: &[u8], plain: &[u8]) -> bool {
    vault.open(sealed, place).is_ok_and(|opened| opened.as_slice() == plain)
}
