//! What hostile bytes must not do.
//!
//! Each target is a function of bytes that panics when a promise is broken, and not only when the code
//! panics by itself. `cargo xtask fuzz` searches for such bytes; what is worth keeping lies in
//! `corpus`, and `tests/corpus.rs` replays it on every machine.
#![allow(clippy::expect_used, clippy::panic, reason = "a panic is the finding")]

mod headers;
mod ndjson;
mod response;
mod retry_after;
mod retry_policy;
mod runtime;
mod signature;
mod stored;
mod text;
mod url;

pub use headers::headers;
pub use ndjson::ndjson;
pub use response::response;
pub use retry_after::retry_after;
pub use retry_policy::retry_policy;
pub use signature::signature;
pub use stored::stored;
pub use url::url;

/// What a target does with an input.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also its folder in `corpus`.
pub const TARGETS: [(&str, Target); 8] = [
    ("url", url),
    ("headers", headers),
    ("response", response),
    ("retry_after", retry_after),
    ("signature", signature),
    ("stored", stored),
    ("retry_policy", retry_policy),
    ("ndjson", ndjson),
];
