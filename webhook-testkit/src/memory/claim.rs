//! Handing out what is due, endpoint by endpoint.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use webhook_core::{
    Claim, ClaimDue, Claimed, DeliveryId, Endpoint, EndpointId, Lease, Progress, Revision,
    Timestamp,
};

use super::{State, row::DeliveryRow};

/// What is open for each endpoint, the longest due first.
type Open = BTreeMap<EndpointId, Vec<(Timestamp, DeliveryId)>>;

impl State {
    pub(super) fn claim_due(&mut self, ask: &ClaimDue, now: Timestamp) -> Claimed {
        let mut open = self.open();
        let round: Vec<_> = self.round(&open, ask, now);
        let mut claims = Vec::new();
        let mut visited = 0;
        for endpoint in round.iter().take_while(|_| ask.limit > 0) {
            let room = free_slots(endpoint, ask).min(ask.limit - claims.len());
            for id in take_due(&mut open, endpoint.id, room, now) {
                claims.extend(self.claim(id, endpoint.revision, ask.lease, now));
            }
            visited += 1;
            if claims.len() == ask.limit {
                break;
            }
        }
        // The endpoint after the last one served, so that a busy one cannot keep the others waiting.
        let resume_at = round.get(visited).or(round.first()).map(|endpoint| endpoint.id);
        let next_due = self.next_due(&open, ask, &claims, now);
        Claimed::new(claims, resume_at, next_due)
    }

    /// Whether deliveries to this endpoint may be claimed.
    pub(super) fn is_active(&self, endpoint: EndpointId) -> bool {
        self.endpoint(endpoint).is_some_and(|endpoint| endpoint.state.is_active())
    }

    fn open(&self) -> Open {
        let mut open = Open::new();
        for (&id, row) in self.deliveries.iter().filter(|(_, row)| row.is_open()) {
            open.entry(id.endpoint).or_default().push((row.due_at, id));
        }
        open.values_mut().for_each(|ids| ids.sort_unstable());
        open.retain(|&endpoint, _| self.is_active(endpoint));
        open
    }

    /// The active endpoints with due work and a free slot, from where the caller wants to begin.
    fn round(&self, open: &Open, ask: &ClaimDue, now: Timestamp) -> Vec<Arc<Endpoint>> {
        let is_due = |ids: &Vec<(Timestamp, _)>| ids.first().is_some_and(|(due, _)| *due <= now);
        let due = open.iter().filter(|(_, ids)| is_due(ids));
        let endpoints = due.filter_map(|(&id, _)| self.endpoint(id));
        let (mut round, before): (Vec<_>, Vec<_>) = endpoints
            .filter(|endpoint| free_slots(endpoint, ask) > 0)
            .cloned()
            .partition(|endpoint| ask.resume_at.is_none_or(|first| endpoint.id >= first));
        round.extend(before);
        round
    }

    fn claim(
        &mut self,
        id: DeliveryId,
        revision: Revision,
        lease: Duration,
        now: Timestamp,
    ) -> Option<Claim> {
        let row = self.deliveries.get_mut(&id)?;
        row.claim(lease, now);
        Some(claim_of(id, row, revision))
    }

    /// How long until the earliest work left may be claimed. Endpoints without a free slot after
    /// these claims do not count: the caller knows when they have one again.
    fn next_due(
        &self,
        open: &Open,
        ask: &ClaimDue,
        claims: &[Claim],
        now: Timestamp,
    ) -> Option<Duration> {
        let of = |id: EndpointId| move |claim: &&Claim| claim.lease.delivery.endpoint == id;
        let has_room = |&id: &EndpointId| {
            let claimed = claims.iter().filter(of(id)).count();
            self.endpoint(id).is_some_and(|endpoint| free_slots(endpoint, ask) > claimed)
        };
        let left = open.iter().filter(|(id, _)| has_room(id));
        left.filter_map(|(_, ids)| ids.first()).map(|(due, _)| due.since(now)).min()
    }
}

fn free_slots(endpoint: &Endpoint, ask: &ClaimDue) -> usize {
    let used = ask.in_flight.get(&endpoint.id).copied().unwrap_or_default();
    endpoint.max_in_flight.saturating_sub(used) as usize
}

/// Takes up to `room` due deliveries of an endpoint off the list.
fn take_due(open: &mut Open, endpoint: EndpointId, room: usize, now: Timestamp) -> Vec<DeliveryId> {
    let Some(ids) = open.get_mut(&endpoint) else { return Vec::new() };
    let due = ids.iter().take(room).take_while(|(due, _)| *due <= now).count();
    ids.drain(..due).map(|(_, id)| id).collect()
}

fn claim_of(id: DeliveryId, row: &DeliveryRow, revision: Revision) -> Claim {
    let recorded = u32::try_from(row.records.len()).unwrap_or(u32::MAX);
    let progress = Progress::of_attempt(row.attempts)
        .with_budget_from(row.budget_from)
        .with_forgiven(row.forgiven);
    Claim::new(Lease { delivery: id, epoch: row.epoch }, Arc::clone(&row.event), revision)
        .with_progress(progress, recorded)
        .with_previous_claim_at(row.claimed_before)
}
