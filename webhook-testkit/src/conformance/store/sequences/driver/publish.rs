//! Calls of publishers and routers.

use std::sync::Arc;

use webhook_core::{
    Event, TenantId,
    store::{Enqueue, FanOut, NewDelivery, Route, Snapshot, Store},
};

use super::{Call, Driver, SplitMix64, TENANT_NAMES, TIME_SPANS, make};

impl Driver {
    /// The tenant's present snapshot, or sometimes an earlier one.
    async fn snapshot(&mut self, rng: &SplitMix64, tenant: &TenantId) -> Arc<Snapshot> {
        let present = (&self.memory as &dyn Store).snapshot(tenant).await.unwrap();
        self.snapshots.push(present.clone());
        let old = rng.recent(&self.snapshots).filter(|old| old.tenant() == tenant);
        if rng.percent(15) { old.cloned().unwrap_or(present) } else { present }
    }

    pub(super) async fn enqueue(&mut self, rng: &SplitMix64) -> Call {
        let mut batch = Vec::new();
        for _ in 0..=rng.below(4) {
            let event = self.event(rng);
            if rng.percent(25) {
                batch.push(Enqueue::unrouted(event));
                continue;
            }
            let snapshot = self.snapshot(rng, &event.tenant).await;
            let ids: Vec<_> = snapshot.entries().iter().map(|entry| entry.id).collect();
            let mut fan_out = FanOut::pending(snapshot.version(), rng.some_of(&ids));
            for new in &mut fan_out.deliveries {
                match rng.below(100) {
                    0..15 => {
                        let leased = NewDelivery::leased(new.endpoint, rng.one_of(TIME_SPANS));
                        *new = leased.with_worker("publisher".parse().ok());
                    }
                    15..30 => *new = NewDelivery::missed(new.endpoint),
                    _ => {}
                }
            }
            if let Some(to) = rng.pick(&self.endpoints).filter(|_| rng.percent(5)) {
                fan_out = FanOut::directly(NewDelivery::pending(to.id));
            }
            batch.push(Enqueue::routed(event, fan_out));
        }
        Call::Enqueue(batch)
    }

    /// A new event, or sometimes a variant of a stored one.
    pub(super) fn event(&self, rng: &SplitMix64) -> Event {
        let tenant = rng.one_of(TENANT_NAMES).parse().unwrap();
        match rng.recent(&self.events).filter(|_| rng.percent(15)) {
            Some(event) => make::like(rng, event.clone()),
            None => make::event(rng, self.ids.event()).with_tenant(tenant),
        }
    }

    pub(super) async fn route(&mut self, rng: &SplitMix64) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=rng.below(3) {
            let (id, tenant) = match rng.recent(&self.unrouted) {
                Some(event) if rng.percent(85) => (event.id, event.tenant.clone()),
                _ => rng.recent(&self.events).map(|event| (event.id, event.tenant.clone()))?,
            };
            let snapshot = self.snapshot(rng, &tenant).await;
            let ids: Vec<_> = snapshot.entries().iter().map(|entry| entry.id).collect();
            let mut route = Route::new(id, snapshot.version(), rng.some_of(&ids));
            for new in route.deliveries.iter_mut().filter(|_| rng.percent(15)) {
                *new = NewDelivery::missed(new.endpoint);
            }
            batch.push(route);
        }
        Some(Call::Route(batch))
    }
}
