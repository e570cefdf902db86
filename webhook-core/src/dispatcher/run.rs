//! The dispatcher's loop: start what is due, wait for what happens first, note it down.

use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc, time::Duration};

use futures_util::{
    FutureExt, StreamExt, future::BoxFuture, select_biased, stream::FuturesUnordered,
};

use crate::{
    endpoint::{Endpoint, Timeout},
    id::EndpointId,
    port::{
        StoreError,
        store::deliveries::{Claim, Claimed, Finish, Finished, Lease, Settle},
    },
};

use super::{
    Dispatcher, Report,
    attempt::{Worked, work},
    desk::Desk,
    routing::{Routing, route_unrouted},
};

/// Something that has happened.
enum Step {
    Claimed { answer: Result<Claimed, StoreError>, asked_at: Duration },
    Loaded { claims: Vec<Claim>, answer: Result<Vec<Endpoint>, StoreError>, asked_at: Duration },
    Routed(Result<Routing, StoreError>),
    Worked(Worked),
    Recorded { finishes: Vec<Finish>, answer: Result<Vec<Finished>, StoreError> },
    Released { leases: Vec<Lease>, answer: Result<Vec<Finished>, StoreError> },
}

/// Endpoints kept from one claim to the next; beyond that they are loaded again.
const MAX_ENDPOINTS: usize = 10_000;

pub(super) struct Run<'a> {
    dispatcher: &'a Dispatcher,
    desk: Desk,
    steps: FuturesUnordered<BoxFuture<'static, Step>>,
    endpoints: BTreeMap<EndpointId, Arc<Endpoint>>,
    /// One of each at a time: while it runs, the next batch gathers.
    claiming: bool,
    routing: bool,
    recording: bool,
    releasing: bool,
    report: Report,
}

impl<'a> Run<'a> {
    pub(super) fn new(dispatcher: &'a Dispatcher) -> Self {
        Self {
            dispatcher,
            desk: Desk::new(dispatcher.config.clone()),
            steps: FuturesUnordered::new(),
            endpoints: BTreeMap::new(),
            claiming: false,
            routing: false,
            recording: false,
            releasing: false,
            report: Report::default(),
        }
    }

    pub(super) async fn until(mut self, shutdown: impl Future<Output = ()>) -> Report {
        let mut shutdown = pin!(shutdown.fuse());
        let (wake, clock) = (&self.dispatcher.wake, self.dispatcher.wire.clock.clone());
        loop {
            self.start_what_is_due();
            let now = self.now();
            if self.desk.is_done(now, self.is_store_busy()) {
                break;
            }
            let mut woken = pin!(wake.woken().fuse());
            let mut idle = clock.sleep(self.desk.idle_for(now)).fuse();
            select_biased! {
                () = shutdown => self.desk.drain(self.now()),
                () = woken => self.desk.wake(self.now()),
                step = self.steps.select_next_some() => self.note_all(step),
                () = idle => {}
            }
        }
        self.report.cut = self.desk.held();
        self.report
    }

    fn now(&self) -> Duration {
        self.dispatcher.wire.clock.monotonic()
    }

    const fn is_store_busy(&self) -> bool {
        self.claiming || self.recording || self.releasing
    }

    fn start_what_is_due(&mut self) {
        let now = self.now();
        if !self.recording
            && let Some(finishes) = self.desk.next_finishes(now)
        {
            self.start_recording(finishes);
        }
        if !self.releasing
            && let Some(leases) = self.desk.next_releases(now)
        {
            self.start_releasing(leases);
        }
        if !self.routing && self.desk.is_routing_due(now) {
            self.start_routing();
        }
        if !self.claiming {
            self.start_claiming(now);
        }
    }

    fn start_claiming(&mut self, asked_at: Duration) {
        let Some(claim) = self.desk.next_claim(asked_at) else { return };
        let store = self.dispatcher.store.clone();
        self.claiming = true;
        self.steps.push(
            async move { Step::Claimed { answer: store.claim_due(claim).await, asked_at } }.boxed(),
        );
    }

    fn start_routing(&mut self) {
        let store = self.dispatcher.store.clone();
        self.routing = true;
        self.steps.push(async move { Step::Routed(route_unrouted(&*store).await) }.boxed());
    }

    fn start_recording(&mut self, finishes: Vec<Finish>) {
        let store = self.dispatcher.store.clone();
        self.recording = true;
        self.steps.push(
            async move {
                let answer = store.finish(finishes.clone()).await;
                Step::Recorded { finishes, answer }
            }
            .boxed(),
        );
    }

    fn start_releasing(&mut self, leases: Vec<Lease>) {
        let store = self.dispatcher.store.clone();
        self.releasing = true;
        self.steps.push(
            async move {
                let answer = store.release(leases.clone()).await;
                Step::Released { leases, answer }
            }
            .boxed(),
        );
    }

    /// Notes `step`, and whatever else has happened by now: what ends together is recorded together.
    fn note_all(&mut self, step: Step) {
        self.note(step);
        while let Some(Some(step)) = self.steps.next().now_or_never() {
            self.note(step);
        }
    }

    fn note(&mut self, step: Step) {
        match step {
            Step::Claimed { answer, asked_at } => {
                self.claiming = false;
                self.take_claims(answer, asked_at);
            }
            Step::Loaded { claims, answer, asked_at } => {
                self.take_endpoints(claims, answer, asked_at);
            }
            Step::Routed(answer) => {
                self.routing = false;
                self.take_routing(answer);
            }
            Step::Worked(Worked::Finished(finish)) => self.desk.finish_later(finish),
            Step::Worked(Worked::NotStarted(lease)) => self.desk.release_later(lease),
            Step::Recorded { finishes, answer } => {
                self.recording = false;
                self.take_recorded(finishes, answer);
            }
            Step::Released { leases, answer } => {
                self.releasing = false;
                self.take_released(leases, answer);
            }
        }
    }

    fn take_claims(&mut self, answer: Result<Claimed, StoreError>, asked_at: Duration) {
        let now = self.now();
        let Some(claimed) = self.answered(answer, "claim", now) else { return };
        self.desk.take(&claimed.claims, claimed.resume_at, claimed.next_due, asked_at, now);
        let (known, unknown) =
            claimed.claims.into_iter().partition::<Vec<_>, _>(|claim| self.holds(claim));
        self.start_or_release(known, asked_at);
        if !unknown.is_empty() {
            self.start_loading(unknown, asked_at);
        }
    }

    /// Whether the endpoint's settings at hand are at least as new as the claim.
    fn holds(&self, claim: &Claim) -> bool {
        let held = self.endpoints.get(&claim.lease.delivery.endpoint);
        held.is_some_and(|endpoint| endpoint.revision >= claim.endpoint_revision)
    }

    fn start_loading(&mut self, claims: Vec<Claim>, asked_at: Duration) {
        let store = self.dispatcher.store.clone();
        let mut ids: Vec<_> = claims.iter().map(|claim| claim.lease.delivery.endpoint).collect();
        ids.sort_unstable();
        ids.dedup();
        self.steps.push(
            async move { Step::Loaded { answer: store.endpoints(&ids).await, claims, asked_at } }
                .boxed(),
        );
    }

    fn take_endpoints(
        &mut self,
        claims: Vec<Claim>,
        answer: Result<Vec<Endpoint>, StoreError>,
        asked_at: Duration,
    ) {
        let now = self.now();
        let Some(endpoints) = self.answered(answer, "endpoints", now) else {
            claims.iter().for_each(|claim| self.desk.release_later(claim.lease));
            return;
        };
        if self.endpoints.len() + endpoints.len() > MAX_ENDPOINTS {
            self.endpoints.clear();
        }
        for claim in &claims {
            self.endpoints.remove(&claim.lease.delivery.endpoint);
        }
        for endpoint in endpoints {
            if endpoint.signing.keys().is_empty() {
                tracing::info!(endpoint = %endpoint.id, url = %endpoint.url, "endpoint has no secret: its webhooks are not signed");
            }
            self.endpoints.insert(endpoint.id, Arc::new(endpoint));
        }
        self.start_or_release(claims, asked_at);
    }

    /// A shutdown may have begun since these were claimed.
    fn start_or_release(&mut self, claims: Vec<Claim>, asked_at: Duration) {
        for claim in claims {
            if self.desk.is_draining() {
                self.desk.release_later(claim.lease);
            } else {
                self.start_attempt(claim, asked_at);
            }
        }
    }

    fn start_attempt(&mut self, claim: Claim, asked_at: Duration) {
        let endpoint = self.endpoints.get(&claim.lease.delivery.endpoint).cloned();
        let timeout = endpoint.as_ref().map_or(Timeout::MAX, |endpoint| endpoint.timeout);
        let start_by = self.desk.start_by(asked_at, timeout.as_duration());
        let attempt = work(self.dispatcher.wire.clone(), claim, endpoint, start_by);
        self.steps.push(attempt.map(Step::Worked).boxed());
    }

    fn take_routing(&mut self, answer: Result<Routing, StoreError>) {
        let now = self.now();
        if let Some(routing) = self.answered(answer, "route", now) {
            self.report.routed += routing.routed;
            self.desk.routed(routing, now);
        }
    }

    /// A batch that the store did not take is written again: the fence makes that safe.
    fn take_recorded(&mut self, finishes: Vec<Finish>, answer: Result<Vec<Finished>, StoreError>) {
        let now = self.now();
        match self.answered(answer, "finish", now) {
            Some(answers) => {
                finishes
                    .iter()
                    .zip(answers)
                    .for_each(|(finish, answer)| self.report.count(finish, answer));
                let was_full =
                    finishes.iter().any(|finish| self.is_full(finish.lease.delivery.endpoint));
                self.desk.recorded(&finishes, was_full, now);
            }
            None => finishes.into_iter().for_each(|finish| self.desk.finish_later(finish)),
        }
    }

    /// Whether an endpoint has all the attempts in flight that it may have.
    fn is_full(&self, id: EndpointId) -> bool {
        self.endpoints
            .get(&id)
            .is_some_and(|endpoint| self.desk.in_flight(id) >= endpoint.max_in_flight)
    }

    /// What cannot be given back comes back by itself when its lease ends.
    fn take_released(&mut self, leases: Vec<Lease>, answer: Result<Vec<Finished>, StoreError>) {
        let now = self.now();
        if let Some(answers) = self.answered(answer, "release", now) {
            self.report.released +=
                answers.iter().filter(|answer| **answer == Finished::Recorded).count();
        }
        leases.into_iter().for_each(|lease| self.desk.let_go(lease));
    }

    fn answered<T>(
        &mut self,
        answer: Result<T, StoreError>,
        call: &str,
        now: Duration,
    ) -> Option<T> {
        let error = match answer {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        tracing::warn!(call, %error, cause, "the store failed; trying again");
        self.desk.store_failed(now);
        None
    }
}

impl Report {
    fn count(&mut self, finish: &Finish, answer: Finished) {
        let counter = match (answer, finish.settle) {
            (Finished::LeaseLost, _) => &mut self.leases_lost,
            (Finished::Recorded, Settle::Success) => &mut self.delivered,
            (Finished::Recorded, Settle::Retry(_)) => &mut self.retried,
            (Finished::Recorded, Settle::Failed) => &mut self.failed,
        };
        *counter += 1;
        if answer == Finished::LeaseLost {
            tracing::warn!(delivery = %finish.lease.delivery, epoch = %finish.lease.epoch, "lease lost: another worker has taken over");
        }
    }
}
