//! The ports: what the engine needs from the world, one trait each.
//!
//! An adapter is done when it passes the conformance suite of `webhook-testkit`; a port changes
//! together with its suite.

mod clock;
mod ids;
mod signer;
pub(crate) mod store;
mod transport;
mod vault;

pub use clock::Clock;
pub use ids::Ids;
pub use signer::Signer;
pub use store::{
    Capabilities, Capability, DeliveryLog, DeliveryOperations, EndpointDirectory, Maintenance,
    NoticeQueue, Store, StoreError, StoreErrorKind, TrackedDeliveries, WorkSignal,
};
pub use transport::{Request, Transport};
pub use vault::{SEALED, SecretVault, VaultError, VaultErrorKind};
