use std::{sync::Arc, time::Duration};

use webhook_registry::{
    Claim, ClaimDue, Claimed, DeliveryId, EndpointId, Event, Lease, Progress, Revision, Timestamp,
};

use super::state::{Row, State};

impl State {
    pub(super) fn claim_due(&mut self, ask: &ClaimDue, now: Timestamp) -> Claimed {
        let (mut claims, mut resume_at) = (Vec::new(), ask.resume_at);
        for endpoint in self.round(ask, now) {
            if claims.len() >= ask.limit {
                resume_at = Some(endpoint);
                break;
            }
            let room = self.room(ask, endpoint).min(ask.limit - claims.len());
            for id in self.due(endpoint, now).into_iter().take(room) {
                claims.extend(self.claim(id, ask.lease, now));
            }
        }
        let next_due = self.next_due(ask, &claims, now);
        Claimed::new(claims, resume_at, next_due)
    }

    /// The active endpoints with due work, from where the caller wants to begin.
    fn round(&self, ask: &ClaimDue, now: Timestamp) -> Vec<EndpointId> {
        let active = self.endpoints.values().filter(|endpoint| endpoint.state.is_active());
        let due = active.map(|endpoint| endpoint.id).filter(|&id| !self.due(id, now).is_empty());
        let (mut round, before): (Vec<_>, Vec<_>) =
            due.partition(|id| ask.resume_at.is_none_or(|first| *id >= first));
        round.extend(before);
        round
    }

    fn room(&self, ask: &ClaimDue, endpoint: EndpointId) -> usize {
        let max = self.endpoints.get(&endpoint).map_or(0, |endpoint| endpoint.max_in_flight);
        max.saturating_sub(ask.in_flight.get(&endpoint).copied().unwrap_or_default()) as usize
    }

    fn due(&self, endpoint: EndpointId, now: Timestamp) -> Vec<DeliveryId> {
        let rows = self.deliveries.values().filter(|row| row.delivery.id.endpoint == endpoint);
        let mut due: Vec<_> = rows
            .filter_map(|row| Some((row.claim_at.filter(|at| *at <= now)?, row.delivery.id)))
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }

    fn claim(&mut self, id: DeliveryId, lease: Duration, now: Timestamp) -> Option<Claim> {
        let event = self.events.get(&id.event)?.clone();
        let revision = self.endpoints.get(&id.endpoint)?.revision;
        let row = self.deliveries.get_mut(&id)?;
        row.claim(lease, now);
        Some(row.as_claim(event, revision))
    }

    /// Endpoints without a free slot do not count: the caller knows when they have one again.
    fn next_due(&self, ask: &ClaimDue, claims: &[Claim], now: Timestamp) -> Option<Duration> {
        let taken = |id: EndpointId| {
            claims.iter().filter(|claim| claim.lease.delivery.endpoint == id).count()
        };
        let claimed = |id: DeliveryId| claims.iter().any(|claim| claim.lease.delivery == id);
        let counts = |row: &&Row| {
            let id = row.delivery.id;
            let active =
                self.endpoints.get(&id.endpoint).is_some_and(|endpoint| endpoint.state.is_active());
            active && !claimed(id) && self.room(ask, id.endpoint) > taken(id.endpoint)
        };
        self.deliveries
            .values()
            .filter(counts)
            .filter_map(|row| Some(row.claim_at?.since(now)))
            .min()
    }
}

impl Row {
    fn as_claim(&self, event: Arc<Event>, revision: Revision) -> Claim {
        let lease = Lease { delivery: self.delivery.id, epoch: self.epoch };
        let recorded = u32::try_from(self.attempts.len()).unwrap_or(u32::MAX);
        let progress = Progress::of_attempt(self.delivery.attempts)
            .with_budget_from(self.budget_from)
            .with_forgiven(self.forgiven);
        Claim::new(lease, event, revision)
            .with_progress(progress, recorded)
            .with_previous_claim_at(self.claimed_before)
    }
}
