//! The bytes of a request and its signatures, and their verification.

pub(crate) mod request;
pub(crate) mod signature;
pub(crate) mod verify;
