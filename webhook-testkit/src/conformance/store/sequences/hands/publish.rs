//! What publishers and routers ask.

use webhook_core::{
    EndpointStore as _, Enqueue, Event, FanOut, NewDelivery, Route, Snapshot, TenantId,
};

use super::{Call, Dice, Hands, SPANS, TENANTS, make};

impl Hands {
    /// The tenant's present snapshot, or one from before.
    async fn snapshot(&mut self, dice: &Dice, tenant: &TenantId) -> Snapshot {
        let present = self.memory.snapshot(tenant).await.unwrap();
        self.snapshots.push(present.clone());
        let old = dice.recent(&self.snapshots).filter(|old| old.tenant() == tenant);
        if dice.percent(15) { old.cloned().unwrap_or(present) } else { present }
    }

    pub(super) async fn enqueue(&mut self, dice: &Dice) -> Call {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(4) {
            let event = self.event(dice);
            if dice.percent(25) {
                batch.push(Enqueue::unrouted(event));
                continue;
            }
            let snapshot = self.snapshot(dice, &event.tenant).await;
            let ids: Vec<_> = snapshot.endpoints().iter().map(|endpoint| endpoint.id).collect();
            let mut fan_out = FanOut::pending(snapshot.version(), dice.some_of(&ids));
            for new in &mut fan_out.deliveries {
                match dice.below(100) {
                    0..15 => {
                        let leased = NewDelivery::leased(new.endpoint, dice.one_of(SPANS));
                        *new = leased.with_worker("publisher".parse().ok());
                    }
                    15..30 => *new = NewDelivery::missed(new.endpoint),
                    _ => {}
                }
            }
            if let Some(to) = dice.pick(&self.endpoints).filter(|_| dice.percent(5)) {
                fan_out = FanOut::directly(NewDelivery::pending(to.id));
            }
            batch.push(Enqueue::routed(event, fan_out));
        }
        Call::Enqueue(batch)
    }

    /// A new event, or one that is somehow like another.
    pub(super) fn event(&self, dice: &Dice) -> Event {
        let tenant = dice.one_of(TENANTS).parse().unwrap();
        match dice.recent(&self.events).filter(|_| dice.percent(15)) {
            Some(event) => make::like(dice, event.clone()),
            None => make::event(dice, self.ids.event()).with_tenant(tenant),
        }
    }

    pub(super) async fn route(&mut self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(3) {
            let (id, tenant) = match dice.recent(&self.unrouted) {
                Some(event) if dice.percent(85) => (event.id, event.tenant.clone()),
                _ => dice.recent(&self.events).map(|event| (event.id, event.tenant.clone()))?,
            };
            let snapshot = self.snapshot(dice, &tenant).await;
            let ids: Vec<_> = snapshot.endpoints().iter().map(|endpoint| endpoint.id).collect();
            let mut route = Route::new(id, snapshot.version(), dice.some_of(&ids));
            for new in route.deliveries.iter_mut().filter(|_| dice.percent(15)) {
                *new = NewDelivery::missed(new.endpoint);
            }
            batch.push(route);
        }
        Some(Call::Route(batch))
    }
}
