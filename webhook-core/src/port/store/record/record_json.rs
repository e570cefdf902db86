//! Records read from JSON, with errors that repeat no value.

use serde::{Deserialize, de::DeserializeOwned};

use super::{record_error::RecordError, record_fields::RECORD_VERSION};

/// Reads a record, or another row of a store, from JSON.
///
/// An error of `serde_json` may repeat a stored value, such as a secret or a payload. The errors of
/// this function do not, so a store may log them.
///
/// # Errors
///
/// [`RecordError::UnknownVersion`] if another release wrote the record;
/// [`RecordError::InvalidJson`] otherwise.
pub fn record_from_json<R: DeserializeOwned>(json: &[u8]) -> Result<R, RecordError> {
    serde_json::from_slice(json).map_err(|error| match serde_json::from_slice::<Version>(json) {
        Ok(Version { v }) if v != RECORD_VERSION => RecordError::UnknownVersion(v),
        _ => RecordError::InvalidJson { line: error.line(), column: error.column() },
    })
}

#[derive(Deserialize)]
struct Version {
    v: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::store::record::AttemptRecord;

    #[test]
    fn an_error_names_the_version_or_the_place_and_repeats_no_value() {
        let table: [(&[u8], &str); 4] = [
            (
                br#"{"v":2,"number":1}"#,
                "unknown version 2 of a record; read it by the release that",
            ),
            (br#"{"v":1,"number":"s3cret"}"#, "cannot read the record at line 1, column 24"),
            (b"[\"s3cret\"]", "cannot read the record at line 1"),
            (b"", "cannot read the record at line 1, column 0"),
        ];
        for (json, expected) in table {
            let error = record_from_json::<AttemptRecord>(json).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
