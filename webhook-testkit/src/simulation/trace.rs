//! The trace of a run: actions with their time and actor, as the invariants see them.

use std::{
    fmt,
    hash::{Hash, Hasher},
    time::Duration,
};

use webhook_core::{
    DeliveryId, EndpointId, Event, EventId, Report, Timestamp,
    store::Settle,
    transport::{Request, TransportErrorKind},
};

use crate::{StoreCall, observed::Effect};

/// One event of the trace.
#[derive(Clone, Debug)]
pub(super) struct TraceEvent {
    /// True time since the start of the run.
    pub(super) at: Duration,
    pub(super) by: Actor,
    pub(super) action: Action,
}

/// Actor of an event.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Actor {
    /// A worker process.
    Worker(Pid),
    /// The operator, who edits endpoints and acts on deliveries.
    Operator,
    /// The simulation itself.
    World,
}

/// Identity of a process: its worker, and the number of the start from 1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Pid {
    pub(super) worker: u64,
    pub(super) life: u64,
}

/// Identity of one send.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct SendId(pub(super) u64);

#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Action {
    /// A worker process started.
    Started(WorkerSettings),
    Crashed,
    Stalled {
        until: Duration,
    },
    StopRequested,
    Stopped(Report),
    ClockJumped {
        millis: i64,
    },
    /// The worker, or every actor if the simulation does it, does not reach the store until then.
    Disconnected {
        until: Duration,
    },
    /// A publisher starts to publish events, this one first.
    PublishStarted(Box<Event>),
    CallStarted(StoreCall),
    /// A store call returned its result.
    CallReturned(StoreCall),
    /// A store call returned an error. It may have taken effect.
    CallFailed(StoreCall),
    Effect(Effect),
    /// A publisher learned that its event is stored, under this id.
    Accepted {
        published: EventId,
        stored: EventId,
    },
    /// The store refused an event because its key belongs to another one.
    Refused(EventId),
    RolledBack(EventId),
    SendStarted(Box<SendStart>),
    SendEnded {
        send: SendId,
        outcome: SendOutcome,
    },
    /// A task panicked.
    Panicked(String),
    /// No faults occur from now on.
    FaultsEnded,
}

/// Settings of a worker process that invariants need.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkerSettings {
    pub(super) concurrency: usize,
    pub(super) lease: Duration,
    pub(super) poll: Duration,
    pub(super) drain: Duration,
    pub(super) recording_budget: Duration,
}

#[derive(Clone, Debug)]
pub(super) struct SendStart {
    pub(super) send: SendId,
    pub(super) delivery: DeliveryId,
    pub(super) request: Request,
    /// Time by the worker's clock.
    pub(super) clock: Timestamp,
}

/// Outcome of a send.
#[derive(Clone, Debug)]
pub(super) enum SendOutcome {
    /// A response.
    Status {
        status: u16,
        retry_after: Option<String>,
    },
    /// No response.
    Fault(TransportErrorKind),
    /// The call was dropped: it timed out, or its worker died.
    Dropped,
    Panicked,
}

impl SendOutcome {
    pub(super) const fn is_success(&self) -> bool {
        matches!(self, Self::Status { status: 200..=299, .. })
    }
}

impl TraceEvent {
    /// Returns true if the event concerns this delivery, its event or its endpoint.
    pub(super) fn concerns(&self, delivery: DeliveryId) -> bool {
        let is = |id: &DeliveryId| *id == delivery;
        match &self.action {
            Action::Effect(effect) => match effect {
                Effect::Enqueued { item, .. } => item.event.id == delivery.event,
                Effect::Routed { route, .. } => route.event == delivery.event,
                Effect::Claimed { claimed, .. } => {
                    claimed.claims.iter().any(|claim| is(&claim.lease.delivery))
                }
                Effect::Finished { finish, .. } => is(&finish.lease.delivery),
                Effect::Released { lease, .. } => is(&lease.delivery),
                Effect::Redelivered { delivery, .. }
                | Effect::Cancelled { delivery, .. }
                | Effect::Skipped { delivery, .. } => is(delivery),
                Effect::Edited(endpoint)
                | Effect::Added(endpoint)
                | Effect::Refreshed(endpoint) => endpoint.id == delivery.endpoint,
                Effect::Removed(id) => *id == delivery.endpoint,
                Effect::Read { .. } | Effect::Notices(_) => false,
            },
            Action::SendStarted(start) => is(&start.delivery),
            Action::Accepted { stored, .. } => *stored == delivery.event,
            Action::PublishStarted(_)
            | Action::CallStarted(_)
            | Action::CallReturned(_)
            | Action::CallFailed(_)
            | Action::SendEnded { .. } => false,
            _ => true,
        }
    }

    /// Adds this event to the hash of the run.
    pub(super) fn hash_into(&self, hasher: &mut impl Hasher) {
        self.at.hash(hasher);
        self.by.hash(hasher);
        std::mem::discriminant(&self.action).hash(hasher);
        match &self.action {
            Action::Effect(effect) => hash_effect(effect, hasher),
            Action::SendStarted(start) => {
                (start.send, start.delivery, start.clock.as_unix_millis()).hash(hasher);
                start.request.headers.iter().for_each(|(name, value)| {
                    (name.as_str(), value.as_bytes()).hash(hasher);
                });
            }
            Action::SendEnded { send, outcome } => {
                send.hash(hasher);
                std::mem::discriminant(outcome).hash(hasher);
            }
            Action::CallStarted(call) | Action::CallReturned(call) | Action::CallFailed(call) => {
                (*call as u8).hash(hasher);
            }
            Action::PublishStarted(event) => event.id.hash(hasher),
            Action::Accepted { published, stored } => (published, stored).hash(hasher),
            Action::Refused(event) | Action::RolledBack(event) => event.hash(hasher),
            Action::Stalled { until } | Action::Disconnected { until } => until.hash(hasher),
            Action::ClockJumped { millis } => millis.hash(hasher),
            Action::Stopped(report) => (report.finished(), report.cut, report.routed).hash(hasher),
            _ => {}
        }
    }
}

fn hash_effect(effect: &Effect, hasher: &mut impl Hasher) {
    std::mem::discriminant(effect).hash(hasher);
    match effect {
        Effect::Enqueued { item, .. } => item.event.id.hash(hasher),
        Effect::Routed { route, .. } => route.event.hash(hasher),
        Effect::Claimed { claimed, .. } => {
            claimed.claims.iter().for_each(|claim| claim.lease.hash(hasher));
        }
        Effect::Finished { finish, .. } => {
            (finish.lease, finish.attempts_made).hash(hasher);
            if let Settle::Retry(wait) = finish.settle {
                wait.hash(hasher);
            }
        }
        Effect::Released { lease, .. } => lease.hash(hasher),
        Effect::Added(endpoint) | Effect::Edited(endpoint) | Effect::Refreshed(endpoint) => {
            (endpoint.id, endpoint.revision, endpoint.health.cools_down_until()).hash(hasher);
        }
        Effect::Removed(id) => id.hash(hasher),
        Effect::Redelivered { delivery, .. }
        | Effect::Cancelled { delivery, .. }
        | Effect::Skipped { delivery, .. } => delivery.hash(hasher),
        Effect::Read { tenant, version } => (tenant.as_str(), version.as_u64()).hash(hasher),
        Effect::Notices(notices) => notices.iter().for_each(|notice| notice.id.hash(hasher)),
    }
}

/// Short form of an id: its last part, which differs within a run.
fn short_delivery(id: DeliveryId) -> String {
    format!("{}->{}", short_event(id.event), short_endpoint(id.endpoint))
}

fn short_event(id: EventId) -> String {
    format!("event {}", id.as_uuid().as_u128() & 0xffff_ffff)
}

fn short_endpoint(id: EndpointId) -> String {
    format!("endpoint {}", id.as_uuid().as_u128() & 0xffff_ffff)
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(Pid { worker, life }) => write!(f, "worker {worker}.{life}"),
            Self::Operator => f.write_str("operator"),
            Self::World => f.write_str("world"),
        }
    }
}

impl fmt::Display for TraceEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (secs, millis) = (self.at.as_secs(), self.at.subsec_millis());
        let (hours, minutes, secs) = (secs / 3600, secs / 60 % 60, secs % 60);
        write!(f, "{hours:02}:{minutes:02}:{secs:02}.{millis:03}  {:<12} ", self.by.to_string())?;
        match &self.action {
            Action::Effect(effect) => show(effect, f),
            Action::SendStarted(start) => {
                write!(f, "send {} starts: {}", start.send.0, short_delivery(start.delivery))
            }
            Action::SendEnded { send, outcome } => write!(f, "send {} ends: {outcome:?}", send.0),
            Action::Accepted { published, stored } => {
                write!(f, "{} accepted as {}", short_event(*published), short_event(*stored))
            }
            Action::PublishStarted(event) => write!(f, "publishes {}", short_event(event.id)),
            Action::Refused(event) => write!(f, "{} refused", short_event(*event)),
            Action::RolledBack(event) => write!(f, "{} rolled back", short_event(*event)),
            other => write!(f, "{other:?}"),
        }
    }
}

fn show(effect: &Effect, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match effect {
        Effect::Enqueued { item, answer } => {
            write!(f, "stores {}: {answer:?}", short_event(item.event.id))?;
            let new = item.fan_out.iter().flat_map(|fan_out| &fan_out.deliveries);
            new.into_iter().try_for_each(|new| {
                let how = if new.lease.is_some() { "leased" } else { new.status().as_str() };
                write!(f, " [{} {how}]", short_endpoint(new.endpoint))
            })
        }
        Effect::Routed { route, answer } => {
            write!(f, "routes {}: {answer:?}", short_event(route.event))
        }
        Effect::Claimed { ask, claimed } => {
            write!(f, "claims up to {}:", ask.limit)?;
            claimed.claims.iter().try_for_each(|claim| {
                let attempt = claim.progress.attempt;
                write!(
                    f,
                    " [{} epoch {} attempt {attempt}]",
                    short_delivery(claim.lease.delivery),
                    claim.lease.epoch
                )
            })
        }
        Effect::Finished { finish, answer, change } => {
            let status = |state: &Option<webhook_core::Delivery>| {
                state.as_ref().map(|delivery| delivery.status)
            };
            write!(
                f,
                "finishes {} epoch {} {:?} {:?}: {answer:?}, {:?} -> {:?}",
                short_delivery(finish.lease.delivery),
                finish.lease.epoch,
                finish.settle,
                finish.health_signal.0,
                status(&change.before),
                status(&change.after)
            )
        }
        Effect::Released { lease, answer, .. } => {
            write!(
                f,
                "releases {} epoch {}: {answer:?}",
                short_delivery(lease.delivery),
                lease.epoch
            )
        }
        Effect::Added(endpoint) => write!(f, "adds {}", short_endpoint(endpoint.id)),
        Effect::Edited(endpoint) => {
            write!(
                f,
                "edits {}: {}, revision {}",
                short_endpoint(endpoint.id),
                endpoint.state,
                endpoint.revision
            )
        }
        Effect::Refreshed(endpoint) => {
            write!(
                f,
                "finds {} {}, {}",
                short_endpoint(endpoint.id),
                endpoint.state,
                endpoint.health.condition()
            )
        }
        Effect::Removed(id) => write!(f, "removes {}", short_endpoint(*id)),
        Effect::Redelivered { delivery, cause } => {
            write!(f, "{cause:?} of {}", short_delivery(*delivery))
        }
        Effect::Cancelled { delivery, answer } => {
            write!(f, "cancels {}: {answer:?}", short_delivery(*delivery))
        }
        Effect::Skipped { delivery, answer } => {
            write!(f, "skips {}: {answer:?}", short_delivery(*delivery))
        }
        Effect::Read { tenant, version } => write!(f, "reads {tenant} at version {version:?}"),
        Effect::Notices(notices) => write!(f, "reads {} notices", notices.len()),
    }
}
