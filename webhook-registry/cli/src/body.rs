//! The bytes to send: from the command line, a file or standard input.

use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

use bytes::Bytes;
use clap::Args;
use serde::de::IgnoredAny;
use webhook_registry::NewEvent;

use crate::error::Error;

/// Where the body comes from.
#[derive(Args)]
#[group(id = "body", required = true, multiple = false)]
pub(crate) struct BodyArgs {
    /// The data, sent byte for byte as given
    #[arg(long, value_name = "JSON")]
    data: Option<String>,
    /// A file with the data, sent byte for byte
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Read the data from standard input
    #[arg(value_name = "-", value_parser = ["-"])]
    stdin: Option<String>,
}

impl std::fmt::Debug for BodyArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BodyArgs").field("file", &self.file).finish_non_exhaustive()
    }
}

/// The largest body, in bytes, unless told otherwise.
pub(crate) const MAX_BODY: usize = NewEvent::MAX_BODY;

impl BodyArgs {
    /// Reads at most `limit` bytes.
    pub(crate) fn read(&self, limit: usize) -> Result<Bytes, Error> {
        if let Some(data) = &self.data {
            read_all(data.as_bytes(), "--data", limit)
        } else if let Some(path) = &self.file {
            let what = path.display().to_string();
            let file = File::open(path);
            read_all(
                file.map_err(|source| Error::Read { what: what.clone(), source })?,
                &what,
                limit,
            )
        } else {
            read_all(io::stdin().lock(), "standard input", limit)
        }
    }
}

fn read_all(from: impl Read, what: &str, limit: usize) -> Result<Bytes, Error> {
    let mut body = Vec::new();
    // One byte more, to see that there is more, and no further: standard input may never end.
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let read = from.take(most).read_to_end(&mut body);
    read.map_err(|source| Error::Read { what: what.to_owned(), source })?;
    if body.len() > limit { Err(Error::BodyTooLarge { limit }) } else { Ok(body.into()) }
}

/// Whether `body` is one JSON text (RFC 8259).
pub(crate) fn check_json(body: &[u8]) -> Result<(), Error> {
    let text = std::str::from_utf8(body).map_err(|_| Error::NotUtf8)?;
    let read = serde_json::from_str::<IgnoredAny>(text);
    read.map(|_| ()).map_err(|error| Error::Json(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_passes_and_the_place_of_a_mistake_is_told() {
        for good in ["{}", " [1.0, 2e5]\n", "\"ü\"", "null"] {
            assert!(check_json(good.as_bytes()).is_ok(), "{good}");
        }
        let wrong = check_json(b"{\"a\":\n}").unwrap_err().to_string();
        assert!(wrong.contains("expected value at line 2 column 1"), "{wrong}");
        for bad in [&b""[..], b"{} {}", b"\"\xff\"", b"{a:1}"] {
            assert!(check_json(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_body_may_fill_the_limit_and_no_more() {
        assert_eq!(read_all(&b"1234"[..], "", 4).unwrap(), "1234");
        assert!(matches!(read_all(io::repeat(b'1'), "", 4), Err(Error::BodyTooLarge { limit: 4 })));
    }
}
