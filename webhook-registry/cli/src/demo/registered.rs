//! A running receiver of the demo and its endpoint.

use webhook_registry::EndpointId;

use super::{request_log::RequestLog, script::ScriptedReceiver};

/// A running receiver with its endpoint.
pub(super) struct RegisteredReceiver {
    pub(super) script: &'static ScriptedReceiver,
    pub(super) endpoint: EndpointId,
    pub(super) requests: RequestLog,
}
