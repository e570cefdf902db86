//! Claims of due deliveries, endpoint by endpoint.

use std::{sync::Arc, time::Duration};

use webhook_registry::{
    DeliveryId, EndpointId, Timestamp,
    policy::{Allowance, ByteBudget},
    store::{Claim, ClaimCursor, ClaimDue, Claimed, RateUsed},
};

use super::state::{Row, State};

impl State {
    pub(super) fn claim_due(&mut self, ask: &ClaimDue, now: Timestamp) -> Claimed {
        let (mut claims, mut budget) = (Vec::new(), ByteBudget::new(ask.max_bytes));
        let mut cursor = None;
        for endpoint in self.round(ask, now) {
            if claims.len() >= ask.limit || budget.is_spent() {
                // The next claim begins with the first endpoint that this one has not served.
                cursor = Some(ClaimCursor::new(endpoint.as_uuid().as_bytes().to_vec()));
                break;
            }
            let room = self.room(ask, endpoint, now).min(ask.limit - claims.len());
            let body = |id: &DeliveryId| self.events.get(&id.event).map_or(0, |it| it.body.len());
            let due = self.due(endpoint, now).into_iter().take(room);
            let due: Vec<_> = due.take_while(|id| budget.take(body(id))).collect();
            let taken = u32::try_from(due.len()).unwrap_or(u32::MAX);
            claims.extend(due.into_iter().filter_map(|id| self.claim(id, ask, now)));
            self.use_allowance(endpoint, taken, ask.lease, now);
        }
        let next_due = self.next_due(ask, &claims, now);
        Claimed::new(claims, cursor, next_due)
    }

    /// Active endpoints with due work, from the cursor on.
    fn round(&self, ask: &ClaimDue, now: Timestamp) -> Vec<EndpointId> {
        let has_due = |id| self.room(ask, id, now) > 0 && !self.due(id, now).is_empty();
        let active = self.present().filter(|endpoint| endpoint.state.is_active());
        let due = active.map(|endpoint| endpoint.id).filter(|id| has_due(*id));
        let from = ask.cursor.as_ref().map_or(&[][..], ClaimCursor::as_bytes);
        let behind = |id: &EndpointId| id.as_uuid().as_bytes()[..] >= *from;
        let (mut round, before): (Vec<_>, Vec<_>) = due.partition(behind);
        round.extend(before);
        round
    }

    fn allowance(&self, endpoint: EndpointId) -> Option<Allowance> {
        self.endpoint(endpoint).map(|endpoint| Allowance::of(endpoint, RateUsed::default()))
    }

    fn room(&self, ask: &ClaimDue, endpoint: EndpointId, now: Timestamp) -> usize {
        let in_flight = ask.in_flight.get(&endpoint).copied().unwrap_or_default();
        self.allowance(endpoint).map_or(0, |allowance| allowance.room(in_flight, now)) as usize
    }

    /// Records that the probe of an endpoint is made.
    fn use_allowance(&mut self, id: EndpointId, count: u32, lease: Duration, now: Timestamp) {
        let Some(allowance) = self.allowance(id) else { return };
        let allowance = allowance.after(count, now, now.after(lease));
        if let Some(Some(endpoint)) = self.endpoints.get_mut(&id) {
            endpoint.health = allowance.health;
        }
    }

    fn due(&self, endpoint: EndpointId, now: Timestamp) -> Vec<DeliveryId> {
        let rows = self.deliveries.iter().filter(|(id, _)| id.endpoint == endpoint);
        let due = rows.filter_map(|(id, row)| Some((row.state.claimable_at()?, *id)));
        let mut due: Vec<_> = due.filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }

    fn claim(&mut self, id: DeliveryId, ask: &ClaimDue, now: Timestamp) -> Option<Claim> {
        let endpoint = self.endpoints.get(&id.endpoint)?.as_ref()?;
        let row = self.deliveries.get_mut(&id)?;
        row.state = row.state.claimed(ask.lease, ask.worker.as_ref(), now);
        let recorded = u32::try_from(row.attempts.len()).unwrap_or(u32::MAX);
        Some(row.state.to_claim(id, Arc::clone(&row.event), endpoint, recorded))
    }

    pub(super) fn is_active(&self, id: EndpointId) -> bool {
        self.endpoint(id).is_some_and(|endpoint| endpoint.state.is_active())
    }

    /// Time at which a delivery is due and its endpoint has cooled down.
    pub(super) fn may_start_at(&self, id: DeliveryId, row: &Row) -> Option<Timestamp> {
        let endpoint = self.endpoint(id.endpoint);
        let cooled = endpoint.and_then(|endpoint| endpoint.health.cools_down_until());
        let due = row.state.claimable_at()?;
        Some(cooled.map_or(due, |until| until.max(due)))
    }

    /// Time until the next claim can find work. Endpoints without a free slot do not count: the
    /// caller knows when they have one again.
    fn next_due(&self, ask: &ClaimDue, claims: &[Claim], now: Timestamp) -> Option<Duration> {
        let taken = |id: EndpointId| {
            claims.iter().filter(|claim| claim.lease.delivery.endpoint == id).count()
        };
        let claimed = |id: DeliveryId| claims.iter().any(|claim| claim.lease.delivery == id);
        let at = |(id, row): (&DeliveryId, &Row)| {
            let (due, allowance) = (row.state.claimable_at()?, self.allowance(id.endpoint)?);
            let used = ask.in_flight.get(&id.endpoint).copied().unwrap_or_default() as usize;
            let full = used + taken(id.endpoint) >= allowance.slots() as usize;
            if full || claimed(*id) || !self.is_active(id.endpoint) {
                return None;
            }
            Some(due.max(allowance.opens_at(now).unwrap_or(due)).since(now))
        };
        self.deliveries.iter().filter_map(at).min()
    }
}
