//! A receiver of the demo and its endpoint.

use webhook_registry::EndpointId;

use super::{cast::Role, ledger::Ledger};

/// An actor on stage: a receiver that runs, and the endpoint that stands for it.
pub(super) struct Actor {
    pub(super) role: &'static Role,
    pub(super) endpoint: EndpointId,
    pub(super) ledger: Ledger,
}
