//! Ending this process at one point, with a last line in its ledger.

use std::{
    any::Any,
    process,
    sync::{Mutex, OnceLock, PoisonError},
};

use webhook_registry::store::{Claimed, Enqueued, Finished};
use webhook_store_seaorm::crash_points::{Moment, on_commit};

use crate::{
    ledger::{Ledger, word},
    point::Point,
};

struct Plan {
    point: Point,
    ledger: Ledger,
    /// The event at hand.
    event: Mutex<String>,
}

static PLAN: OnceLock<Plan> = OnceLock::new();

/// Has this process end at `point`, once.
pub(crate) fn plan(point: Point, ledger: Ledger) {
    let _ = PLAN.set(Plan { point, ledger, event: Mutex::default() });
    on_commit(committing);
}

/// Notes which event this process has at hand. Those that crash have one at a time.
pub(crate) fn handles(event: &str) {
    if let Some(plan) = PLAN.get() {
        event.clone_into(&mut plan.event.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Ends the process if that is its point.
pub(crate) fn reach(point: Point) {
    if let Some(plan) = PLAN.get().filter(|plan| plan.point == point) {
        let event = plan.event.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let noted = plan.ledger.note(word::HIT, &format!("{point} {event}"));
        if noted.is_ok() {
            process::abort();
        }
    }
}

/// What a unit answers tells what kind of unit it is.
fn committing(moment: Moment, answer: &dyn Any) {
    let before = moment == Moment::BeforeCommit;
    if answer.is::<Vec<Enqueued>>() {
        reach(if before { Point::BeforeEnqueueCommit } else { Point::AfterEnqueueCommit });
    } else if answer.is::<Vec<Finished>>() {
        reach(if before { Point::BeforeRecordCommit } else { Point::AfterRecordCommit });
    } else if let Some(claim) = answer.downcast_ref::<Claimed>().and_then(|it| it.claims.first())
        && !before
    {
        handles(&claim.lease.delivery.event.to_string());
        reach(Point::AfterClaimCommit);
    }
}
