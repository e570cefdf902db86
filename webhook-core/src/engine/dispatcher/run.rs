//! The dispatcher's loop: start what is due, wait for what happens first, note it down.
//!
//! A delivery's way through it, one file for each step: [`claim`], [`load`] its endpoint, [`send`]
//! (where [`attempt`](super::attempt) signs, sends and decides), [`finish`]; and beside it [`route`]
//! and [`release`]. A step starts a call, and takes what has come of it.

mod claim;
mod finish;
mod load;
mod release;
mod route;
mod send;

use std::{collections::BTreeMap, future::Future, pin::pin, sync::Arc, time::Duration};

use futures_util::{
    FutureExt, StreamExt, future::BoxFuture, select_biased, stream::FuturesUnordered,
};

use super::{
    Dispatcher, Report,
    attempt::Worked,
    batch::{Loaded, Recorded},
    routing::Routing,
    schedule::Desk,
};
use crate::{
    engine::admission::{Bay, slots::Look},
    model::{delivery::Lease, endpoint::Endpoint, id::EndpointId},
    port::{
        Store, StoreError,
        store::deliveries::{Claim, Claimed, Finished},
    },
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
        let bay = Arc::new(Bay::new(wire.clock.clone(), config));
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

    fn start_what_is_due(&mut self) {
        let now = self.now();
        self.start_recording(now);
        self.start_releasing(now);
        self.start_routing(now);
        self.start_claim(now);
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
            Step::Worked(worked) => self.take_worked(worked),
            Step::Recorded(recorded) => self.take_recorded(recorded),
            Step::Hinted => {
                self.desk.wake(self.now());
                self.listen();
            }
            Step::Released { leases, answer } => self.take_released(leases, answer),
        }
    }

    /// Waits for the next hint from other processes.
    fn listen(&self) {
        self.start(|store| async move {
            store.work_hinted().await;
            Step::Hinted
        });
    }

    fn now(&self) -> Duration {
        self.dispatcher.wire.clock.monotonic()
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
    tracing::warn!(call, %error, cause = error.cause(), "the store failed; trying again");
}
