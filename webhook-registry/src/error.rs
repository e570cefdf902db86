//! What can go wrong, by what the caller does next.

use webhook_core::{
    EndpointId, EndpointState, EventId, EventKey, StoreError, StoreErrorKind, signing::SignerError,
};

pub use crate::{mode::InvalidMode, new_endpoint::InvalidEndpoint, settings::InvalidSetting};
#[doc(no_inline)]
pub use webhook_core::error::{
    InvalidContentType, InvalidCursor, InvalidDeliveryStatus, InvalidDescription,
    InvalidDispatcherConfig, InvalidDuration, InvalidEndpointState, InvalidEvent,
    InvalidEventFilter, InvalidEventKey, InvalidEventType, InvalidExternalId, InvalidHeader,
    InvalidId, InvalidInclude, InvalidMetadata, InvalidOrderPolicy, InvalidOrderingKey,
    InvalidRateLimit, InvalidReplayState, InvalidRetryPolicy, InvalidSecret, InvalidSigning,
    InvalidTimeout, InvalidTls, InvalidUrl, InvalidWorkerName,
};
#[cfg(feature = "receiver")]
#[doc(no_inline)]
pub use webhook_http::BindError;
#[cfg(feature = "http")]
#[doc(no_inline)]
pub use webhook_http::{
    InvalidHostPattern, InvalidNat64Prefix, InvalidProxy, InvalidVaultKey, TransportBuildError,
};
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#[doc(no_inline)]
pub use webhook_store_seaorm::{ConnectError, InvalidDatabaseKind, PublishInError};

/// An event was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It is no event: correct it.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// Another event has its id or key, and another tenant, type or body. That one is stored, this
    /// one is not.
    #[error("another event has {taken} and a different body, type or tenant: event {first}")]
    Conflict {
        /// What the two have in common.
        taken: Taken,
        /// The event that is stored.
        first: EventId,
    },
    /// Nothing was stored; try again.
    #[error("the event was not stored, try again")]
    Unavailable(#[source] StoreError),
    /// It may be stored, or not; publish it again under the same id or key.
    #[error("the event may be stored or not; publish it again under the same id or key")]
    Unknown(#[source] StoreError),
    /// Nothing was stored, and trying again does not help: somebody has to see to the store.
    #[error("the event was not stored")]
    Store(#[source] StoreError),
}

impl From<StoreError> for PublishError {
    fn from(error: StoreError) -> Self {
        match error.kind() {
            StoreErrorKind::Unavailable => Self::Unavailable(error),
            StoreErrorKind::Unknown => Self::Unknown(error),
            _ => Self::Store(error),
        }
    }
}

/// What another event has already.
///
/// Closed: only ids and keys are unique.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Taken {
    /// Its id: ids are unique among all tenants.
    #[error("the id {0}")]
    Id(EventId),
    /// Its key: keys are unique within a tenant.
    #[error("the key {0}")]
    Key(EventKey),
}

/// An endpoint was not added or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// It is no endpoint: correct it.
    #[error(transparent)]
    Invalid(#[from] InvalidEndpoint),
    /// No endpoint has this id.
    #[error("no endpoint has the id {0}; list those there are")]
    NotFound(EndpointId),
    /// Somebody else changed it meanwhile: read it again.
    #[error("endpoint {0} was changed by somebody else meanwhile; read it again")]
    Stale(EndpointId),
    /// No secret could be made.
    #[error("no secret could be made")]
    Signer(#[from] SignerError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A test was not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// The endpoint gets nothing at present.
    #[error("endpoint {endpoint} is {state}, so nothing would arrive; resume or enable it first")]
    NotActive {
        /// Which one.
        endpoint: EndpointId,
        /// What it is.
        state: EndpointState,
    },
    /// There is no such endpoint, or it cannot be read.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The event is none, or was not stored.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

/// [`Webhooks`](crate::Webhooks) could not be put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A port has no adapter.
    #[error("webhooks need a {0}: call .{0}(..) on the builder")]
    Missing(&'static str),
    /// The settings of the dispatcher do not fit together, or do not fit the store.
    #[error(transparent)]
    Dispatcher(#[from] InvalidDispatcherConfig),
    /// The store lacks a capability that was asked for.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The transport on hyper and rustls could not be made.
    #[cfg(feature = "http")]
    #[error(transparent)]
    Transport(Box<dyn std::error::Error + Send + Sync>),
}
