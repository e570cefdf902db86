//! Claims of due deliveries, endpoint by endpoint.

use std::sync::Arc;

use webhook_registry::{
    Endpoint,
    policy::{Allowance, ByteBudget},
    store::{Claim, ClaimCursor, ClaimDue, Claimed, RateUsed},
    store_record::AttemptRecord,
};

use crate::{
    Stored,
    tables::{ATTEMPTS, DueEntry, Tables, delivery_key},
};

impl Tables<'_> {
    pub(super) fn claim_due(&self, ask: &ClaimDue) -> Stored<Claimed> {
        let (mut claimed, mut budget) = (Claimed::default(), ByteBudget::new(ask.max_bytes));
        let mut round = self.endpoints_with_work()?;
        let first = ask.cursor.as_ref().map(ClaimCursor::as_bytes).unwrap_or_default();
        let before = round.partition_point(|id| id.as_uuid().as_bytes().as_slice() < first);
        round.rotate_left(before);
        for id in round {
            // An endpoint that cannot be read waits, for example if the vault lacks its key.
            if let Ok(Some(endpoint)) = self.endpoint(id)
                && endpoint.state.is_active()
            {
                self.claim_of(&endpoint, ask, &mut claimed, &mut budget)?;
            }
        }
        Ok(claimed)
    }

    /// Claims due deliveries of one endpoint, and records when its next one is due.
    fn claim_of(
        &self,
        endpoint: &Endpoint,
        ask: &ClaimDue,
        claimed: &mut Claimed,
        budget: &mut ByteBudget,
    ) -> Stored<()> {
        let (id, now) = (endpoint.id, self.now);
        let allowance = Allowance::of(endpoint, RateUsed::default());
        let in_flight = ask.in_flight.get(&id).copied().unwrap_or_default();
        let mut due = self.due(id, allowance.room(in_flight, now) as usize)?;
        due.retain(|entry| entry.at <= now);
        if !due.is_empty() && (claimed.claims.len() >= ask.limit || budget.is_spent()) {
            // The next claim begins with the first endpoint that this one has not served.
            claimed.cursor.get_or_insert(ClaimCursor::new(id.as_uuid().as_bytes().to_vec()));
        }
        due.truncate(ask.limit - claimed.claims.len());
        let mut taken = self.claim(endpoint, &due, ask, budget)?;
        let count = u32::try_from(taken.len()).unwrap_or(u32::MAX);
        let left = allowance.after(count, now, now.after(ask.lease));
        if left.health != allowance.health {
            self.put_endpoint(&endpoint.clone().with_health(left.health))?;
        }
        let is_other = |due: &DueEntry| taken.iter().all(|claim| claim.lease.delivery != due.id);
        let next = self.due(id, taken.len() + 1)?.into_iter().find(is_other);
        // The caller knows when an endpoint without a free slot has one again.
        if let Some(next) = next.filter(|_| in_flight + count < left.slots()) {
            let wait = next.at.max(left.opens_at(now).unwrap_or(next.at)).since(now);
            claimed.next_due = Some(claimed.next_due.map_or(wait, |earlier| earlier.min(wait)));
        }
        claimed.claims.append(&mut taken);
        Ok(())
    }

    /// Claims deliveries, up to the first whose event does not fit into the claim.
    fn claim(
        &self,
        endpoint: &Endpoint,
        due: &[DueEntry],
        ask: &ClaimDue,
        budget: &mut ByteBudget,
    ) -> Stored<Vec<Claim>> {
        let mut claims = Vec::new();
        for DueEntry { id, .. } in due {
            let (event, row) = (self.event(id.event)?, self.delivery(*id)?);
            let (Some(event), Some((id, url, state))) = (event, row) else { continue };
            if !budget.take(event.body.len()) {
                break;
            }
            let recorded = self.of::<AttemptRecord>(ATTEMPTS, &delivery_key(id))?.len();
            let recorded = u32::try_from(recorded).unwrap_or(u32::MAX);
            let claimed = state.claimed(ask.lease, ask.worker.as_ref(), self.now);
            claims.push(claimed.to_claim(id, Arc::new(event), endpoint, recorded));
            self.put_delivery(&(id, url, claimed), state.claimable_at())?;
        }
        Ok(claims)
    }
}
