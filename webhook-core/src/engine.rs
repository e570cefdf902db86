//! The engine: it drives the ports, for stored deliveries and for sending within one call.

pub(crate) mod admission;
pub(crate) mod dispatcher;
pub(crate) mod exchanger;
pub(crate) mod fast_path;
pub(crate) mod idle;
pub(crate) mod publish;
mod read_snapshot;
mod routes;
pub(crate) mod send_now;
pub(crate) mod wake;

pub use self::{dispatcher::Ports, idle::until_idle, publish::EventPublisher, wake::Wake};
