//! Calls of dispatchers.

use webhook_core::{
    EventId,
    store::{ClaimDue, Lease, LeaseEpoch},
};

use super::{Call, Driver, SplitMix64, TIME_SPANS, make};

impl Driver {
    pub(super) fn claim_due(&self, rng: &SplitMix64) -> Call {
        let limit = rng.one_of([0, 1, 1, 2, 3, 100, 100, 100]);
        let ids: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.id).collect();
        let used = rng.some_of(&ids).into_iter().filter(|_| rng.percent(30));
        let in_flight = used.map(|id| (id, rng.one_of([1, 2, 200]))).collect();
        let cursor = self.claim_cursor.clone().filter(|_| !rng.percent(25));
        let ask = ClaimDue::new(limit, rng.one_of(TIME_SPANS)).in_flight(in_flight);
        // Claims of at most one delivery have no worker name.
        let worker = format!("worker:{limit}").parse().ok().filter(|_| limit > 1);
        Call::ClaimDue(ask.cursor(cursor).worker(worker))
    }

    pub(super) fn finish(&self, rng: &SplitMix64) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=rng.below(4) {
            let said = rng.recent(&self.finishes).filter(|_| rng.percent(12));
            let claim = rng.recent(&self.claims);
            let mut finish = match said {
                Some(said) => said.clone(),
                None => make::finish(rng, claim?),
            };
            if rng.percent(5) {
                finish.lease = Self::spoilt(rng, finish.lease);
            }
            batch.push(finish);
        }
        Some(Call::Finish(batch))
    }

    pub(super) fn release(&self, rng: &SplitMix64) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=rng.below(2) {
            let lease = rng.recent(&self.claims)?.lease;
            batch.push(if rng.percent(8) { Self::spoilt(rng, lease) } else { lease });
        }
        Some(Call::Release(batch))
    }

    /// A lease that no caller has.
    fn spoilt(rng: &SplitMix64, mut lease: Lease) -> Lease {
        if rng.percent(50) {
            lease.epoch = lease.epoch.next();
        } else {
            lease.delivery.event = EventId::from_uuid(uuid::Uuid::from_u128(77));
            lease.epoch = LeaseEpoch::from_u64(1);
        }
        lease
    }
}
