use std::{sync::Arc, time::Duration};

use webhook_registry::{
    Allowance, ByteBudget, Claim, ClaimCursor, ClaimDue, Claimed, DeliveryId, Endpoint, EndpointId,
    Event, Lease, Progress, Shares, Timestamp,
};

use super::state::{Row, State};

impl State {
    pub(super) fn claim_due(&mut self, ask: &ClaimDue, now: Timestamp) -> Claimed {
        let (mut claims, mut resume_at) = (Vec::new(), None);
        let (round, mut budget) = (self.round(ask, now), ByteBudget::new(ask.max_bytes));
        let mut shares = self.shares(ask, &round);
        for endpoint in round {
            let Some(tenant) = self.endpoints.get(&endpoint).map(|it| it.tenant.clone()) else {
                continue;
            };
            let share = shares.room(&tenant) as usize;
            if claims.len() >= ask.limit || budget.is_spent() || share == 0 {
                let turn = share > 0 || shares.had_its_part(&tenant);
                resume_at = resume_at.or(Some(endpoint).filter(|_| turn));
                continue;
            }
            let room = self.room(ask, endpoint, now).min(share).min(ask.limit - claims.len());
            let body = |id: &DeliveryId| self.events.get(&id.event).map_or(0, |it| it.body.len());
            let due = self.due(endpoint, now).into_iter().take(room);
            let due: Vec<_> = due.take_while(|id| budget.take(body(id))).collect();
            let taken = u32::try_from(due.len()).unwrap_or(u32::MAX);
            claims.extend(due.into_iter().filter_map(|id| self.claim(id, ask, now)));
            self.started(endpoint, taken, ask.lease, now);
            shares.take(&tenant, taken);
        }
        let cursor = resume_at.map(cursor_at).or(ask.cursor.clone());
        let next_due = self.next_due(ask, &claims, now);
        Claimed::new(claims, cursor, next_due)
    }

    /// The active endpoints with due work, from where the caller wants to begin.
    fn round(&self, ask: &ClaimDue, now: Timestamp) -> Vec<EndpointId> {
        let active = self.endpoints.values().filter(|endpoint| endpoint.state.is_active());
        let due = active
            .map(|endpoint| endpoint.id)
            .filter(|&id| !self.due(id, now).is_empty() && self.room(ask, id, now) > 0);
        let cursor = ask.cursor.as_ref().map(ClaimCursor::as_bytes);
        let (mut round, before): (Vec<_>, Vec<_>) = due
            .partition(|id| cursor.is_none_or(|first| id.as_uuid().as_bytes().as_slice() >= first));
        round.extend(before);
        round
    }

    fn shares(&self, ask: &ClaimDue, round: &[EndpointId]) -> Shares {
        let mut shares = Shares::new(ask.tenants.max_in_flight, ask.limit);
        for endpoint in round.iter().filter_map(|id| self.endpoints.get(id)) {
            shares.note_work(&endpoint.tenant);
        }
        for (id, count) in &ask.in_flight {
            if let Some(endpoint) = self.endpoints.get(id) {
                shares.note_in_flight(&endpoint.tenant, *count);
            }
        }
        shares
    }

    fn allowance(&self, endpoint: EndpointId) -> Option<Allowance> {
        let used = self.used.get(&endpoint).copied().unwrap_or_default();
        self.endpoints.get(&endpoint).map(|endpoint| Allowance::of(endpoint, used))
    }

    fn room(&self, ask: &ClaimDue, endpoint: EndpointId, now: Timestamp) -> usize {
        let in_flight = ask.in_flight.get(&endpoint).copied().unwrap_or_default();
        self.allowance(endpoint).map_or(0, |allowance| allowance.room(in_flight, now)) as usize
    }

    /// Notes what the claims of an endpoint use of its rate, and that its probe is out.
    fn started(&mut self, id: EndpointId, count: u32, lease: Duration, now: Timestamp) {
        let Some(allowance) = self.allowance(id) else { return };
        let allowance = allowance.after(count, now, now.after(lease));
        self.used.insert(id, allowance.used);
        if let Some(endpoint) = self.endpoints.get_mut(&id) {
            endpoint.health = allowance.health;
        }
    }

    fn due(&self, endpoint: EndpointId, now: Timestamp) -> Vec<DeliveryId> {
        let rows = self.deliveries.values().filter(|row| row.delivery.id.endpoint == endpoint);
        let mut due: Vec<_> = rows
            .filter_map(|row| Some((row.free_at().filter(|at| *at <= now)?, row.delivery.id)))
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }

    fn claim(&mut self, id: DeliveryId, ask: &ClaimDue, now: Timestamp) -> Option<Claim> {
        let event = self.events.get(&id.event)?.clone();
        let endpoint = self.endpoints.get(&id.endpoint)?;
        let row = self.deliveries.get_mut(&id)?;
        row.claim(ask.lease, ask.worker.as_ref(), now);
        Some(row.as_claim(event, endpoint))
    }

    /// Endpoints without a free slot do not count: the caller knows when they have one again. Those
    /// that rest, or have used up their rate, wait longer.
    fn next_due(&self, ask: &ClaimDue, claims: &[Claim], now: Timestamp) -> Option<Duration> {
        let taken = |id: EndpointId| {
            claims.iter().filter(|claim| claim.lease.delivery.endpoint == id).count()
        };
        let claimed = |id: DeliveryId| claims.iter().any(|claim| claim.lease.delivery == id);
        let at = |row: &Row| {
            let (id, due) = (row.delivery.id, row.free_at()?);
            let endpoint = self.endpoints.get(&id.endpoint)?;
            let used = ask.in_flight.get(&endpoint.id).copied().unwrap_or_default() as usize;
            let allowance = self.allowance(endpoint.id)?;
            let full = used + taken(endpoint.id) >= allowance.slots() as usize;
            if full || claimed(id) || !endpoint.state.is_active() {
                return None;
            }
            Some(due.max(allowance.opens_at(now).unwrap_or(due)).since(now))
        };
        self.deliveries.values().filter_map(at).min()
    }
}

fn cursor_at(endpoint: EndpointId) -> ClaimCursor {
    ClaimCursor::new(endpoint.as_uuid().as_bytes().to_vec())
}

impl Row {
    fn as_claim(&self, event: Arc<Event>, endpoint: &Endpoint) -> Claim {
        let lease = Lease { delivery: self.delivery.id, epoch: self.epoch };
        let recorded = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        let progress = Progress::of_attempt(self.delivery.attempts)
            .with_budget_from(self.delivery.budget_from)
            .with_forgiven(self.delivery.forgiven);
        Claim::new(lease, event, endpoint.revision)
            .with_progress(progress, recorded)
            .with_cause(self.cause)
            .with_previous_claim_at(self.claimed_before)
            .with_unhealthy(!endpoint.health.is_healthy())
    }
}
