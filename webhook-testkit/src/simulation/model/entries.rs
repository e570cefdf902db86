//! Entries of the model for workers, endpoints, events and deliveries.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use webhook_core::{
    DeliveryStatus, Endpoint, Event, Revision, Timestamp,
    store::{Claim, LeaseEpoch},
};

use crate::simulation::trace::{Pid, SendId, SendOutcome, WorkerSettings};

/// A worker process between one start and its end.
#[derive(Debug)]
pub(in crate::simulation) struct WorkerEntry {
    pub(in crate::simulation) settings: WorkerSettings,
    pub(in crate::simulation) stop_requested_at: Option<Duration>,
    pub(in crate::simulation) ended: bool,
    pub(in crate::simulation) stalled_until: Duration,
    pub(in crate::simulation) disconnected_until: Duration,
    /// Start times of the claim and of the enqueue under way.
    pub(in crate::simulation) claim_began_at: Duration,
    pub(in crate::simulation) enqueue_began_at: Duration,
    /// True while events are being stored.
    pub(in crate::simulation) is_storing: bool,
}

#[derive(Debug)]
pub(in crate::simulation) struct EndpointEntry {
    /// Present settings and health.
    pub(in crate::simulation) now: Endpoint,
    /// The endpoint at each revision.
    pub(in crate::simulation) revisions: BTreeMap<Revision, Endpoint>,
    pub(in crate::simulation) removed: bool,
}

#[derive(Debug, Default)]
pub(in crate::simulation) struct EventEntry {
    pub(in crate::simulation) event: Option<Arc<Event>>,
    /// True if the store has the event.
    pub(in crate::simulation) stored: bool,
    pub(in crate::simulation) unrouted: bool,
    /// True if a publisher learned that the event is stored.
    pub(in crate::simulation) accepted: bool,
    pub(in crate::simulation) rolled_back: bool,
}

#[derive(Debug)]
pub(in crate::simulation) struct DeliveryEntry {
    pub(in crate::simulation) status: DeliveryStatus,
    pub(in crate::simulation) epoch: LeaseEpoch,
    pub(in crate::simulation) claims: Vec<ClaimEntry>,
    pub(in crate::simulation) sends: Vec<SendEntry>,
    /// Number of claims taken over by another one after their leases expired.
    pub(in crate::simulation) lost: usize,
    /// Number of released claims.
    pub(in crate::simulation) released: usize,
    /// How often the delivery was redelivered or replayed.
    pub(in crate::simulation) reopened: usize,
    /// Epoch at the last reopening. Earlier claims do not count for the present budget.
    pub(in crate::simulation) reopened_epoch: LeaseEpoch,
    /// Time of the cancellation; None if there is none since the last reopening.
    pub(in crate::simulation) cancelled_at: Option<Duration>,
}

/// A claim and its state.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct ClaimEntry {
    pub(in crate::simulation) claim: Claim,
    pub(in crate::simulation) by: Pid,
    /// Start time of the call that made the claim.
    pub(in crate::simulation) asked_at: Duration,
    pub(in crate::simulation) at: Duration,
    pub(in crate::simulation) ends: Duration,
    /// True once the claim is finished, released or lost.
    pub(in crate::simulation) closed: bool,
    pub(in crate::simulation) send: Option<SendId>,
}

/// A send and its outcome.
#[derive(Clone, Debug)]
pub(in crate::simulation) struct SendEntry {
    pub(in crate::simulation) id: SendId,
    pub(in crate::simulation) at: Duration,
    /// Start time by the worker's clock.
    pub(in crate::simulation) clock: Timestamp,
    /// Epoch of the sender's newest claim.
    pub(in crate::simulation) epoch: Option<LeaseEpoch>,
    pub(in crate::simulation) outcome: Option<(Duration, SendOutcome)>,
}

impl DeliveryEntry {
    /// Newest claim of this process.
    pub(in crate::simulation) fn claim_of(&self, by: Pid) -> Option<&ClaimEntry> {
        self.claims.iter().rev().find(|claim| claim.by == by)
    }

    pub(in crate::simulation) fn claim_at(&self, epoch: LeaseEpoch) -> Option<&ClaimEntry> {
        self.claims.iter().rev().find(|claim| claim.claim.lease.epoch == epoch)
    }

    /// The send under this epoch.
    pub(in crate::simulation) fn send_at(&self, epoch: LeaseEpoch) -> Option<&SendEntry> {
        self.sends.iter().rev().find(|send| send.epoch == Some(epoch))
    }

    pub(in crate::simulation) fn sends_in_flight(&self) -> usize {
        self.sends.iter().filter(|send| send.outcome.is_none()).count()
    }
}
