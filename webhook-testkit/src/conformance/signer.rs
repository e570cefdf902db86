//! The contract of a signer, case by case.

use webhook_core::signing::Signer;

/// Proves a signer: takes an expression that makes one, and expands to one test for each sentence
/// of the contract of [`Signer`](webhook_core::signing::Signer).
///
/// ```
/// # type YourSigner = webhook_testkit::PlainSigner;
/// webhook_testkit::signer_conformance!(YourSigner::new());
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! signer_conformance {
    ($signer:expr) => {
        $crate::__signer_tests! { $signer;
            codes_are_those_of_rfc_4231
            content_is_the_concatenation_of_its_parts
            a_code_verifies
            a_changed_code_key_or_content_does_not_verify
            randomness_differs_each_time
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __signer_tests {
    ($signer:expr; $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                let signer = $signer;
                $crate::conformance::prove("signer", stringify!($case), || {
                    $crate::conformance::signer::$case(&signer);
                });
            }
        )*
    };
}

/// Key, content, and HMAC-SHA256 in hexadecimal: RFC 4231, sections 4.2 to 4.4 and 4.7.
const RFC_4231_VECTORS: [(&[u8], &[u8], &str); 4] = [
    (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (
        b"Jefe",
        b"what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
    ),
    (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (
        &[0xaa; 131],
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
];

pub fn codes_are_those_of_rfc_4231(signer: &dyn Signer) {
    for (key, content, expected) in RFC_4231_VECTORS {
        let tag: String = tag(signer, key, &[content]).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(tag, expected, "the code of {} bytes under {}", content.len(), key.len());
    }
}

pub fn content_is_the_concatenation_of_its_parts(signer: &dyn Signer) {
    let whole = tag(signer, b"key", &[b"content"]);
    assert_eq!(tag(signer, b"key", &[b"con", b"", b"tent"]), whole, "parts make no difference");
    assert_ne!(tag(signer, b"key", &[]), whole, "no content has a code of its own");
}

pub fn a_code_verifies(signer: &dyn Signer) {
    let tag = tag(signer, b"key", &[b"content"]);
    assert!(signer.verify_hmac_sha256(b"key", &[b"con", b"tent"], &tag), "its own code verifies");
}

pub fn a_changed_code_key_or_content_does_not_verify(signer: &dyn Signer) {
    let tag = tag(signer, b"key", &[b"content"]);
    let verify =
        |key: &[u8], content: &[u8], tag: &[u8]| signer.verify_hmac_sha256(key, &[content], tag);
    for at in 0..tag.len() {
        let mut changed = tag;
        changed.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1);
        assert!(!verify(b"key", b"content", &changed), "byte {at} of the code counts");
        let shorter = tag.get(..at).unwrap_or_default();
        assert!(!verify(b"key", b"content", shorter), "{at} bytes are no whole code");
    }
    let longer = [&tag[..], &[0]].concat();
    assert!(!verify(b"key", b"content", &longer), "more bytes are no code either");
    assert!(!verify(b"kez", b"content", &tag), "the key counts");
    assert!(!verify(b"key", b"contenu", &tag), "the content counts");
}

#[expect(clippy::expect_used, reason = "a panic here is the failed assertion")]
pub fn randomness_differs_each_time(signer: &dyn Signer) {
    let (mut first, mut second) = ([0; 32], [0; 32]);
    signer.fill_random(&mut first).expect("there is randomness");
    signer.fill_random(&mut second).expect("there is randomness");
    assert_ne!(first, second, "two keys are never the same");
    assert_ne!(first[16..], [0; 16], "the whole buffer is filled");
    let secret = signer.generate_secret().expect("a secret can be made");
    assert!(secret.standard_key().is_some(), "it is a whsec_ secret");
}

#[expect(clippy::expect_used, reason = "a panic here is the failed assertion")]
fn tag(signer: &dyn Signer, key: &[u8], content: &[&[u8]]) -> [u8; 32] {
    signer.hmac_sha256(key, content).expect("a code can be made")
}
