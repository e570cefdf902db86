//! Values: events, endpoints, deliveries and attempts, parsed once and always valid inside.

pub(crate) mod attempt;
pub(crate) mod delivery;
pub(crate) mod duration;
pub(crate) mod endpoint;
pub(crate) mod event;
pub(crate) mod exchange;
pub(crate) mod filter;
pub(crate) mod header;
pub(crate) mod health;
pub(crate) mod hops;
pub(crate) mod id;
pub(crate) mod metadata;
pub(crate) mod notice;
pub(crate) mod order;
pub(crate) mod rate;
pub(crate) mod replay;
pub(crate) mod retry;
pub(crate) mod secret;
pub(crate) mod stats;
pub(crate) mod text;
pub(crate) mod time;
pub(crate) mod tls;
pub(crate) mod trigger;
pub(crate) mod url;
pub(crate) mod worker;
