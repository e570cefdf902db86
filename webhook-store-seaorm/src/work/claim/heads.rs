//! The endpoints that have work, and the walk through them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use webhook_core::{
    EndpointId, Revision, TenantId, Timestamp,
    policy::{Allowance, ByteBudget, Shares},
    store::{ClaimCursor, ClaimDue},
};

use super::Candidate;
use crate::{
    db::{
        fault::Fault,
        row::{Row, ToValue, stored_health},
        tx::Tx,
    },
    work::order::unless_parked,
};

/// An active endpoint with open deliveries.
#[derive(Clone)]
pub(super) struct Head {
    pub(super) id: EndpointId,
    pub(super) revision: Revision,
    pub(super) allowance: Allowance,
    tenant: TenantId,
    /// When the earliest of them is due, or its lease ends.
    due_at: Timestamp,
}

/// The active endpoints with open deliveries, and when the first of each is due; and those that are
/// removed.
const READ_HEADS: &str = "\
    {with_open_endpoints} \
    SELECT e.id, e.removed_at, e.revision, e.tenant, e.max_in_flight, e.rate, e.rate_used, e.health, \
        {first_due} AS due_at \
    FROM open_endpoints AS o JOIN {endpoints} AS e ON e.id = o.id \
    WHERE e.state = 'active' OR e.removed_at IS NOT NULL {with_work} ORDER BY e.id";

/// Pause before an endpoint is read again whose row another worker has locked.
const LOCKED_ENDPOINT_PAUSE: Duration = Duration::from_millis(20);

impl Head {
    /// Those with work; and the endpoints that were removed while a publisher, who had read the
    /// version before, stored deliveries for them.
    pub(super) async fn read(tx: &Tx) -> Result<(Vec<Self>, Vec<EndpointId>), Fault> {
        let rows = tx.all(READ_HEADS, []).await?;
        let is_removed = |row: &&Row| !matches!(row.time_if_any("removed_at"), Ok(None));
        let (removed, active): (Vec<_>, Vec<_>) = rows.iter().partition(is_removed);
        // An endpoint that cannot be read has no work: it could not be sent to either.
        let heads = active.into_iter().filter_map(|row| Self::of(row).ok());
        Ok((heads.collect(), removed.iter().filter_map(|row| row.endpoint("id").ok()).collect()))
    }

    fn of(row: &Row) -> Result<Self, Fault> {
        Ok(Self {
            id: row.endpoint("id")?,
            revision: Revision::from_u64(row.number("revision")?),
            allowance: allowance(row)?,
            tenant: row.parse("tenant")?,
            due_at: row.time("due_at")?,
        })
    }

    /// Locks the endpoints with due work whose allowance other workers change as well, and reads it anew.
    /// One that somebody else has locked is looked at again soon: nobody waits here.
    pub(super) async fn lock_shared(
        tx: &Tx,
        heads: &mut [Self],
        ask: &ClaimDue,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let in_flight = |head: &Self| ask.in_flight.get(&head.id).copied().unwrap_or_default();
        let has_room = |head: &Self| head.allowance.room(in_flight(head), now) > 0;
        let is_shared =
            |head: &Self| head.due_at <= now && head.allowance.is_shared() && has_room(head);
        let shared: Vec<_> = heads.iter().filter(|head| is_shared(head)).map(|it| it.id).collect();
        let sql = "SELECT id, max_in_flight, rate, rate_used, health FROM {endpoints} \
                   WHERE id {in_list} ORDER BY id {for_update_skip_locked}";
        let rows = tx.all_of(sql, shared.iter().map(ToValue::to_value)).await?;
        let read = rows.iter().map(|row| Ok((row.endpoint("id")?, allowance(row)?)));
        let locked = read.collect::<Result<BTreeMap<_, _>, Fault>>()?;
        let asked: BTreeSet<_> = shared.into_iter().collect();
        for head in heads.iter_mut().filter(|head| asked.contains(&head.id)) {
            match locked.get(&head.id) {
                Some(allowance) => head.allowance = *allowance,
                None => head.due_at = now.after(LOCKED_ENDPOINT_PAUSE),
            }
        }
        Ok(())
    }

    /// Writes down what the claims of an endpoint have made of its allowance.
    pub(super) async fn write_allowance(
        tx: &Tx,
        id: EndpointId,
        allowance: Allowance,
    ) -> Result<(), Fault> {
        let set =
            "UPDATE {endpoints} SET health = ?, cools_down_until = ?, rate_used = ? WHERE id = ?";
        let cools_down_until = allowance.health.cools_down_until().to_value();
        let values =
            [allowance.health.to_value(), cools_down_until, allowance.used.into(), id.to_value()];
        tx.run(set, values).await.map(|_| ())
    }
}

fn allowance(row: &Row) -> Result<Allowance, Fault> {
    Ok(Allowance::new(row.number("max_in_flight")?)
        .with_rate(row.parse_if_any("rate")?, row.get("rate_used")?)
        .with_health(stored_health(row)?))
}

/// One walk through the endpoints: those with due work and room for it, from where the caller wants to
/// begin.
pub(super) struct Round<'a> {
    ask: &'a ClaimDue,
    now: Timestamp,
    /// How many deliveries may still be taken.
    left: usize,
    /// How many deliveries the next statement may read.
    reads: usize,
    /// Endpoints not visited yet.
    ahead: VecDeque<Head>,
    first: Option<EndpointId>,
    /// The first one whose tenant had taken its part already.
    passed_over: Option<EndpointId>,
    next_due: Option<Timestamp>,
    shares: Shares,
    /// What the claims have made of allowances that other workers change as well.
    allowances: Vec<(EndpointId, Allowance)>,
    budget: ByteBudget,
}

impl<'a> Round<'a> {
    pub(super) fn new(ask: &'a ClaimDue, heads: Vec<Head>, now: Timestamp) -> Self {
        let mut round = Self {
            ask,
            now,
            left: ask.limit,
            reads: ask.limit,
            ahead: VecDeque::new(),
            first: None,
            passed_over: None,
            next_due: None,
            shares: Shares::new(ask.tenants.max_in_flight, ask.limit),
            allowances: Vec::new(),
            budget: ByteBudget::new(ask.max_bytes),
        };
        let resume_at = ask.cursor.as_ref().and_then(endpoint_of);
        let mut before = Vec::new();
        for head in heads {
            round.shares.note_in_flight(&head.tenant, round.in_flight(&head));
            if round.room(&head) == 0 || head.due_at > now {
                round.look_again(&head, head.due_at, 0);
                continue;
            }
            round.shares.note_work(&head.tenant);
            if resume_at.is_none_or(|resume_at| head.id >= resume_at) {
                round.ahead.push_back(head);
            } else {
                before.push(head);
            }
        }
        round.ahead.extend(before);
        round.first = round.ahead.front().map(|head| head.id);
        round
    }

    /// What the caller has under way at an endpoint.
    fn in_flight(&self, head: &Head) -> u32 {
        self.ask.in_flight.get(&head.id).copied().unwrap_or_default()
    }

    /// How many more may start at an endpoint.
    fn room(&self, head: &Head) -> usize {
        head.allowance.room(self.in_flight(head), self.now) as usize
    }

    /// Notes when to look at an endpoint again that has a delivery due at this time, after `taken` have
    /// been taken. Where no slot is free the caller knows when there is one; health and rate may make it
    /// wait longer.
    fn look_again(&mut self, head: &Head, due_at: Timestamp, taken: u32) {
        let Some(due_at) = unless_parked(due_at) else { return };
        if self.in_flight(head).saturating_add(taken) < head.allowance.slots() {
            let at =
                head.allowance.opens_at(self.now).map_or(due_at, |opens_at| opens_at.max(due_at));
            self.next_due = self.next_due.into_iter().chain([at]).min();
        }
    }

    /// The next endpoints to look at, each with how many deliveries to read of it.
    pub(super) fn next_heads(&mut self, most: usize) -> Vec<(Head, usize)> {
        let (mut heads, mut rows) = (Vec::new(), 0);
        // These may have all that is wanted. Where they turn out to have little, more are asked next.
        while self.left > 0 && heads.len() < most && rows < self.reads {
            let Some(head) = self.ahead.pop_front() else { break };
            let share = self.shares.room(&head.tenant) as usize;
            if share == 0 {
                self.pass_over(&head);
                continue;
            }
            let room = self.room(&head).min(self.left).min(share);
            rows += room;
            heads.push((head, room));
        }
        self.reads = self.reads.saturating_mul(2);
        heads
    }

    /// Its tenant has had its share: others first.
    fn pass_over(&mut self, head: &Head) {
        let turn = Some(head.id).filter(|_| self.shares.had_its_part(&head.tenant));
        self.passed_over = self.passed_over.or(turn);
        self.look_again(head, head.due_at, 0);
    }

    /// Takes what is due of these endpoints, in their order, as long as there is something left to
    /// take; the endpoints behind that are ahead again.
    pub(super) fn take(
        &mut self,
        heads: Vec<(Head, usize)>,
        candidates: Vec<Candidate>,
    ) -> Vec<(Head, Candidate)> {
        let mut by_endpoint = BTreeMap::<EndpointId, Vec<Candidate>>::new();
        for candidate in candidates {
            by_endpoint.entry(candidate.endpoint).or_default().push(candidate);
        }
        let (mut taken, mut left_over) = (Vec::new(), Vec::new());
        for (head, room) in heads {
            let share = self.shares.room(&head.tenant) as usize;
            if self.left == 0 {
                left_over.push(head);
            } else if share == 0 {
                self.pass_over(&head);
            } else {
                let open = by_endpoint.remove(&head.id).unwrap_or_default();
                taken.extend(self.take_of(head, room.min(share), open));
            }
        }
        left_over.into_iter().rev().for_each(|head| self.ahead.push_front(head));
        taken
    }

    fn take_of(
        &mut self,
        mut head: Head,
        room: usize,
        mut open: Vec<Candidate>,
    ) -> Vec<(Head, Candidate)> {
        open.sort_by(|a, b| (a.due_at, &a.event).cmp(&(b.due_at, &b.event)));
        let room = room.min(self.left);
        let due = open.iter().take(room).take_while(|it| it.due_at <= self.now);
        let due = due.take_while(|it| self.budget.take(it.bytes)).count();
        let taken = u32::try_from(due).unwrap_or(u32::MAX);
        self.shares.take(&head.tenant, taken);
        self.left = if self.budget.is_spent() { 0 } else { self.left - due };
        let allowance = head.allowance.after(taken, self.now, self.now.after(self.ask.lease));
        if head.allowance.is_shared() && due > 0 {
            self.allowances.push((head.id, allowance));
        }
        if let Some(behind) = open.get(due).map(|it| it.due_at) {
            let now_on = Head { allowance, ..head.clone() };
            self.look_again(&now_on, behind, taken);
        }
        open.truncate(due);
        head.due_at = self.now;
        open.into_iter().map(|candidate| (head.clone(), candidate)).collect()
    }

    /// The endpoint after the last one served, so that a busy one cannot keep the others waiting.
    pub(super) fn cursor(&self) -> Option<ClaimCursor> {
        let next = self.passed_over.or(self.ahead.front().map(|head| head.id)).or(self.first);
        next.map(|id| ClaimCursor::new(id.as_uuid().as_bytes().to_vec()))
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        let ahead = self.ahead.iter().map(|head| head.due_at);
        self.next_due.into_iter().chain(ahead).min().map(|due_at| due_at.since(self.now))
    }

    /// What the claims have made of allowances that other workers change as well.
    pub(super) fn allowances(&self) -> &[(EndpointId, Allowance)] {
        &self.allowances
    }
}

/// Endpoint of a cursor; `None` if another store wrote it.
fn endpoint_of(cursor: &ClaimCursor) -> Option<EndpointId> {
    uuid::Uuid::from_slice(cursor.as_bytes()).ok().map(EndpointId::from_uuid)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many deliveries each statement of a walk asks for, when nothing is found.
    fn asked(heads: u128, room: u32, limit: usize) -> Vec<usize> {
        let head = |number| Head {
            id: EndpointId::from_uuid(uuid::Uuid::from_u128(number)),
            revision: Revision::default(),
            allowance: Allowance::new(room),
            tenant: TenantId::default(),
            due_at: Timestamp::default(),
        };
        let ask = ClaimDue::new(limit, Duration::from_secs(1));
        let mut round = Round::new(&ask, (0..heads).map(head).collect(), Timestamp::default());
        let mut asked = Vec::new();
        loop {
            let heads = round.next_heads(4);
            if heads.is_empty() {
                return asked;
            }
            asked.push(heads.iter().map(|(_, room)| room).sum());
            round.take(heads, Vec::new());
        }
    }

    #[test]
    fn no_more_is_read_than_may_be_needed_and_more_only_where_little_is_found() {
        let table = [
            ((10, 100, 50), vec![50, 100, 200, 150]),
            ((10, 100, 1), vec![1, 2, 4, 3]),
            ((3, 5, 100), vec![15]),
            ((0, 5, 100), vec![]),
        ];
        for ((heads, room, limit), expected) in table {
            assert_eq!(asked(heads, room, limit), expected, "{heads} {room} {limit}");
        }
    }
}
