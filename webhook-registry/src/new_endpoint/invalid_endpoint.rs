//! Errors of endpoints to register.

use webhook_core::error::{
    InvalidDescription, InvalidEventFilter, InvalidExternalId, InvalidHeader, InvalidMetadata,
    InvalidRateLimit, InvalidRetryPolicy, InvalidSecret, InvalidSigning, InvalidTimeout,
    InvalidTls, InvalidUrl,
};

/// What was handed over is no endpoint.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// The URL is not valid.
    #[error(transparent)]
    Url(#[from] InvalidUrl),
    /// The transport would never send there; the text names the rule, for operators.
    #[error("{0}")]
    Refused(String),
    /// The same at a tenant's door, where one text stands for every rule.
    #[error("address not allowed; use an https URL of a public host, at the port of a web server")]
    NotAllowed,
    /// The transport cannot secure connections in that way; the text says why.
    #[error("{0}")]
    Unusable(String),
    /// An event filter is not valid.
    #[error("{0}: {1}")]
    Filter(String, InvalidEventFilter),
    /// An empty list of event filters.
    #[error("the endpoint wants no events; name at least one filter, or ** for all")]
    NoFilter,
    /// The secret is not valid.
    #[error(transparent)]
    Secret(#[from] InvalidSecret),
    /// Secret and signing profiles do not fit together.
    #[error(transparent)]
    Signing(#[from] InvalidSigning),
    /// A header is not allowed.
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    /// Client certificate, private key or roots are not valid.
    #[error(transparent)]
    Tls(#[from] InvalidTls),
    /// The description is not valid.
    #[error(transparent)]
    Description(#[from] InvalidDescription),
    /// The external id is not valid.
    #[error(transparent)]
    ExternalId(#[from] InvalidExternalId),
    /// The metadata cannot be kept.
    #[error(transparent)]
    Metadata(#[from] InvalidMetadata),
    /// The timeout is out of range.
    #[error(transparent)]
    Timeout(#[from] InvalidTimeout),
    /// The rate limit is not valid.
    #[error(transparent)]
    Rate(#[from] InvalidRateLimit),
    /// The retry policy is not valid.
    #[error(transparent)]
    Retry(#[from] InvalidRetryPolicy),
}
