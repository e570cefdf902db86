//! The way out for [`webhook-core`](webhook_core): HTTP/1.1 and TLS, and HMAC on ring.
//!
//! | feature | brings | default |
//! |---|---|---|
//! | `transport` | `HttpTransport`, the `Transport` port on hyper, rustls and hickory-resolver | yes |
//! | `signer` | `RingSigner`, the `Signer` port on ring, and `verify` for receivers; nothing of HTTP | yes |
//! | `vault` | `RingVault`, the `SecretVault` port on ring: AES-256-GCM | yes |
//! | `webpki-roots` | the root certificates of Mozilla compiled in, for containers without any | no |
//! | `check` | `HttpTransport::check`: would a request get there? | no |
//! | `receiver` | `Receiver`, a small server for development | no |
//!
//! # For receivers
//!
//! A service that only verifies needs `default-features = false, features = ["signer"]`:
//!
#![cfg_attr(feature = "signer", doc = "```")]
#![cfg_attr(not(feature = "signer"), doc = "```ignore")]
//! use webhook_http::{Secret, Verifier, verify};
//!
//! # let headers = http::HeaderMap::new();
//! # let body = b"{}";
//! let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse()?;
//! if let Err(reason) = verify(&Verifier::new(secret), &headers, body) {
//!     eprintln!("refused: {reason}"); // answer 401
//! }
//! # Ok::<(), webhook_http::InvalidSecret>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "receiver")]
mod receiver;
#[cfg(feature = "signer")]
mod signer;
#[cfg(feature = "transport")]
mod transport;
#[cfg(feature = "vault")]
mod vault;

#[cfg(feature = "receiver")]
pub use crate::receiver::{BindError, ReceivedRequest, Receiver, ReceiverResponse};
#[cfg(feature = "signer")]
pub use crate::signer::{RingSigner, verify, verify_signature};
#[cfg(feature = "__fuzzing")]
#[doc(hidden)]
pub use crate::transport::FuzzConnection;
#[cfg(feature = "transport")]
pub use crate::transport::{
    AddressPolicy, HostPattern, HttpTransport, HttpTransportBuilder, InvalidHostPattern,
    InvalidNat64Prefix, InvalidProxy, Nat64Prefix, Proxy, TlsVersion, TransportBuildError,
};
#[cfg(feature = "check")]
pub use crate::transport::{
    CheckedAddress, CheckedCertificate, CheckedStep, EndpointCheck, StepResult,
};
#[cfg(feature = "vault")]
pub use crate::vault::{InvalidVaultKey, RingVault, VaultKey};
/// A net of IPv4 or IPv6 addresses: `"10.0.0.0/8".parse()`.
#[cfg(feature = "transport")]
#[doc(no_inline)]
pub use ipnet::IpNet;
/// What a receiver needs besides, so that this crate is the only one it names.
#[cfg(feature = "signer")]
#[doc(no_inline)]
pub use webhook_core::{
    Secret,
    error::InvalidSecret,
    signing::{Verifier, VerifyError},
};

/// Compiles the example of the package's README.
#[cfg(all(doctest, feature = "signer"))]
#[doc = include_str!("../README.md")]
struct Readme;
