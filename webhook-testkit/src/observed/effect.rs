//! Effects of store calls.

use std::fmt;

use webhook_core::{
    Delivery, DeliveryId, Endpoint, EndpointId, Notice, TenantId, Trigger,
    store::{
        Cancelled, ClaimDue, Claimed, Enqueue, Enqueued, Finish, Finished, Lease, Route, Routed,
        Skipped, TenantVersion,
    },
};

/// Receiver of effects. It is called directly after each effect, before any other.
pub(crate) trait Observer: fmt::Debug + Send + Sync + 'static {
    fn observe(&self, effect: Effect);
}

/// An effect of a store call. Each item of a batch is an effect of its own, in order.
#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Enqueued {
        item: Enqueue,
        answer: Enqueued,
    },
    Routed {
        route: Route,
        answer: Routed,
    },
    Claimed {
        ask: ClaimDue,
        claimed: Claimed,
    },
    Finished {
        finish: Finish,
        answer: Finished,
        change: Box<Change>,
    },
    Released {
        lease: Lease,
        answer: Finished,
        change: Box<Change>,
    },
    Added(Endpoint),
    Edited(Endpoint),
    /// An endpoint after a call that may have changed its health or state, without an edit.
    Refreshed(Endpoint),
    Removed(EndpointId),
    /// A tenant's endpoints were read at this version.
    Read {
        tenant: TenantId,
        version: TenantVersion,
    },
    Redelivered {
        delivery: DeliveryId,
        cause: Trigger,
    },
    Cancelled {
        delivery: DeliveryId,
        answer: Cancelled,
    },
    Skipped {
        delivery: DeliveryId,
        answer: Skipped,
    },
    Notices(Vec<Notice>),
}

/// A stored delivery before and after a call.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) before: Option<Delivery>,
    pub(crate) after: Option<Delivery>,
}
