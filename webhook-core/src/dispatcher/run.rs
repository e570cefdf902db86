//! The dispatcher's loop: start what is due, wait for what happens first, note it down.

use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc, time::Duration};

use futures_util::{
    FutureExt, StreamExt, future::BoxFuture, select_biased, stream::FuturesUnordered,
};

use crate::{
    endpoint::{Endpoint, EndpointState, Timeout},
    id::EndpointId,
    port::{
        Store, StoreError,
        store::deliveries::{Claim, Claimed, Finish, Finished, Lease, Settle},
    },
};

use super::{
    Dispatcher, Report,
    attempt::{Worked, endpoint_unreadable, work},
    batch::{Loaded, Recorded, load, record},
    desk::Desk,
    lane::{Bay, Delivering},
    routing::{Routing, route_unrouted},
    slots::Look,
};

/// Something that has happened.
enum Step {
    Claimed {
        answer: Result<Claimed, StoreError>,
        asked_at: Duration,
    },
    Loaded {
        claims: Vec<Claim>,
        loaded: Loaded,
        look: Look,
        asked_at: Duration,
    },
    Routed(Result<Routing, StoreError>),
    Worked(Worked),
    Recorded(Recorded),
    /// Another process may have stored work.
    Hinted,
    Released {
        leases: Vec<Lease>,
        answer: Result<Vec<Finished>, StoreError>,
    },
}

/// Endpoints kept from one claim to the next; beyond that they are loaded again.
const MAX_ENDPOINTS: usize = 10_000;

pub(super) struct Run<'a> {
    dispatcher: &'a Dispatcher,
    bay: Arc<Bay>,
    desk: Desk,
    steps: FuturesUnordered<BoxFuture<'static, Step>>,
    endpoints: BTreeMap<EndpointId, Arc<Endpoint>>,
    report: Report,
}

impl<'a> Run<'a> {
    pub(super) fn new(dispatcher: &'a Dispatcher) -> Self {
        let Dispatcher { config, wire, lane, .. } = dispatcher;
        let bay = Arc::new(Bay::new(wire.clock.clone(), config.concurrency, config.lease));
        lane.open(&bay);
        Self {
            dispatcher,
            desk: Desk::new(config.clone(), Arc::clone(&bay)),
            bay,
            steps: FuturesUnordered::new(),
            endpoints: BTreeMap::new(),
            report: Report::default(),
        }
    }

    pub(super) async fn until(mut self, shutdown: impl Future<Output = ()>) -> Report {
        let mut shutdown = pin!(shutdown.fuse());
        let (wake, clock) = (&self.dispatcher.wake, self.dispatcher.wire.clock.clone());
        let bay = Arc::clone(&self.bay);
        self.listen();
        loop {
            self.take_over();
            self.start_what_is_due();
            let now = self.now();
            if self.desk.is_done(now) && bay.end() {
                break;
            }
            let mut news = pin!(bay.news().fuse());
            let mut woken = pin!(wake.woken().fuse());
            let mut idle = clock.sleep(self.desk.idle_for(now)).fuse();
            select_biased! {
                () = shutdown => self.desk.drain(self.now()),
                () = woken => self.desk.wake(self.now()),
                step = self.steps.select_next_some() => self.note_all(step),
                // What was handed over is taken at every turn, whatever has begun it.
                () = news => {}
                () = idle => {}
            }
        }
        self.report.cut = self.desk.held();
        self.report
    }

    /// Waits for the next hint from other processes.
    fn listen(&self) {
        self.start(|store| async move {
            store.work_hinted().await;
            Step::Hinted
        });
    }

    /// Takes what publishers have handed over.
    fn take_over(&mut self) {
        let now = self.now();
        for Delivering { claim, endpoint, asked_at } in self.bay.handed_over() {
            if self.desk.is_draining() {
                self.desk.release_later(claim.lease, now);
                continue;
            }
            if !self.holds(&claim) {
                self.keep(vec![endpoint]);
            }
            self.start_attempt(claim, asked_at);
        }
    }

    fn now(&self) -> Duration {
        self.dispatcher.wire.clock.monotonic()
    }

    fn start_what_is_due(&mut self) {
        let now = self.now();
        if let Some(finishes) = self.desk.begin_recording(now) {
            self.start(|store| async move { Step::Recorded(record(&*store, finishes).await) });
        }
        if let Some(leases) = self.desk.begin_releasing(now) {
            self.start(|store| async move {
                let answer = store.release(leases.clone()).await;
                Step::Released { leases, answer }
            });
        }
        if self.desk.begin_routing(now) {
            self.start(|store| async move { Step::Routed(route_unrouted(&*store).await) });
        }
        if let Some(claim) = self.desk.begin_claim(now) {
            self.start(move |store| async move {
                Step::Claimed { answer: store.claim_due(claim).await, asked_at: now }
            });
        }
    }

    fn start<F>(&self, call: impl FnOnce(Arc<dyn Store>) -> F)
    where
        F: Future<Output = Step> + Send + 'static,
    {
        self.steps.push(call(self.dispatcher.store.clone()).boxed());
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
            Step::Claimed { answer, asked_at } => self.take_claims(answer, asked_at),
            Step::Loaded { claims, loaded, look, asked_at } => {
                self.take_endpoints(claims, loaded, &look, asked_at);
            }
            Step::Routed(answer) => self.take_routing(answer),
            Step::Worked(Worked::Finished(finish)) => self.finish_later(finish),
            Step::Worked(Worked::NotStarted(lease)) => self.desk.release_later(lease, self.now()),
            Step::Recorded(recorded) => self.take_recorded(recorded),
            Step::Hinted => {
                self.desk.wake(self.now());
                self.listen();
            }
            Step::Released { leases, answer } => self.take_released(leases, answer),
        }
    }

    fn take_claims(&mut self, answer: Result<Claimed, StoreError>, asked_at: Duration) {
        let now = self.now();
        let claimed = match answer {
            Ok(claimed) => claimed,
            Err(error) => {
                say_failed("claim", &error);
                return self.desk.claim_failed(now);
            }
        };
        let Claimed { claims, resume_at, next_due } = claimed;
        let look = self.desk.claimed(&claims, resume_at, next_due, asked_at, now);
        let (known, unknown) = claims.into_iter().partition::<Vec<_>, _>(|claim| self.holds(claim));
        self.start_or_release(known, &look, asked_at);
        if !unknown.is_empty() {
            self.start_loading(unknown, look, asked_at);
        }
    }

    /// Whether the endpoint's settings at hand are at least as new as the claim.
    fn holds(&self, claim: &Claim) -> bool {
        let held = self.endpoints.get(&claim.lease.delivery.endpoint);
        held.is_some_and(|endpoint| endpoint.revision >= claim.endpoint_revision)
    }

    fn start_loading(&self, claims: Vec<Claim>, look: Look, asked_at: Duration) {
        let mut ids: Vec<_> = claims.iter().map(|claim| claim.lease.delivery.endpoint).collect();
        ids.sort_unstable();
        ids.dedup();
        self.start(move |store| async move {
            Step::Loaded { loaded: load(&*store, &ids).await, claims, look, asked_at }
        });
    }

    fn take_endpoints(
        &mut self,
        claims: Vec<Claim>,
        loaded: Loaded,
        look: &Look,
        asked_at: Duration,
    ) {
        let now = self.now();
        for claim in &claims {
            self.endpoints.remove(&claim.lease.delivery.endpoint);
        }
        self.keep(loaded.endpoints.into_iter().map(Arc::new).collect());
        if let Some(error) = &loaded.failure {
            say_failed("endpoints", error);
            self.desk.store_failed(now);
            claims.iter().for_each(|claim| self.desk.release_later(claim.lease, now));
            return;
        }
        let unreadable: BTreeMap<_, _> = loaded.unreadable.into_iter().collect();
        for (endpoint, error) in &unreadable {
            tracing::error!(%endpoint, error = cause_of(error), "an endpoint cannot be read; its deliveries wait");
        }
        let (wait, start) = claims.into_iter().partition::<Vec<_>, _>(|claim| {
            unreadable.contains_key(&claim.lease.delivery.endpoint)
        });
        wait.iter().for_each(|claim| self.finish_later(endpoint_unreadable(claim)));
        self.start_or_release(start, look, asked_at);
    }

    /// Keeps these, if need be in place of all the others.
    fn keep(&mut self, endpoints: Vec<Arc<Endpoint>>) {
        if self.endpoints.len() + endpoints.len() > MAX_ENDPOINTS {
            self.endpoints.clear();
        }
        for endpoint in endpoints {
            if endpoint.signing.keys().is_empty() {
                tracing::info!(
                    endpoint = %endpoint.id,
                    url = %endpoint.url,
                    "endpoint has no secret: its webhooks are not signed"
                );
            }
            self.endpoints.insert(endpoint.id, endpoint);
        }
    }

    /// A shutdown may have begun since these were claimed, and publishers may have taken slots.
    fn start_or_release(&mut self, claims: Vec<Claim>, look: &Look, asked_at: Duration) {
        let mut start = Vec::with_capacity(claims.len());
        // Where there are too many, the youngest go back.
        for claim in claims.into_iter().rev() {
            if self.desk.is_draining() || !self.has_room_for(&claim, look) {
                self.desk.release_later(claim.lease, self.now());
            } else {
                start.push(claim);
            }
        }
        start.into_iter().rev().for_each(|claim| self.start_attempt(claim, asked_at));
    }

    /// Whether a claim fits into its endpoint's limit; and notes what the look at the store says
    /// about more work of that endpoint.
    fn has_room_for(&mut self, claim: &Claim, look: &Look) -> bool {
        let Some(endpoint) = self.endpoints.get(&claim.lease.delivery.endpoint) else {
            return true;
        };
        let left_work = look.left_work_of(endpoint);
        let (over, full) = self.bay.slots(|slots| {
            if left_work {
                slots.note_behind(endpoint);
            }
            (slots.is_over(endpoint), slots.is_full(endpoint))
        });
        if left_work && !full {
            // Slots have come free since the look.
            self.desk.claim_again(self.now());
        }
        !over
    }

    fn start_attempt(&self, claim: Claim, asked_at: Duration) {
        let endpoint = self.endpoints.get(&claim.lease.delivery.endpoint).cloned();
        let timeout = endpoint.as_ref().map_or(Timeout::MAX, |endpoint| endpoint.timeout);
        let start_by = self.desk.start_by(asked_at, timeout.as_duration());
        let attempt = work(self.dispatcher.wire.clone(), claim, endpoint, start_by);
        self.steps.push(attempt.map(Step::Worked).boxed());
    }

    fn take_routing(&mut self, answer: Result<Routing, StoreError>) {
        let now = self.now();
        match answer {
            Ok(routing) => {
                self.report.routed += routing.routed;
                self.desk.routed(routing, now);
            }
            Err(error) => {
                say_failed("route", &error);
                self.desk.routing_failed(now);
            }
        }
    }

    /// A batch that the store did not take is written again: the fence makes that safe.
    fn take_recorded(&mut self, recorded: Recorded) {
        let now = self.now();
        recorded.answered.iter().for_each(|(finish, answer)| self.report.count(finish, *answer));
        let over = recorded.answered.iter().map(|(finish, _)| finish);
        let over = over.chain(recorded.refused.iter().map(|(finish, _)| finish));
        for finish in over.filter(|finish| finish.disable_endpoint.is_some()) {
            // From now on the store says how it is with the endpoint.
            self.endpoints.remove(&finish.lease.delivery.endpoint);
        }
        self.desk.recorded(recorded.answered.iter().map(|(finish, _)| finish), now);
        for (finish, error) in recorded.refused {
            let delivery = finish.lease.delivery;
            tracing::error!(%delivery, error = cause_of(&error), "an attempt cannot be recorded");
            self.desk.let_go(finish.lease);
        }
        if let Some(error) = recorded.failure {
            say_failed("finish", &error);
            self.desk.store_failed(now);
        }
        recorded.again.into_iter().for_each(|finish| self.finish_later(finish));
    }

    fn finish_later(&mut self, finish: Finish) {
        let id = finish.lease.delivery.endpoint;
        if let (Some(reason), Some(endpoint)) =
            (finish.disable_endpoint, self.endpoints.get_mut(&id))
        {
            // Its receiver wants nothing more, from now on and not only once that is written down.
            let disabled = EndpointState::Disabled(reason);
            *endpoint = Arc::new(Endpoint::clone(endpoint).with_state(disabled));
        }
        let was_full = self.is_full(id);
        self.desk.finish_later(finish, was_full, self.now());
    }

    /// Whether an endpoint has all the attempts in flight that it may have.
    fn is_full(&self, id: EndpointId) -> bool {
        let held = self.endpoints.get(&id);
        held.is_some_and(|endpoint| self.bay.slots(|slots| slots.is_full(endpoint)))
    }

    fn take_released(&mut self, leases: Vec<Lease>, answer: Result<Vec<Finished>, StoreError>) {
        let now = self.now();
        self.desk.released();
        match answer {
            Ok(answers) => {
                let given_back = answers.iter().filter(|answer| **answer == Finished::Recorded);
                self.report.released += given_back.count();
                leases.into_iter().for_each(|lease| self.desk.let_go(lease));
            }
            Err(error) => {
                say_failed("release", &error);
                self.desk.store_failed(now);
                leases.into_iter().for_each(|lease| self.desk.release_later(lease, now));
            }
        }
    }
}

impl Drop for Run<'_> {
    /// Whether it has come to its end, or was dropped in the middle.
    fn drop(&mut self) {
        self.dispatcher.lane.close(&self.bay);
        self.bay.abandon();
    }
}

fn say_failed(call: &str, error: &StoreError) {
    tracing::warn!(call, %error, cause = cause_of(error), "the store failed; trying again");
}

/// Why a store failed, as text.
pub(super) fn cause_of(error: &StoreError) -> String {
    std::error::Error::source(error).map(ToString::to_string).unwrap_or_default()
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
