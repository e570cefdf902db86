//! Calls of operators.

use webhook_core::{
    DeliveryStatus, Include, Replay, Trigger,
    store::{DeliveryQuery, Prune, Redeliver, ReplayPage},
};

use super::{Call, Driver, SplitMix64, TENANT_NAMES, TIME_SPANS};
use crate::ManualClock;

impl Driver {
    pub(super) fn redeliver(&self, rng: &SplitMix64) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=rng.below(4) {
            let cause = rng.one_of([Trigger::Manual, Trigger::Replay]);
            let item = Redeliver::new(*rng.pick(&self.deliveries)?).with_cause(cause);
            let only = rng.one_of([DeliveryStatus::Failed, DeliveryStatus::Cancelled]);
            batch.push(if rng.percent(30) { item.with_status(only) } else { item });
        }
        Some(Call::Redeliver(batch))
    }

    /// A first page; some are dry runs.
    pub(super) fn replay(&self, rng: &SplitMix64) -> Option<Call> {
        let include = rng.one_of([Include::Failed, Include::Missed, Include::All]);
        let mut replay = Replay::new(rng.pick(&self.endpoints)?.id, include);
        if rng.percent(20) {
            replay = replay.types(["invoice.*".parse().unwrap()]);
        }
        if rng.percent(20) {
            replay = replay.since(ManualClock::START.after(rng.one_of(TIME_SPANS)));
        }
        let page = ReplayPage::first(replay).limit(rng.one_of([1, 3, 1_000]));
        Some(Call::Replay(if rng.percent(30) { page.dry_run() } else { page }))
    }

    pub(super) fn cancel(&self, rng: &SplitMix64) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=rng.below(2) {
            batch.push(*rng.recent(&self.deliveries)?);
        }
        Some(Call::Cancel(batch))
    }

    pub(super) fn skip(&self, rng: &SplitMix64) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=rng.below(4) {
            batch.push(*rng.pick(&self.deliveries)?);
        }
        Some(Call::Skip(batch))
    }

    /// Half of them are dry runs.
    pub(super) fn prune(rng: &SplitMix64) -> Call {
        let prune = Prune::older_than(rng.one_of(TIME_SPANS)).limit(rng.one_of([1, 3, 1_000]));
        Call::Prune(if rng.percent(50) { prune.dry_run() } else { prune })
    }

    pub(super) fn query(&self, rng: &SplitMix64) -> DeliveryQuery {
        let mut query = DeliveryQuery::new().limit(rng.one_of([1, 2, 3, 1_000]));
        if rng.percent(30) {
            query = query.tenant(rng.one_of(TENANT_NAMES).parse().unwrap());
        }
        if let Some(event) = rng.recent(&self.events).filter(|_| rng.percent(15)) {
            query = query.event(event.id);
        }
        if let Some(endpoint) = rng.pick(&self.endpoints).filter(|_| rng.percent(30)) {
            query = query.endpoint(endpoint.id);
        }
        if rng.percent(40) {
            query = query.status(rng.one_of(DeliveryStatus::ALL));
        }
        if rng.percent(20) {
            query = query.types([rng.one_of(["user.made", "invoice.*"]).parse().unwrap()]);
        }
        match self.cursor.filter(|_| rng.percent(50)) {
            Some(cursor) => query.after(cursor),
            None => query,
        }
    }

    pub(super) fn read_delivery(&self, rng: &SplitMix64) -> Option<Call> {
        let id = *rng.recent(&self.deliveries)?;
        Some(match rng.below(4) {
            0 => Call::Event(id.event),
            1 => Call::Delivery(id),
            2 => Call::Stats(id.endpoint, rng.one_of(TIME_SPANS)),
            3 => Call::FirstInLine(id),
            _ => Call::Attempts(id),
        })
    }
}
