//! What operators ask.

use webhook_core::{
    DeliveryQuery, DeliveryStatus, Include, Prune, Redeliver, Replay, ReplayPage, Trigger,
};

use super::{Call, Dice, Hands, SPANS, TENANTS};
use crate::ManualClock;

impl Hands {
    pub(super) fn redeliver(&self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(4) {
            let cause = dice.one_of([Trigger::Manual, Trigger::Replay]);
            let item = Redeliver::new(*dice.pick(&self.deliveries)?).with_cause(cause);
            let only = dice.one_of([DeliveryStatus::Failed, DeliveryStatus::Cancelled]);
            batch.push(if dice.percent(30) { item.with_status(only) } else { item });
        }
        Some(Call::Redeliver(batch))
    }

    /// A page from the beginning; half of them only count.
    pub(super) fn replay(&self, dice: &Dice) -> Option<Call> {
        let include = dice.one_of([Include::Failed, Include::Missed, Include::All]);
        let mut replay = Replay::new(dice.pick(&self.endpoints)?.id, include);
        if dice.percent(20) {
            replay = replay.types(["invoice.*".parse().unwrap()]);
        }
        if dice.percent(20) {
            replay = replay.since(ManualClock::START.after(dice.one_of(SPANS)));
        }
        let page = ReplayPage::first(replay).limit(dice.one_of([1, 3, 1_000]));
        Some(Call::Replay(if dice.percent(30) { page.dry_run() } else { page }))
    }

    pub(super) fn cancel(&self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(2) {
            batch.push(*dice.recent(&self.deliveries)?);
        }
        Some(Call::Cancel(batch))
    }

    pub(super) fn skip(&self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(4) {
            batch.push(*dice.pick(&self.deliveries)?);
        }
        Some(Call::Skip(batch))
    }

    /// Half of them only count.
    pub(super) fn prune(dice: &Dice) -> Call {
        let prune = Prune::older_than(dice.one_of(SPANS)).limit(dice.one_of([1, 3, 1_000]));
        Call::Prune(if dice.percent(50) { prune.dry_run() } else { prune })
    }

    pub(super) fn query(&self, dice: &Dice) -> DeliveryQuery {
        let mut query = DeliveryQuery::new().limit(dice.one_of([1, 2, 3, 1_000]));
        if dice.percent(30) {
            query = query.tenant(dice.one_of(TENANTS).parse().unwrap());
        }
        if let Some(event) = dice.recent(&self.events).filter(|_| dice.percent(15)) {
            query = query.event(event.id);
        }
        if let Some(endpoint) = dice.pick(&self.endpoints).filter(|_| dice.percent(30)) {
            query = query.endpoint(endpoint.id);
        }
        if dice.percent(40) {
            query = query.status(dice.one_of(DeliveryStatus::ALL));
        }
        if dice.percent(20) {
            query = query.types([dice.one_of(["user.made", "invoice.*"]).parse().unwrap()]);
        }
        match self.cursor.filter(|_| dice.percent(50)) {
            Some(cursor) => query.after(cursor),
            None => query,
        }
    }

    pub(super) fn look_at_delivery(&self, dice: &Dice) -> Option<Call> {
        let id = *dice.recent(&self.deliveries)?;
        Some(match dice.below(4) {
            0 => Call::Event(id.event),
            1 => Call::Delivery(id),
            2 => Call::Stats(id.endpoint, dice.one_of(SPANS)),
            3 => Call::FirstInLine(id),
            _ => Call::Attempts(id),
        })
    }
}
