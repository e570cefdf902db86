//! What can go wrong, by what the caller does next.

use webhook_core::{
    EndpointId, EventId, InvalidDispatcherConfig, InvalidEvent, SignerError, StoreError,
    StoreErrorKind,
};

use crate::new_endpoint::InvalidEndpoint;

/// An event was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// It is no event: correct it.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// Another event has its id or key, and another body: this one is stored.
    #[error("another event has this id or key and a different body: event {0}")]
    Conflict(EventId),
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

/// [`Webhooks`](crate::Webhooks) could not be put together.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// A port has no adapter.
    #[error("webhooks need a {0}: call .{0}(..) on the builder")]
    Missing(&'static str),
    /// The settings of the dispatcher do not fit together.
    #[error(transparent)]
    Dispatcher(#[from] InvalidDispatcherConfig),
    /// The transport on hyper and rustls could not be made.
    #[cfg(feature = "http")]
    #[error(transparent)]
    Transport(Box<dyn std::error::Error + Send + Sync>),
}
