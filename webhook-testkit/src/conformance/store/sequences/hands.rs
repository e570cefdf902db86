//! Who makes the calls: what it has been told so far, and what it asks next.

mod edit;
mod make;
mod operate;
mod publish;
mod track;
mod work;

use std::{collections::BTreeSet, time::Duration};

use webhook_core::{
    Claim, ClaimDue, Cursor, Delivery, DeliveryId, DeliveryQuery, Endpoint, EndpointId, Enqueue,
    Event, Finish, Prune, Snapshot, UnroutedEvent,
};

use super::{answer::Answer, call::Call, dice::Dice};
use crate::{MemoryStore, SequenceIds, conformance::store::ground::LEASE};

/// Leases and waits; the clock is turned by these as well, so that they end to the millisecond.
const SPANS: [Duration; 7] = [
    Duration::from_millis(1),
    Duration::from_millis(999),
    Duration::from_secs(1),
    Duration::from_millis(4_999),
    Duration::from_secs(5),
    Duration::from_millis(59_999),
    Duration::from_secs(60),
];

/// The tenants there are.
const TENANTS: [&str; 2] = ["acme", "default"];

/// What the caller holds. It looks into the store in memory where a real one would have asked before.
pub(super) struct Hands {
    memory: MemoryStore,
    ids: SequenceIds,
    events: Vec<Event>,
    endpoints: Vec<Endpoint>,
    deliveries: Vec<DeliveryId>,
    snapshots: Vec<Snapshot>,
    claims: Vec<Claim>,
    unrouted: Vec<UnroutedEvent>,
    finishes: Vec<Finish>,
    tracked: Vec<(Event, Delivery)>,
    records: Vec<Call>,
    cursor: Option<Cursor>,
    resume_at: Option<EndpointId>,
}

impl Hands {
    pub(super) fn new(memory: MemoryStore) -> Self {
        Self {
            memory,
            ids: SequenceIds::new(),
            events: Vec::new(),
            endpoints: Vec::new(),
            deliveries: Vec::new(),
            snapshots: Vec::new(),
            claims: Vec::new(),
            unrouted: Vec::new(),
            finishes: Vec::new(),
            tracked: Vec::new(),
            records: Vec::new(),
            cursor: None,
            resume_at: None,
        }
    }

    /// The call that follows from these dice. One that is about something that is not there yet adds an
    /// endpoint.
    pub(super) async fn next_call(&mut self, dice: Dice) -> Call {
        let call = match dice.below(100) {
            0..15 => Some(self.enqueue(&dice).await),
            15..20 => Some(Call::ClaimUnrouted(dice.one_of([1, 2, 50]), dice.one_of(SPANS))),
            20..26 => self.route(&dice).await,
            26..39 => Some(self.claim_due(&dice)),
            39..53 => self.finish(&dice),
            53..57 => self.release(&dice),
            57..62 => self.update(&dice).await,
            62..64 => self.remove(&dice),
            64..68 => self.look_at_endpoints(&dice).await,
            68..72 => Some(self.open_tracked(&dice)),
            72..77 => self.record_tracked(&dice).await,
            77..82 => Some(Call::Deliveries(self.query(&dice))),
            82..85 => self.look_at_delivery(&dice),
            85..87 => Some(Call::Backlog),
            87..89 => Some(Call::Status),
            89..91 => self.redeliver(&dice),
            91 if dice.percent(50) => self.skip(&dice),
            91 => self.replay(&dice),
            92..93 => self.cancel(&dice),
            93..95 => Some(Self::prune(&dice)),
            95..99 => Some(Call::Advance(dice.one_of(SPANS))),
            _ => None,
        };
        call.unwrap_or_else(|| Call::Add(self.new_endpoint(&dice)))
    }

    /// Remembers what the call has brought.
    pub(super) fn learn(&mut self, call: &Call, answer: Answer) {
        match answer {
            Answer::Claimed(claimed) => {
                self.claims.extend(claimed.claims);
                self.resume_at = claimed.resume_at;
            }
            Answer::Unrouted(claimed) => self.unrouted.extend(claimed.events),
            Answer::Page(page) => self.cursor = page.next,
            Answer::Said(_) => {}
        }
        match call {
            Call::Enqueue(batch) => self.learn_events(batch),
            Call::Route(batch) => batch.iter().for_each(|route| {
                let ids = route.deliveries.iter();
                let ids = ids.map(|new| DeliveryId::new(route.event, new.endpoint));
                self.deliveries.extend(ids);
            }),
            Call::Add(endpoint) if !self.knows(endpoint.id) => {
                self.endpoints.push(endpoint.clone());
            }
            Call::Finish(batch) => self.finishes.extend_from_slice(batch),
            Call::OpenTracked(event, delivery) => {
                self.deliveries.push(delivery.id);
                self.events.push(event.clone());
                self.tracked.push((event.clone(), delivery.clone()));
            }
            Call::RecordTracked(..) => self.records.push(call.clone()),
            _ => {}
        }
    }

    fn knows(&self, id: EndpointId) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.id == id)
    }

    fn learn_events(&mut self, batch: &[Enqueue]) {
        for item in batch {
            self.events.push(item.event.clone());
            for new in item.fan_out.iter().flat_map(|fan_out| &fan_out.deliveries) {
                let id = DeliveryId::new(item.event.id, new.endpoint);
                self.deliveries.push(id);
                if new.lease.is_some() {
                    self.claims.push(make::claim(id, item.event.clone()));
                }
            }
        }
    }

    /// Calls that show all that is stored, then take what is due, then remove what is over.
    pub(super) fn last_look(&self) -> Vec<Call> {
        let mut calls = vec![Call::Backlog, Call::Status, Call::Tenants];
        calls.extend(TENANTS.map(|tenant| Call::Snapshot(tenant.parse().unwrap())));
        calls.push(Call::Deliveries(DeliveryQuery::new().limit(DeliveryQuery::MAX_LIMIT)));
        let events: BTreeSet<_> = self.events.iter().map(|event| event.id).collect();
        calls.extend(events.into_iter().map(Call::Event));
        let deliveries: BTreeSet<_> = self.deliveries.iter().copied().collect();
        calls.extend(deliveries.into_iter().map(Call::Attempts));
        calls.extend(self.endpoints.iter().map(|one| Call::Stats(one.id, LEASE)));
        calls.push(Call::ClaimUnrouted(1_000, LEASE));
        calls.push(Call::ClaimDue(ClaimDue::new(1_000, LEASE)));
        let prune = Prune::older_than(Duration::ZERO).limit(10);
        calls.extend([Call::Prune(prune.dry_run()), Call::Prune(prune), Call::Status]);
        calls.push(Call::Deliveries(DeliveryQuery::new().limit(DeliveryQuery::MAX_LIMIT)));
        calls
    }
}
