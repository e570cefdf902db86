//! Who holds a lease: the name of a worker, for people.

use std::{fmt, str::FromStr, sync::Arc};

use crate::model::text::serde_as_text;

/// The name of a worker, such as `host-1:4711`: it stands with each delivery that the worker has
/// claimed, for operators. Nothing depends on it: what fences a late writer is the lease epoch.
///
/// 1 to [`MAX_LEN`](Self::MAX_LEN) bytes of `A-Z`, `a-z`, `0-9`, `.`, `_`, `-`, `:` and `/`.
///
/// ```
/// use webhook_core::{DispatcherConfig, WorkerName};
///
/// let config = DispatcherConfig::new().name("host-1:4711".parse()?);
/// assert_eq!(config.worker_name().map(WorkerName::as_str), Some("host-1:4711"));
/// # Ok::<(), webhook_core::error::InvalidWorkerName>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct WorkerName(Arc<str>);

impl WorkerName {
    /// The longest name, in bytes; every store has room for it.
    pub const MAX_LEN: usize = 128;

    /// The name of a process on a host. What a name cannot have becomes `-`, and a long host is cut.
    pub fn of_process(host: &str, process: u32) -> Self {
        let process = process.to_string();
        let room = Self::MAX_LEN - 1 - process.len();
        let host: String = host.trim().chars().map(allowed_or_hyphen).take(room).collect();
        let host = if host.is_empty() { "host" } else { &host };
        Self(format!("{host}:{process}").into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const fn is_allowed(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-' | ':' | '/')
}

const fn allowed_or_hyphen(character: char) -> char {
    if is_allowed(character) { character } else { '-' }
}

impl fmt::Display for WorkerName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WorkerName {
    type Err = InvalidWorkerName;

    fn from_str(text: &str) -> Result<Self, InvalidWorkerName> {
        let fits = (1..=Self::MAX_LEN).contains(&text.len());
        if fits && text.chars().all(is_allowed) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidWorkerName)
        }
    }
}

serde_as_text!(WorkerName);

/// The text is no name of a worker.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not a valid name of a worker; expected 1 to 128 characters of A-Z a-z 0-9 . _ - : /")]
pub struct InvalidWorkerName;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_short_safe_token() {
        for good in ["host-1:4711", "ns/pod_a.b", &"x".repeat(128)] {
            assert_eq!(good.parse::<WorkerName>().unwrap().as_str(), good);
        }
        for bad in ["", " ", "a b", "a\r\nb", "ä", &"x".repeat(129)] {
            assert_eq!(bad.parse::<WorkerName>(), Err(InvalidWorkerName), "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_process_has_a_name(host in ".*", process: u32) {
            let name = WorkerName::of_process(&host, process);
            proptest::prop_assert_eq!(name.as_str().parse(), Ok(name.clone()));
            let ending = format!(":{process}");
            proptest::prop_assert!(name.as_str().ends_with(&ending));
        }
    }
}
