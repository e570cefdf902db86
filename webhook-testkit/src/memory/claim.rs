//! Handing out what is due, endpoint by endpoint.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use webhook_core::{
    DeliveryId, Endpoint, EndpointId, Timestamp,
    policy::{ByteBudget, Shares},
    store::{Claim, ClaimCursor, ClaimDue, Claimed},
};

use super::{State, row::DeliveryRow};

/// Claimable deliveries of each endpoint, the longest due first.
type OpenDeliveries = BTreeMap<EndpointId, Vec<(Timestamp, DeliveryId)>>;

impl State {
    pub(super) fn claim_due(&mut self, ask: &ClaimDue, now: Timestamp) -> Claimed {
        let mut open = self.open();
        let round: Vec<_> = self.round(&open, ask, now);
        let mut shares = self.shares(&round, ask);
        let (mut claims, mut budget) = (Vec::new(), ByteBudget::new(ask.max_bytes));
        let (mut visited, mut passed_over) = (0, None);
        for endpoint in round.iter().take_while(|_| ask.limit > 0) {
            visited += 1;
            let share = shares.room(&endpoint.tenant) as usize;
            if share == 0 {
                let turn = Some(endpoint.id).filter(|_| shares.had_its_part(&endpoint.tenant));
                passed_over = passed_over.or(turn);
                continue;
            }
            let room = self.room(endpoint.id, ask, now).min(share).min(ask.limit - claims.len());
            let due = self.take_due(&mut open, endpoint.id, room, &mut budget, now);
            let taken = self.claim_each(due, endpoint, ask, now);
            shares.take(&endpoint.tenant, count(taken.len()));
            claims.extend(taken);
            if claims.len() == ask.limit || budget.is_spent() {
                break;
            }
        }
        // The endpoint after the last one served, so that a busy one cannot keep the others waiting.
        let next = round.get(visited).or(round.first()).map(|endpoint| endpoint.id);
        let resume_at = passed_over.or(next);
        let cursor = resume_at.map(|id| ClaimCursor::new(id.as_uuid().as_bytes().to_vec()));
        let next_due = self.next_due(&open, ask, &claims, now);
        Claimed::new(claims, cursor, next_due)
    }

    /// Whether deliveries to this endpoint may be claimed.
    pub(super) fn is_active(&self, endpoint: EndpointId) -> bool {
        self.endpoint(endpoint).is_some_and(|endpoint| endpoint.state.is_active())
    }

    fn open(&self) -> OpenDeliveries {
        let mut open = OpenDeliveries::new();
        for (&id, row) in &self.deliveries {
            if let Some(due_at) = row.state.claimable_at() {
                open.entry(id.endpoint).or_default().push((due_at, id));
            }
        }
        open.values_mut().for_each(|ids| ids.sort_unstable());
        open.retain(|&endpoint, _| self.is_active(endpoint));
        open
    }

    /// The active endpoints with due work and a free slot, from where the caller wants to begin.
    fn round(&self, open: &OpenDeliveries, ask: &ClaimDue, now: Timestamp) -> Vec<Arc<Endpoint>> {
        let is_due = |ids: &Vec<(Timestamp, _)>| ids.first().is_some_and(|(due, _)| *due <= now);
        let due = open.iter().filter(|(_, ids)| is_due(ids));
        let endpoints = due.filter_map(|(&id, _)| self.endpoint(id));
        let resume_at = ask.cursor.as_ref().and_then(resume_at);
        let (mut round, before): (Vec<_>, Vec<_>) = endpoints
            .filter(|endpoint| self.room(endpoint.id, ask, now) > 0)
            .cloned()
            .partition(|endpoint| resume_at.is_none_or(|first| endpoint.id >= first));
        round.extend(before);
        round
    }

    /// What each tenant may take of this claim.
    fn shares(&self, round: &[Arc<Endpoint>], ask: &ClaimDue) -> Shares {
        let mut shares = Shares::new(ask.tenants.max_in_flight, ask.limit);
        round.iter().for_each(|endpoint| shares.note_work(&endpoint.tenant));
        for (id, count) in &ask.in_flight {
            if let Some(row) = self.endpoints.get(id) {
                shares.note_in_flight(&row.endpoint.tenant, *count);
            }
        }
        shares
    }

    /// How many attempts at an endpoint may start.
    fn room(&self, endpoint: EndpointId, ask: &ClaimDue, now: Timestamp) -> usize {
        let in_flight = ask.in_flight.get(&endpoint).copied().unwrap_or_default();
        self.endpoints.get(&endpoint).map_or(0, |row| row.allowance().room(in_flight, now)) as usize
    }

    /// Takes up to `room` due deliveries of an endpoint off the list, as far as their bodies fit into
    /// the budget.
    fn take_due(
        &self,
        open: &mut OpenDeliveries,
        endpoint: EndpointId,
        room: usize,
        budget: &mut ByteBudget,
        now: Timestamp,
    ) -> Vec<DeliveryId> {
        let Some(ids) = open.get_mut(&endpoint) else { return Vec::new() };
        let bytes = |id| self.deliveries.get(id).map_or(0, |row| row.event.body.len());
        let due = ids.iter().take(room).take_while(|(due, _)| *due <= now);
        let due = due.take_while(|(_, id)| budget.take(bytes(id))).count();
        ids.drain(..due).map(|(_, id)| id).collect()
    }

    /// Claims due deliveries of an endpoint.
    fn claim_each(
        &mut self,
        due: Vec<DeliveryId>,
        endpoint: &Endpoint,
        ask: &ClaimDue,
        now: Timestamp,
    ) -> Vec<Claim> {
        let mut claims = Vec::new();
        for id in due {
            let Some(row) = self.deliveries.get_mut(&id) else { continue };
            row.state = row.state.claimed(ask.lease, ask.worker.as_ref(), now);
            claims.push(claim_of(id, row, endpoint));
        }
        if let Some(row) = self.endpoints.get_mut(&endpoint.id) {
            let allowance = row.allowance().after(count(claims.len()), now, now.after(ask.lease));
            row.set_allowance(allowance);
        }
        claims
    }

    /// How long until the earliest work left may be claimed. Endpoints without a free slot after
    /// these claims do not count: the caller knows when they have one again. Others may have to wait for
    /// the end of a rest, or for their rate.
    fn next_due(
        &self,
        open: &OpenDeliveries,
        ask: &ClaimDue,
        claims: &[Claim],
        now: Timestamp,
    ) -> Option<Duration> {
        let claimed = |id| claims.iter().filter(|it| it.lease.delivery.endpoint == id).count();
        let at = |(id, ids): (&EndpointId, &Vec<(Timestamp, DeliveryId)>)| {
            let (due, _) = ids.first()?;
            let allowance = self.endpoints.get(id)?.allowance();
            let used = ask.in_flight.get(id).copied().unwrap_or_default() as usize + claimed(*id);
            let has_slot = used < allowance.slots() as usize;
            has_slot.then(|| allowance.opens_at(now).unwrap_or(*due).max(*due).since(now))
        };
        open.iter().filter_map(at).min()
    }
}

fn count(claims: usize) -> u32 {
    u32::try_from(claims).unwrap_or(u32::MAX)
}

/// Endpoint at which a claim goes on.
fn resume_at(cursor: &ClaimCursor) -> Option<EndpointId> {
    uuid::Uuid::from_slice(cursor.as_bytes()).ok().map(EndpointId::from_uuid)
}

fn claim_of(id: DeliveryId, row: &DeliveryRow, endpoint: &Endpoint) -> Claim {
    let recorded = u32::try_from(row.records.len()).unwrap_or(u32::MAX);
    row.state.to_claim(id, Arc::clone(&row.event), endpoint, recorded)
}
