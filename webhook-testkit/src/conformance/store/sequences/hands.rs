//! Who makes the calls: what it has been told so far, and what it asks next.

mod make;

use std::{collections::BTreeSet, time::Duration};

use webhook_core::{
    Claim, ClaimDue, Cursor, Delivery, DeliveryId, DeliveryLog as _, DeliveryQuery, DeliveryStatus,
    Endpoint, EndpointId, EndpointState, EndpointStore as _, Enqueue, Event, EventId, FanOut,
    Finish, Lease, LeaseEpoch, NewDelivery, Redeliver, Revision, Route, Snapshot, TenantId,
    UnroutedEvent,
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
            0..16 => Some(self.enqueue(&dice).await),
            16..21 => Some(Call::ClaimUnrouted(dice.one_of([1, 2, 50]), dice.one_of(SPANS))),
            21..27 => self.route(&dice).await,
            27..41 => Some(self.claim_due(&dice)),
            41..55 => self.finish(&dice),
            55..59 => self.release(&dice),
            59..64 => self.update(&dice).await,
            64..66 => self.remove(&dice),
            66..70 => self.look_at_endpoints(&dice).await,
            70..74 => Some(self.open_tracked(&dice)),
            74..79 => self.record_tracked(&dice).await,
            79..85 => Some(Call::Deliveries(self.query(&dice))),
            85..88 => self.look_at_delivery(&dice),
            88..91 => Some(Call::Backlog),
            91..93 => self.redeliver(&dice),
            93..95 => self.cancel(&dice),
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
                let ids = route.endpoints.iter().map(|to| DeliveryId::new(route.event, *to));
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

    /// Calls that show all that is stored, and then take what is due.
    pub(super) fn last_look(&self) -> Vec<Call> {
        let mut calls = vec![Call::Backlog, Call::Tenants];
        calls.extend(TENANTS.map(|tenant| Call::Snapshot(tenant.parse().unwrap())));
        calls.push(Call::Deliveries(DeliveryQuery::new().limit(DeliveryQuery::MAX_LIMIT)));
        let events: BTreeSet<_> = self.events.iter().map(|event| event.id).collect();
        calls.extend(events.into_iter().map(Call::Event));
        let deliveries: BTreeSet<_> = self.deliveries.iter().copied().collect();
        calls.extend(deliveries.into_iter().map(Call::Attempts));
        calls.push(Call::ClaimUnrouted(1_000, LEASE));
        calls.push(Call::ClaimDue(ClaimDue::new(1_000, LEASE)));
        calls
    }

    /// The tenant's present snapshot, or one from before.
    async fn snapshot(&mut self, dice: &Dice, tenant: &TenantId) -> Snapshot {
        let present = self.memory.snapshot(tenant).await.unwrap();
        self.snapshots.push(present.clone());
        let old = dice.recent(&self.snapshots).filter(|old| old.tenant() == tenant);
        if dice.percent(15) { old.cloned().unwrap_or(present) } else { present }
    }

    async fn enqueue(&mut self, dice: &Dice) -> Call {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(4) {
            let event = self.event(dice);
            if dice.percent(25) {
                batch.push(Enqueue::unrouted(event));
                continue;
            }
            let snapshot = self.snapshot(dice, &event.tenant).await;
            let ids: Vec<_> = snapshot.endpoints().iter().map(|endpoint| endpoint.id).collect();
            let mut fan_out = FanOut::pending(snapshot.version(), dice.some_of(&ids));
            for new in &mut fan_out.deliveries {
                if dice.percent(15) {
                    *new = NewDelivery::leased(new.endpoint, dice.one_of(SPANS));
                }
            }
            batch.push(Enqueue::routed(event, fan_out));
        }
        Call::Enqueue(batch)
    }

    /// A new event, or one that is somehow like another.
    fn event(&self, dice: &Dice) -> Event {
        let tenant = dice.one_of(TENANTS).parse().unwrap();
        match dice.recent(&self.events).filter(|_| dice.percent(15)) {
            Some(event) => make::like(dice, event.clone()),
            None => make::event(dice, self.ids.event()).with_tenant(tenant),
        }
    }

    async fn route(&mut self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(3) {
            let (id, tenant) = match dice.recent(&self.unrouted) {
                Some(event) if dice.percent(85) => (event.id, event.tenant.clone()),
                _ => dice.recent(&self.events).map(|event| (event.id, event.tenant.clone()))?,
            };
            let snapshot = self.snapshot(dice, &tenant).await;
            let ids: Vec<_> = snapshot.endpoints().iter().map(|endpoint| endpoint.id).collect();
            batch.push(Route::new(id, snapshot.version(), dice.some_of(&ids)));
        }
        Some(Call::Route(batch))
    }

    fn claim_due(&self, dice: &Dice) -> Call {
        let limit = dice.one_of([0, 1, 1, 2, 3, 100, 100, 100]);
        let ids: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.id).collect();
        let used = dice.some_of(&ids).into_iter().filter(|_| dice.percent(30));
        let in_flight = used.map(|id| (id, dice.one_of([1, 2, 200]))).collect();
        let resume_at = match dice.below(4) {
            0 => None,
            1 => dice.pick(&ids).copied(),
            _ => self.resume_at,
        };
        let ask = ClaimDue::new(limit, dice.one_of(SPANS)).in_flight(in_flight);
        Call::ClaimDue(ask.resume_at(resume_at))
    }

    fn finish(&self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(4) {
            let said = dice.recent(&self.finishes).filter(|_| dice.percent(12));
            let claim = dice.recent(&self.claims);
            let mut finish = match said {
                Some(said) => said.clone(),
                None => make::finish(dice, claim?),
            };
            if dice.percent(5) {
                finish.lease = Self::spoilt(dice, finish.lease);
            }
            batch.push(finish);
        }
        Some(Call::Finish(batch))
    }

    fn release(&self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(2) {
            let lease = dice.recent(&self.claims)?.lease;
            batch.push(if dice.percent(8) { Self::spoilt(dice, lease) } else { lease });
        }
        Some(Call::Release(batch))
    }

    /// A lease that nobody has.
    fn spoilt(dice: &Dice, mut lease: Lease) -> Lease {
        if dice.percent(50) {
            lease.epoch = lease.epoch.next();
        } else {
            lease.delivery.event = EventId::from_uuid(uuid::Uuid::from_u128(77));
            lease.epoch = LeaseEpoch::from_u64(1);
        }
        lease
    }

    fn new_endpoint(&self, dice: &Dice) -> Endpoint {
        let taken = dice.pick(&self.endpoints).filter(|_| dice.percent(5));
        let id = taken.map_or_else(|| self.ids.endpoint(), |taken| taken.id);
        make::endpoint(dice, id).with_tenant(dice.one_of(TENANTS).parse().unwrap())
    }

    /// An edit, mostly of what is stored; some begin at what was stored once.
    async fn update(&self, dice: &Dice) -> Option<Call> {
        let known = dice.pick(&self.endpoints)?;
        let stored = self.memory.endpoints(&[known.id]).await.unwrap().pop();
        let stored = stored.filter(|_| dice.percent(85)).unwrap_or_else(|| known.clone());
        let mut edited = make::endpoint(dice, stored.id)
            .with_tenant(stored.tenant.clone())
            .with_revision(stored.revision);
        // Which URL a delivery of before shows is the store's own business.
        edited.url = stored.url;
        match dice.below(20) {
            0 => edited.tenant = dice.one_of(TENANTS).parse().unwrap(),
            1 => edited.revision = Revision::from_u64(77),
            2 => edited.id = self.ids.endpoint(),
            _ => {}
        }
        // Most are active, so that there is work.
        if dice.percent(60) {
            edited.state = EndpointState::Active;
        }
        Some(Call::Update(edited))
    }

    fn remove(&self, dice: &Dice) -> Option<Call> {
        let endpoint = dice.pick(&self.endpoints)?;
        let mut tenant = endpoint.tenant.clone();
        if dice.percent(20) {
            tenant = dice.one_of(TENANTS).parse().unwrap();
        }
        Some(Call::Remove(tenant, endpoint.id))
    }

    async fn look_at_endpoints(&mut self, dice: &Dice) -> Option<Call> {
        let tenant: TenantId = dice.one_of(TENANTS).parse().unwrap();
        let ids: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.id).collect();
        Some(match dice.below(4) {
            0 => Call::Tenants,
            1 => Call::Endpoints(dice.some_of(&ids)),
            _ => Call::Snapshot(tenant),
        })
    }

    /// A record of sending within a call: new, opened again, or of what a dispatcher has to do with.
    fn open_tracked(&self, dice: &Dice) -> Call {
        let known = dice.recent(&self.tracked).filter(|_| dice.percent(30));
        if let Some((event, delivery)) = known {
            return Call::OpenTracked(event.clone(), delivery.clone());
        }
        let event = dice.recent(&self.events).filter(|_| dice.percent(30)).cloned();
        let event = event.unwrap_or_else(|| self.event(dice));
        // Nobody sends to another tenant's endpoint.
        let endpoint = dice.pick(&self.endpoints).filter(|_| dice.percent(40));
        let endpoint = endpoint.filter(|endpoint| endpoint.tenant == event.tenant);
        let endpoint = endpoint.map_or_else(|| self.ids.endpoint(), |endpoint| endpoint.id);
        let delivery = make::tracked(dice, DeliveryId::new(event.id, endpoint), &event);
        Call::OpenTracked(event, delivery)
    }

    /// The next attempt, or one that is said again.
    async fn record_tracked(&self, dice: &Dice) -> Option<Call> {
        let said = self.records.last().cloned();
        if let Some(said) = said.filter(|_| dice.percent(15)) {
            return Some(said);
        }
        let id = match dice.recent(&self.tracked).filter(|_| dice.percent(90)) {
            Some((_, delivery)) => delivery.id,
            None => *dice.pick(&self.deliveries)?,
        };
        let attempts = self.memory.delivery(id).await.unwrap().map_or(0, |it| it.attempts);
        let status =
            dice.one_of([DeliveryStatus::Pending, DeliveryStatus::Success, DeliveryStatus::Failed]);
        Some(Call::RecordTracked(id, make::attempt(dice, attempts + 1), status))
    }

    fn redeliver(&self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(4) {
            let item = Redeliver::new(*dice.pick(&self.deliveries)?);
            let only = dice.one_of([DeliveryStatus::Failed, DeliveryStatus::Cancelled]);
            batch.push(if dice.percent(30) { item.only(only) } else { item });
        }
        Some(Call::Redeliver(batch))
    }

    fn cancel(&self, dice: &Dice) -> Option<Call> {
        let mut batch = Vec::new();
        for _ in 0..=dice.below(2) {
            batch.push(*dice.recent(&self.deliveries)?);
        }
        Some(Call::Cancel(batch))
    }

    fn query(&self, dice: &Dice) -> DeliveryQuery {
        let mut query = DeliveryQuery::new().limit(dice.one_of([1, 2, 3, 1_000]));
        if dice.percent(30) {
            query = query.tenant(dice.one_of(TENANTS).parse().unwrap());
        }
        if let Some(event) = dice.recent(&self.events).filter(|_| dice.percent(15)) {
            query = query.event(event.id);
        }
        if let Some(endpoint) = dice.pick(&self.endpoints).filter(|_| dice.percent(30)) {
            query = query.endpoint(endpoint.id);
        }
        if dice.percent(40) {
            query = query.status(dice.one_of(DeliveryStatus::ALL));
        }
        match self.cursor.filter(|_| dice.percent(50)) {
            Some(cursor) => query.after(cursor),
            None => query,
        }
    }

    fn look_at_delivery(&self, dice: &Dice) -> Option<Call> {
        let id = *dice.recent(&self.deliveries)?;
        Some(match dice.below(3) {
            0 => Call::Event(id.event),
            1 => Call::Delivery(id),
            _ => Call::Attempts(id),
        })
    }
}
