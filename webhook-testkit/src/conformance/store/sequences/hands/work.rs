//! What dispatchers ask about deliveries.

use webhook_core::{ClaimDue, EventId, Lease, LeaseEpoch};

use super::{Call, Dice, Hands, SPANS, make};

impl Hands {
    pub(super) fn claim_due(&self, dice: &Dice) -> Call {
        let limit = dice.one_of([0, 1, 1, 2, 3, 100, 100, 100]);
        let ids: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.id).collect();
        let used = dice.some_of(&ids).into_iter().filter(|_| dice.percent(30));
        let in_flight = used.map(|id| (id, dice.one_of([1, 2, 200]))).collect();
        let resume_at = match dice.below(4) {
            0 => None,
            1 => dice.pick(&ids).copied(),
            _ => self.resume_at,
        };
        let ask = ClaimDue::new(limit, dice.one_of(SPANS)).in_flight(in_flight);
        // Who asks for nothing, or for one, has no name.
        let worker = format!("worker:{limit}").parse().ok().filter(|_| limit > 1);
        Call::ClaimDue(ask.resume_at(resume_at).worker(worker))
    }

    pub(super) fn finish(&self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(4) {
            let said = dice.recent(&self.finishes).filter(|_| dice.percent(12));
            let claim = dice.recent(&self.claims);
            let mut finish = match said {
                Some(said) => said.clone(),
                None => make::finish(dice, claim?),
            };
            if dice.percent(5) {
                finish.lease = Self::spoilt(dice, finish.lease);
            }
            batch.push(finish);
        }
        Some(Call::Finish(batch))
    }

    pub(super) fn release(&self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(2) {
            let lease = dice.recent(&self.claims)?.lease;
            batch.push(if dice.percent(8) { Self::spoilt(dice, lease) } else { lease });
        }
        Some(Call::Release(batch))
    }

    /// A lease that nobody has.
    fn spoilt(dice: &Dice, mut lease: Lease) -> Lease {
        if dice.percent(50) {
            lease.epoch = lease.epoch.next();
        } else {
            lease.delivery.event = EventId::from_uuid(uuid::Uuid::from_u128(77));
            lease.epoch = LeaseEpoch::from_u64(1);
        }
        lease
    }
}
