//! The keys of a vault: in a file, or in a variable.

use std::sync::Arc;

use webhook_core::store::SecretVault;

use super::{InvalidSetting, Reading};

/// The file with the keys.
const KEY_FILE_VARIABLE: &str = "WEBHOOK_VAULT_KEY_FILE";
/// The keys themselves.
const KEYS_VARIABLE: &str = "WEBHOOK_VAULT_KEY";

/// The vault, where one is set.
pub(super) fn vault(reading: &Reading<'_>) -> Result<Option<Arc<dyn SecretVault>>, InvalidSetting> {
    match (reading.text(KEY_FILE_VARIABLE)?, reading.text(KEYS_VARIABLE)?) {
        (None, None) => Ok(None),
        (Some(_), Some(_)) => Err(InvalidSetting::hidden(
            KEYS_VARIABLE,
            format!("it to be unset, as {KEY_FILE_VARIABLE} is set"),
        )),
        (Some(path), None) => made(KEY_FILE_VARIABLE, &read(&path)?).map(Some),
        (None, Some(keys)) => made(KEYS_VARIABLE, &keys).map(Some),
    }
}

/// What a file holds; warns when others may read it.
fn read(path: &str) -> Result<String, InvalidSetting> {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(path) {
        use std::os::unix::fs::PermissionsExt as _;
        if found.permissions().mode() & 0o007 != 0 {
            tracing::warn!(
                path,
                "everybody on this machine may read the keys of the vault; run chmod 600 on it"
            );
        }
    }
    std::fs::read_to_string(path).map_err(|error| {
        InvalidSetting::new(
            KEY_FILE_VARIABLE,
            path,
            format!("a file of keys that can be read: {error}"),
        )
    })
}

#[cfg(feature = "http")]
fn made(variable: &'static str, text: &str) -> Result<Arc<dyn SecretVault>, InvalidSetting> {
    use webhook_http::{RingVault, VaultKey};

    let wrong = || {
        let expected =
            "keys as `webhook vault keygen` prints them, one a line, the current one first";
        InvalidSetting::hidden(variable, expected)
    };
    let lines =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let keys = lines.map(|line| line.parse::<VaultKey>().map_err(|_| wrong()));
    let mut keys = keys.collect::<Result<Vec<_>, _>>()?.into_iter();
    let current = RingVault::new(keys.next().ok_or_else(wrong)?);
    Ok(Arc::new(keys.fold(current, RingVault::with_former)))
}

#[cfg(not(feature = "http"))]
fn made(variable: &'static str, _: &str) -> Result<Arc<dyn SecretVault>, InvalidSetting> {
    Err(InvalidSetting::hidden(variable, "a build with the feature `http`, which brings the vault"))
}

#[cfg(all(test, feature = "http"))]
mod tests {
    use crate::settings::tests::read;

    const OLD_KEY: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    const NEW_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    #[test]
    fn the_first_key_seals_and_the_others_open() {
        let old = read(&[("WEBHOOK_VAULT_KEY", OLD_KEY)]).unwrap().vault().unwrap();
        let sealed = old.seal(b"secret", b"place").unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), format!("# of today\n{NEW_KEY}\n\n  # before\n {OLD_KEY} \n"))
            .unwrap();
        let path = file.path().to_str().unwrap();
        let settings = read(&[("WEBHOOK_VAULT_KEY_FILE", path)]).unwrap();
        let both = settings.vault().unwrap();
        assert_eq!(both.open(&sealed, b"place").unwrap().as_slice(), b"secret");
        assert!(!both.is_current(&sealed));
        assert!(read(&[]).unwrap().vault().is_none());
    }

    #[test]
    fn what_is_wrong_is_said_without_a_key() {
        let cut = &NEW_KEY[..20];
        let table = [
            vec![("WEBHOOK_VAULT_KEY", cut)],
            vec![("WEBHOOK_VAULT_KEY", "# nothing")],
            vec![("WEBHOOK_VAULT_KEY", NEW_KEY), ("WEBHOOK_VAULT_KEY_FILE", "keys")],
            vec![("WEBHOOK_VAULT_KEY_FILE", "/nowhere/keys")],
        ];
        for values in table {
            let error = read(&values).unwrap_err();
            assert!(error.variable().starts_with("WEBHOOK_VAULT_KEY"), "{error}");
            assert!(!format!("{error} {error:?}").contains(cut), "{error}");
        }
        let settings = read(&[("WEBHOOK_VAULT_KEY", NEW_KEY)]).unwrap();
        assert!(!format!("{settings:?}").contains(cut));
    }
}
