//! Publishers: in the engine's own transaction or in a caller's, with keys, in batches.

use std::{sync::Arc, time::Duration};

use webhook_core::{
    Clock, Event, EventId, NewEvent, StoreError,
    engine::{EventPublisher, Wake},
    store::Enqueued,
};

use super::{
    environment::Environment,
    fault::FaultKind,
    receivers::POISON_MARKER,
    rng::RngStream,
    setup::TYPES,
    skewed_clock::SkewedClock,
    trace::{Action, Actor, Pid},
};
use crate::{FaultyStore, observed::Observed};

/// Publisher of one process.
pub(super) struct SimulatedPublisher {
    environment: Environment,
    pid: Pid,
    store: Arc<FaultyStore<Observed>>,
    clock: SkewedClock,
    publisher: EventPublisher,
    wake: Wake,
    stream: RngStream,
    /// Number of events made.
    made: u64,
}

impl SimulatedPublisher {
    pub(super) fn new(
        environment: Environment,
        pid: Pid,
        store: Arc<FaultyStore<Observed>>,
        clock: SkewedClock,
        publisher: EventPublisher,
        wake: Wake,
    ) -> Self {
        let stream = environment.stream("publisher", pid.worker);
        Self { environment, pid, store, clock, publisher, wake, stream, made: 0 }
    }

    /// Publishes at the times drawn for this worker, until the faults end. Times at which the
    /// process does not run are skipped.
    pub(super) async fn run(mut self) {
        let setup = Arc::clone(&self.environment.setup);
        let pause = setup.span / u32::try_from(setup.events).unwrap_or(1);
        let mut times = self.environment.rng.stream("times", self.pid.worker, Duration::ZERO);
        let mut at = Duration::ZERO;
        loop {
            at += times.wait(pause / 64, pause * 3);
            if at < self.environment.now() {
                continue;
            }
            self.environment.executor.sleep(at.saturating_sub(self.environment.now())).await;
            if self.environment.rng.faults_ended() {
                return;
            }
            self.stream = self.environment.stream("publisher", self.pid.worker);
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
        let tenant = self.stream.one_of(&self.environment.setup.tenants)?;
        let poisoned = self.environment.fault_occurs(FaultKind::Poison, self.pid.worker, 60);
        let (id, number) = self.new_id();
        let body = if poisoned {
            format!("{{\"{POISON_MARKER}\":{number}}}")
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

    /// Returns a new id in the form of UUIDv7, and its last part.
    fn new_id(&mut self) -> (EventId, u64) {
        self.made += 1;
        let millis = u64::try_from(self.environment.now().as_millis()).unwrap_or_default();
        let number = (self.pid.worker << 24) | (self.pid.life << 12) | self.made;
        let id = uuid::Uuid::from_u64_pair(millis << 16 | 0x7000, 1 << 63 | number);
        (EventId::from_uuid(id), number)
    }

    /// Publishes events one after the other, so that the slots of their endpoints fill up.
    async fn publish_burst(&mut self) {
        for _ in 0..self.stream.between(2, 6) {
            self.publish_some(1).await;
        }
    }

    /// Publishes events in one call, and repeats the call if it fails.
    async fn publish_some(&mut self, count: u64) {
        let events: Vec<_> = (0..count).filter_map(|_| self.new_event()).collect();
        for _ in 0..3 {
            match self.publish(&events).await {
                Ok(answers) => {
                    self.record(&events, &answers);
                    return;
                }
                // Repeating is safe, regardless of whether the events were stored.
                Err(_) => {
                    let wait =
                        self.stream.wait(Duration::from_millis(100), Duration::from_secs(10));
                    self.environment.executor.sleep(wait).await;
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
            let begun = Action::PublishStarted(Box::new(first.clone()));
            self.environment.record(Actor::Worker(self.pid), begun);
        }
        let answers = self.publisher.publish(events).await?;
        if self.stream.once_in(2) {
            self.environment.hint_others(self.pid.worker);
        }
        Ok(answers)
    }

    /// Stores an event in a caller's transaction: one row, visible after the commit.
    async fn publish_joined(&mut self) {
        let Some(event) = self.new_event() else { return };
        let id = event.id;
        let open_for = self.stream.wait(Duration::from_millis(1), Duration::from_secs(120));
        self.environment.executor.sleep(open_for).await;
        if self.environment.fault_occurs(FaultKind::Rollback, self.pid.worker, 3) {
            return self.environment.record(Actor::Worker(self.pid), Action::RolledBack(id));
        }
        if let Ok(answer) = self.store.insert_unrouted(event.clone()).await {
            self.record(&[event], &[answer]);
            self.wake.wake();
        }
    }

    /// Records the results that the publisher received.
    fn record(&self, events: &[Event], answers: &[Enqueued]) {
        for (event, answer) in events.iter().zip(answers) {
            let accepted = |stored: EventId| Action::Accepted { published: event.id, stored };
            let action = match answer {
                Enqueued::Routed(_) | Enqueued::Later => accepted(event.id),
                Enqueued::Duplicate(first) => accepted(*first),
                _ => Action::Refused(event.id),
            };
            self.environment.record(Actor::Worker(self.pid), action);
        }
    }
}
