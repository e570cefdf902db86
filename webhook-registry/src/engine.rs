//! Parts of the engine, for programs that compose it themselves.

use std::sync::Arc;

use webhook_core::{
    Clock, Dispatcher, Ids, TenantId, signing::Signer, store::Store, transport::Transport,
};

use crate::mode::Mode;

#[doc(no_inline)]
pub use webhook_core::engine::{EventPublisher, Ports, Wake, until_idle};

/// What publishing, delivering and looking up have in common: the ports, and what is built on them.
#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) signer: Arc<dyn Signer>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ids: Arc<dyn Ids>,
    pub(crate) wake: Wake,
    pub(crate) mode: Mode,
    pub(crate) publisher: EventPublisher,
    pub(crate) dispatcher: Dispatcher,
    pub(crate) max_body: usize,
    /// As whose events notices are published.
    pub(crate) notices_to: Option<TenantId>,
}
