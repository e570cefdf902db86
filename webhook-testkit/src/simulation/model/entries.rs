//! What is kept of each worker, endpoint, event and delivery.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use webhook_core::{Claim, DeliveryStatus, Endpoint, Event, LeaseEpoch, Revision, Timestamp};

use crate::simulation::trace::{Came, Pid, SendId, WorkerFacts};

/// A worker process in one of its lives.
#[derive(Debug)]
pub(in crate::simulation) struct WorkerBook {
    pub(in crate::simulation) facts: WorkerFacts,
    pub(in crate::simulation) told_to_stop_at: Option<Duration>,
    pub(in crate::simulation) ended: bool,
    pub(in crate::simulation) stalled_until: Duration,
    pub(in crate::simulation) cut_off_until: Duration,
    /// When the claims, and the enqueues, that are under way began.
    pub(in crate::simulation) claim_began_at: Duration,
    pub(in crate::simulation) enqueue_began_at: Duration,
    /// True while events are being stored.
    pub(in crate::simulation) is_storing: bool,
}

#[derive(Debug)]
pub(in crate::simulation) struct EndpointBook {
    /// As it is, with its health.
    pub(in crate::simulation) now: Endpoint,
    /// As it was at each revision.
    pub(in crate::simulation) revisions: BTreeMap<Revision, Endpoint>,
    pub(in crate::simulation) removed: bool,
}

#[derive(Debug, Default)]
pub(in crate::simulation) struct EventBook {
    pub(in crate::simulation) event: Option<Arc<Event>>,
    /// Whether it is in the store.
    pub(in crate::simulation) stored: bool,
    pub(in crate::simulation) unrouted: bool,
    /// Whether somebody was told that it is.
    pub(in crate::simulation) accepted: bool,
    pub(in crate::simulation) rolled_back: bool,
}

#[derive(Debug)]
pub(in crate::simulation) struct DeliveryBook {
    pub(in crate::simulation) status: DeliveryStatus,
    pub(in crate::simulation) epoch: LeaseEpoch,
    pub(in crate::simulation) claims: Vec<ClaimBook>,
    pub(in crate::simulation) sends: Vec<SendBook>,
    /// Claims that were taken over by another one: their leases ran out.
    pub(in crate::simulation) lost: usize,
    /// Claims that were given back.
    pub(in crate::simulation) released: usize,
    /// How often somebody made it pending again.
    pub(in crate::simulation) reopened: usize,
    /// The epoch at that time; what was claimed before is none of the present budget.
    pub(in crate::simulation) reopened_epoch: LeaseEpoch,
    /// When it was called off, unless it was reopened since.
    pub(in crate::simulation) cancelled_at: Option<Duration>,
}

/// A claim, and what became of it.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct ClaimBook {
    pub(in crate::simulation) claim: Claim,
    pub(in crate::simulation) by: Pid,
    /// When the call that made it began.
    pub(in crate::simulation) asked_at: Duration,
    pub(in crate::simulation) at: Duration,
    pub(in crate::simulation) ends: Duration,
    /// Whether it is recorded or given back.
    pub(in crate::simulation) over: bool,
    pub(in crate::simulation) send: Option<SendId>,
}

/// A send, and what came of it.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct SendBook {
    pub(in crate::simulation) id: SendId,
    pub(in crate::simulation) at: Duration,
    /// By the worker's clock.
    pub(in crate::simulation) clock: Timestamp,
    /// The claim it belongs to: the newest of its worker.
    pub(in crate::simulation) epoch: Option<LeaseEpoch>,
    pub(in crate::simulation) came: Option<(Duration, Came)>,
}

impl DeliveryBook {
    /// The newest claim of this worker.
    pub(in crate::simulation) fn claim_of(&self, by: Pid) -> Option<&ClaimBook> {
        self.claims.iter().rev().find(|claim| claim.by == by)
    }

    pub(in crate::simulation) fn claim_at(&self, epoch: LeaseEpoch) -> Option<&ClaimBook> {
        self.claims.iter().rev().find(|claim| claim.claim.lease.epoch == epoch)
    }

    /// The send that was made under this epoch.
    pub(in crate::simulation) fn send_at(&self, epoch: LeaseEpoch) -> Option<&SendBook> {
        self.sends.iter().rev().find(|send| send.epoch == Some(epoch))
    }

    pub(in crate::simulation) fn flying(&self) -> usize {
        self.sends.iter().filter(|send| send.came.is_none()).count()
    }
}
