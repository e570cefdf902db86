//! Driver of a sequence: remembers the results so far and chooses the next call.

mod edit;
mod make;
mod operate;
mod publish;
mod track;
mod work;

use std::sync::Arc;

use std::{collections::BTreeSet, time::Duration};

use webhook_core::{
    Delivery, DeliveryId, Endpoint, EndpointId, Event,
    store::{
        Claim, ClaimCursor, ClaimDue, Cursor, DeliveryQuery, Enqueue, Finish, Prune, Snapshot,
        UnroutedEvent,
    },
};

use super::{call::Call, call_result::CallResult, splitmix::SplitMix64};
use crate::{MemoryStore, SequenceIds, conformance::store::fixture::DEFAULT_LEASE};

/// Leases and waits. The clock advances by these too, so that they end to the millisecond.
const TIME_SPANS: [Duration; 7] = [
    Duration::from_millis(1),
    Duration::from_millis(999),
    Duration::from_secs(1),
    Duration::from_millis(4_999),
    Duration::from_secs(5),
    Duration::from_millis(59_999),
    Duration::from_secs(60),
];

/// Names of the tenants.
const TENANT_NAMES: [&str; 2] = ["acme", "default"];

/// State of the caller. It reads the store in memory for results that a real caller would have.
pub(super) struct Driver {
    memory: MemoryStore,
    ids: SequenceIds,
    events: Vec<Event>,
    endpoints: Vec<Endpoint>,
    deliveries: Vec<DeliveryId>,
    snapshots: Vec<Arc<Snapshot>>,
    claims: Vec<Claim>,
    unrouted: Vec<UnroutedEvent>,
    finishes: Vec<Finish>,
    tracked: Vec<(Event, Delivery)>,
    records: Vec<Call>,
    cursor: Option<Cursor>,
    claim_cursor: Option<ClaimCursor>,
}

impl Driver {
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
            claim_cursor: None,
        }
    }

    /// Draws the next call. A call about an object that does not exist yet adds an endpoint
    /// instead.
    pub(super) async fn next_call(&mut self, rng: SplitMix64) -> Call {
        let call = match rng.below(100) {
            0..15 => Some(self.enqueue(&rng).await),
            15..20 => Some(Call::ClaimUnrouted(rng.one_of([1, 2, 50]), rng.one_of(TIME_SPANS))),
            20..26 => self.route(&rng).await,
            26..39 => Some(self.claim_due(&rng)),
            39..53 => self.finish(&rng),
            53..57 => self.release(&rng),
            57..62 => self.update(&rng).await,
            62..64 => self.remove(&rng),
            64..68 => self.read_endpoints(&rng).await,
            68..72 => Some(self.open_tracked(&rng)),
            72..77 => self.record_tracked(&rng).await,
            77..82 => Some(Call::Deliveries(self.query(&rng))),
            82..85 => self.read_delivery(&rng),
            85..87 => Some(Call::Backlog),
            87..89 => Some(Call::Status),
            89..91 => self.redeliver(&rng),
            91 if rng.percent(50) => self.skip(&rng),
            91 => self.replay(&rng),
            92..93 => self.cancel(&rng),
            93..95 => Some(Self::prune(&rng)),
            95..99 => Some(Call::Advance(rng.one_of(TIME_SPANS))),
            _ => None,
        };
        call.unwrap_or_else(|| Call::Add(self.new_endpoint(&rng)))
    }

    /// Remembers the result of a call.
    pub(super) fn learn(&mut self, call: &Call, answer: CallResult) {
        match answer {
            CallResult::Claimed(claimed) => {
                self.claims.extend(claimed.claims);
                self.claim_cursor = claimed.cursor;
            }
            CallResult::Unrouted(claimed) => self.unrouted.extend(claimed.events),
            CallResult::Page(page) => self.cursor = page.next,
            CallResult::Text(_) => {}
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

    /// Calls that read all stored data, then claim all due work, then prune.
    pub(super) fn final_calls(&self) -> Vec<Call> {
        let mut calls = vec![Call::Backlog, Call::Status, Call::Tenants];
        calls.extend(TENANT_NAMES.map(|tenant| Call::Snapshot(tenant.parse().unwrap())));
        calls.push(Call::Deliveries(DeliveryQuery::new().limit(DeliveryQuery::MAX_LIMIT)));
        let events: BTreeSet<_> = self.events.iter().map(|event| event.id).collect();
        calls.extend(events.into_iter().map(Call::Event));
        let deliveries: BTreeSet<_> = self.deliveries.iter().copied().collect();
        calls.extend(deliveries.into_iter().map(Call::Attempts));
        calls.extend(self.endpoints.iter().map(|one| Call::Stats(one.id, DEFAULT_LEASE)));
        calls.push(Call::ClaimUnrouted(1_000, DEFAULT_LEASE));
        calls.push(Call::ClaimDue(ClaimDue::new(1_000, DEFAULT_LEASE)));
        let prune = Prune::older_than(Duration::ZERO).limit(10);
        calls.extend([Call::Prune(prune.dry_run()), Call::Prune(prune), Call::Status]);
        calls.push(Call::Deliveries(DeliveryQuery::new().limit(DeliveryQuery::MAX_LIMIT)));
        calls
    }
}
