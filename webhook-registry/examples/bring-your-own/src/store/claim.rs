use std::{sync::Arc, time::Duration};

use webhook_registry::{
    Allowance, Claim, ClaimDue, Claimed, DeliveryId, EndpointId, Shares, Timestamp,
};

use super::state::{Row, State};

impl State {
    pub(super) fn claim_due(&mut self, ask: &ClaimDue, now: Timestamp) -> Claimed {
        let (mut claims, mut resume_at) = (Vec::new(), None);
        let round = self.round(ask, now);
        let mut shares = self.shares(ask, &round);
        for endpoint in round {
            let Some(tenant) = self.endpoints.get(&endpoint).map(|it| it.tenant.clone()) else {
                continue;
            };
            let share = shares.room(&tenant) as usize;
            if claims.len() >= ask.limit || share == 0 {
                let turn = share > 0 || shares.had_its_part(&tenant);
                resume_at = resume_at.or(Some(endpoint).filter(|_| turn));
                continue;
            }
            let room = self.room(ask, endpoint, now).min(share).min(ask.limit - claims.len());
            let due: Vec<_> = self.due(endpoint, now).into_iter().take(room).collect();
            let taken = u32::try_from(due.len()).unwrap_or(u32::MAX);
            claims.extend(due.into_iter().filter_map(|id| self.claim(id, ask, now)));
            self.started(endpoint, taken, ask.lease, now);
            shares.take(&tenant, taken);
        }
        let resume_at = resume_at.or(ask.resume_at);
        let next_due = self.next_due(ask, &claims, now);
        Claimed::new(claims, resume_at, next_due)
    }

    /// The active endpoints with due work, from where the caller wants to begin.
    fn round(&self, ask: &ClaimDue, now: Timestamp) -> Vec<EndpointId> {
        let active = self.endpoints.values().filter(|endpoint| endpoint.state.is_active());
        let due = active
            .map(|endpoint| endpoint.id)
            .filter(|&id| !self.due(id, now).is_empty() && self.room(ask, id, now) > 0);
        let (mut round, before): (Vec<_>, Vec<_>) =
            due.partition(|id| ask.resume_at.is_none_or(|first| *id >= first));
        round.extend(before);
        round
    }

    fn shares(&self, ask: &ClaimDue, round: &[EndpointId]) -> Shares {
        let mut shares = Shares::new(ask.tenant_share, ask.limit);
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
        let rows = self.deliveries.iter().filter(|(id, _)| id.endpoint == endpoint);
        let due = rows.filter_map(|(id, row)| Some((row.state.claimable_at()?, *id)));
        let mut due: Vec<_> = due.filter(|(at, _)| *at <= now).collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }

    fn claim(&mut self, id: DeliveryId, ask: &ClaimDue, now: Timestamp) -> Option<Claim> {
        let endpoint = self.endpoints.get(&id.endpoint)?;
        let row = self.deliveries.get_mut(&id)?;
        row.state = row.state.claimed(ask.lease, ask.worker.as_ref(), now);
        let recorded = u32::try_from(row.attempts.len()).unwrap_or(u32::MAX);
        Some(row.state.to_claim(id, Arc::clone(&row.event), endpoint, recorded))
    }

    /// Time at which a delivery is due and its endpoint has cooled down.
    pub(super) fn may_start_at(&self, id: DeliveryId, row: &Row) -> Option<Timestamp> {
        let endpoint = self.endpoints.get(&id.endpoint);
        let cooled = endpoint.and_then(|endpoint| endpoint.health.cools_down_until());
        let due = row.state.claimable_at()?;
        Some(cooled.map_or(due, |until| until.max(due)))
    }

    /// Time until the next claim can find work. Endpoints without a free slot do not count: the
    /// caller knows when they have one again.
    fn next_due(&self, ask: &ClaimDue, claims: &[Claim], now: Timestamp) -> Option<Duration> {
        let claimed = |id: DeliveryId| claims.iter().any(|claim| claim.lease.delivery == id);
        let taken = |id: EndpointId| {
            claims.iter().filter(|claim| claim.lease.delivery.endpoint == id).count()
        };
        let at = |(id, row): (&DeliveryId, &Row)| {
            let due = row.state.claimable_at()?;
            let allowance = self.allowance(id.endpoint)?;
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
