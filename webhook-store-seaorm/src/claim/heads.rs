//! The endpoints that have work, and the walk through them.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use webhook_core::{ClaimDue, EndpointId, Revision, Timestamp};

use super::Candidate;
use crate::{fault::Fault, row::Row, tx::Tx};

/// An active endpoint with open deliveries.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub(super) id: EndpointId,
    pub(super) revision: Revision,
    max_in_flight: usize,
    /// When the earliest of them is due, or its lease ends.
    due_at: Timestamp,
}

/// The active endpoints with open deliveries, and when the first of each is due; and those that are
/// removed.
const READ_HEADS: &str = "\
    {with_open_endpoints} \
    SELECT e.id, e.removed_at, e.revision, e.max_in_flight, {first_due} AS due_at \
    FROM open_endpoints AS o JOIN {endpoints} AS e ON e.id = o.id \
    WHERE e.state = 'active' OR e.removed_at IS NOT NULL {with_work} ORDER BY e.id";

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
            max_in_flight: row.number("max_in_flight")?,
            due_at: row.time("due_at")?,
        })
    }
}

/// One walk through the endpoints: those with due work and a free slot, from where the caller wants
/// to begin.
pub(super) struct Round {
    now: Timestamp,
    /// How many deliveries may still be taken.
    left: usize,
    /// How many deliveries the next statement may read.
    reads: usize,
    /// Endpoints not visited yet, with their free slots.
    ahead: VecDeque<(Head, usize)>,
    first: Option<EndpointId>,
    next_due: Option<Timestamp>,
}

impl Round {
    pub(super) fn new(ask: &ClaimDue, heads: Vec<Head>, now: Timestamp) -> Self {
        let used = |id| ask.in_flight.get(&id).map_or(0, |used| *used as usize);
        // An endpoint without a free slot is passed over: the caller knows when it has one again.
        let free =
            heads.into_iter().map(|head| (head, head.max_in_flight.saturating_sub(used(head.id))));
        let free = free.filter(|(_, room)| *room > 0);
        let (due, later): (Vec<_>, Vec<_>) = free.partition(|(head, _)| head.due_at <= now);
        let next_due = later.iter().map(|(head, _)| head.due_at).min();
        let (after, before): (Vec<_>, Vec<_>) = due
            .into_iter()
            .partition(|(head, _)| ask.resume_at.is_none_or(|resume_at| head.id >= resume_at));
        let ahead: VecDeque<_> = after.into_iter().chain(before).collect();
        let first = ahead.front().map(|(head, _)| head.id);
        Self { now, left: ask.limit, reads: ask.limit, ahead, first, next_due }
    }

    /// The next endpoints to look at, each with how many deliveries to read of it.
    pub(super) fn next_heads(&mut self, most: usize) -> Option<Vec<(Head, usize)>> {
        if self.left == 0 || self.ahead.is_empty() {
            return None;
        }
        let (left, mut rows) = (self.left, 0);
        let asked = self.ahead.iter().take(most).map(|(head, room)| (*head, (*room).min(left)));
        // These may have all that is wanted. Where they turn out to have little, more are asked next.
        let heads = asked.take_while(|(_, room)| {
            let wanted = rows < self.reads;
            rows += room;
            wanted
        });
        let heads = heads.collect();
        self.reads = self.reads.saturating_mul(2);
        Some(heads)
    }

    /// Passes over those of the next endpoints that are not among `readable`.
    pub(super) fn keep(
        &mut self,
        mut heads: Vec<(Head, usize)>,
        readable: &BTreeSet<EndpointId>,
    ) -> Vec<(Head, usize)> {
        let asked = heads.len();
        let mut next = 0;
        self.ahead.retain(|(head, _)| {
            next += 1;
            next > asked || readable.contains(&head.id)
        });
        heads.retain(|(head, _)| readable.contains(&head.id));
        heads
    }

    /// Takes what is due of these endpoints, in their order, as long as there is something left to
    /// take; the endpoints behind that stay ahead.
    pub(super) fn take(
        &mut self,
        heads: &[(Head, usize)],
        candidates: Vec<Candidate>,
    ) -> Vec<(Head, Candidate)> {
        let mut by_endpoint = BTreeMap::<EndpointId, Vec<Candidate>>::new();
        for candidate in candidates {
            by_endpoint.entry(candidate.endpoint).or_default().push(candidate);
        }
        let mut taken = Vec::new();
        for (head, _) in heads {
            if self.left == 0 {
                break;
            }
            let Some((_, free)) = self.ahead.pop_front() else { break };
            let open = by_endpoint.remove(&head.id).unwrap_or_default();
            taken.extend(self.take_of(*head, free, open));
        }
        taken
    }

    fn take_of(
        &mut self,
        head: Head,
        free: usize,
        mut open: Vec<Candidate>,
    ) -> Vec<(Head, Candidate)> {
        open.sort_by(|a, b| (a.due_at, &a.event).cmp(&(b.due_at, &b.event)));
        let room = free.min(self.left);
        let due = open.iter().take(room).take_while(|it| it.due_at <= self.now).count();
        let behind = open.get(due).filter(|_| due < free).map(|it| it.due_at);
        self.next_due = self.next_due.into_iter().chain(behind).min();
        self.left -= due;
        open.truncate(due);
        open.into_iter().map(|candidate| (head, candidate)).collect()
    }

    /// The endpoint after the last one served, so that a busy one cannot keep the others waiting.
    pub(super) fn resume_at(&self) -> Option<EndpointId> {
        self.ahead.front().map(|(head, _)| head.id).or(self.first)
    }

    pub(super) fn next_due(&self) -> Option<Duration> {
        let ahead = self.ahead.iter().map(|(head, _)| head.due_at);
        self.next_due.into_iter().chain(ahead).min().map(|due_at| due_at.since(self.now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(heads: u128, room: usize, limit: usize) -> Round {
        let head = |number| Head {
            id: EndpointId::from_uuid(uuid::Uuid::from_u128(number)),
            revision: Revision::default(),
            max_in_flight: room,
            due_at: Timestamp::default(),
        };
        let ask = ClaimDue::new(limit, Duration::from_secs(1));
        Round::new(&ask, (0..heads).map(head).collect(), Timestamp::default())
    }

    /// How many deliveries each statement of a walk asks for, when nothing is found.
    fn asked(mut round: Round) -> Vec<usize> {
        let mut asked = Vec::new();
        while let Some(heads) = round.next_heads(4) {
            asked.push(heads.iter().map(|(_, room)| room).sum());
            round.take(&heads, Vec::new());
        }
        asked
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
            assert_eq!(asked(round(heads, room, limit)), expected, "{heads} {room} {limit}");
        }
    }
}
