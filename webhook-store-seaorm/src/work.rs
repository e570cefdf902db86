//! The units of work: the statements behind each method of the store's ports.

pub(crate) mod backlog;
pub(crate) mod cancel;
pub(crate) mod claim;
pub(crate) mod endpoints;
pub(crate) mod enqueue;
pub(crate) mod finish;
pub(crate) mod health;
pub(crate) mod log;
pub(crate) mod notices;
pub(crate) mod order;
#[cfg(test)]
mod plans;
pub(crate) mod prune;
pub(crate) mod redeliver;
pub(crate) mod replay;
pub(crate) mod reseal;
pub(crate) mod route;
pub(crate) mod store_status;
pub(crate) mod stored_deliveries;
pub(crate) mod tracked;
pub(crate) mod unrouted;
pub(crate) mod write;
