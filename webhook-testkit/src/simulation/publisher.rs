//! Publishers: with the engine's own transaction or somebody else's, with keys, in batches.

use std::{sync::Arc, time::Duration};

use webhook_core::{Clock, Enqueued, Event, EventId, EventPublisher, NewEvent, StoreError, Wake};

use super::{
    environment::Scene,
    fault::FaultKind,
    receivers::POISON,
    rng::Stream,
    setup::TYPES,
    skewed_clock::SkewedClock,
    trace::{Actor, Pid, What},
};
use crate::{FaultyStore, observed::Observed};

/// The publisher of one process.
pub(super) struct Publishing {
    scene: Scene,
    pid: Pid,
    store: Arc<FaultyStore<Observed>>,
    clock: SkewedClock,
    publisher: EventPublisher,
    wake: Wake,
    stream: Stream,
    /// Events made so far.
    made: u64,
}

impl Publishing {
    pub(super) fn new(
        scene: Scene,
        pid: Pid,
        store: Arc<FaultyStore<Observed>>,
        clock: SkewedClock,
        publisher: EventPublisher,
        wake: Wake,
    ) -> Self {
        let stream = scene.stream("publisher", pid.worker);
        Self { scene, pid, store, clock, publisher, wake, stream, made: 0 }
    }

    /// Publishes at the times that are set for this worker, until faults are over. While it is not
    /// running, it misses them.
    pub(super) async fn run(mut self) {
        let plan = Arc::clone(&self.scene.plan);
        let pause = plan.span / u32::try_from(plan.events).unwrap_or(1);
        let mut times = self.scene.dice.stream("times", self.pid.worker, Duration::ZERO);
        let mut at = Duration::ZERO;
        loop {
            at += times.wait(pause / 64, pause * 3);
            if at < self.scene.now() {
                continue;
            }
            self.scene.yard.sleep(at.saturating_sub(self.scene.now())).await;
            if self.scene.dice.is_healed() {
                return;
            }
            self.stream = self.scene.stream("publisher", self.pid.worker);
            match self.stream.below(6) {
                0 => self.publish_joined().await,
                1 => self.publish_burst().await,
                _ => {
                    let count = if self.stream.once_in(4) { self.stream.between(2, 8) } else { 1 };
                    self.publish_some(count).await;
                }
            }
        }
    }

    fn new_event(&mut self) -> Option<Event> {
        let tenant = self.stream.one_of(&self.scene.plan.tenants)?;
        let poisoned = self.scene.strikes(FaultKind::Poison, self.pid.worker, 60);
        let (id, number) = self.new_id();
        let body = if poisoned {
            format!("{{\"{POISON}\":{number}}}")
        } else {
            format!("{{\"n\":{number}}}")
        };
        let mut new = NewEvent::new(self.stream.one_of(&TYPES)?, body).ok()?.id(id).tenant(tenant);
        if self.stream.once_in(6) {
            new = new.key(&format!("key-{}", self.stream.below(4))).ok()?;
        }
        if self.stream.once_in(2) {
            new = new.ordering_key(&format!("line-{}", self.stream.below(2))).ok()?;
        }
        Some(new.into_event(|| id, self.clock.now()))
    }

    /// An id of the shape of UUIDv7, and its last part.
    fn new_id(&mut self) -> (EventId, u64) {
        self.made += 1;
        let millis = u64::try_from(self.scene.now().as_millis()).unwrap_or_default();
        let number = (self.pid.worker << 24) | (self.pid.life << 12) | self.made;
        let id = uuid::Uuid::from_u64_pair(millis << 16 | 0x7000, 1 << 63 | number);
        (EventId::from_uuid(id), number)
    }

    /// Events one after the other, so that their endpoints are full in the meantime.
    async fn publish_burst(&mut self) {
        for _ in 0..self.stream.between(2, 6) {
            self.publish_some(1).await;
        }
    }

    /// Some events in one call.
    async fn publish_some(&mut self, count: u64) {
        let events: Vec<_> = (0..count).filter_map(|_| self.new_event()).collect();
        for _ in 0..3 {
            match self.publish(&events).await {
                Ok(answers) => {
                    self.tell(&events, &answers);
                    return;
                }
                // Saying the same again is safe, whether it was stored or not.
                Err(_) => {
                    let wait =
                        self.stream.wait(Duration::from_millis(100), Duration::from_secs(10));
                    self.scene.yard.sleep(wait).await;
                }
            }
        }
    }

    async fn publish(&mut self, events: &[Event]) -> Result<Vec<Enqueued>, StoreError> {
        // As after an edit in this process.
        if self.stream.once_in(3) {
            events.iter().for_each(|event| self.publisher.forget(&event.tenant));
        }
        if let Some(first) = events.first() {
            let begun = What::PublishBegun(Box::new(first.clone()));
            self.scene.tell(Actor::Worker(self.pid), begun);
        }
        let answers = self.publisher.publish(events).await?;
        if self.stream.once_in(2) {
            self.scene.hint_others(self.pid.worker);
        }
        Ok(answers)
    }

    /// An event in somebody else's transaction: one row, which is there when that commits.
    async fn publish_joined(&mut self) {
        let Some(event) = self.new_event() else { return };
        let id = event.id;
        let open_for = self.stream.wait(Duration::from_millis(1), Duration::from_secs(120));
        self.scene.yard.sleep(open_for).await;
        if self.scene.strikes(FaultKind::Rollback, self.pid.worker, 3) {
            return self.scene.tell(Actor::Worker(self.pid), What::RolledBack(id));
        }
        if let Ok(answer) = self.store.insert_unrouted(event.clone()).await {
            self.tell(&[event], &[answer]);
            self.wake.wake();
        }
    }

    /// Tells what whoever published was told.
    fn tell(&self, events: &[Event], answers: &[Enqueued]) {
        for (event, answer) in events.iter().zip(answers) {
            let accepted = |stored: EventId| What::Accepted { published: event.id, stored };
            let what = match answer {
                Enqueued::Routed(_) | Enqueued::Later => accepted(event.id),
                Enqueued::Duplicate(first) => accepted(*first),
                _ => What::Refused(event.id),
            };
            self.scene.tell(Actor::Worker(self.pid), what);
        }
    }
}
