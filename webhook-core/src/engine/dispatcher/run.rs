//! Loop of the dispatcher: starts the calls that are due, waits for the first result, applies it.
//!
//! A delivery's way through it, one file for each step: [`claim`], [`load`] its endpoint, [`send`]
//! (where [`make_attempt`](super::make_attempt) signs, sends and decides), [`finish`]; and beside it
//! [`route`] and [`release`]. A step starts a call and takes its result.

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
    batch::{Loaded, Recorded},
    make_attempt::Worked,
    schedule::Schedule,
    unrouted::Routing,
};
use crate::{
    engine::admission::{Admission, slots::ClaimView},
    model::{delivery::Lease, endpoint::Endpoint, id::EndpointId},
    port::{
        Store, StoreError, WorkSignal as _,
        store::work::{Claim, Claimed, Finished},
    },
};

/// Result of a call that the loop has started.
enum Step {
    Claimed {
        answer: Result<Claimed, StoreError>,
        requested_at: Duration,
    },
    Loaded {
        claims: Vec<Claim>,
        loaded: Loaded,
        view: ClaimView,
        requested_at: Duration,
    },
    Routed(Result<Routing, StoreError>),
    Worked(Worked),
    Recorded(Recorded),
    /// Another process may have stored work.
    Notified,
    Released {
        leases: Vec<Lease>,
        answer: Result<Vec<Finished>, StoreError>,
    },
}

pub(super) struct Run<'a> {
    dispatcher: &'a Dispatcher,
    admission: Arc<Admission>,
    schedule: Schedule,
    steps: FuturesUnordered<BoxFuture<'static, Step>>,
    endpoints: BTreeMap<EndpointId, Arc<Endpoint>>,
    report: Report,
}

impl<'a> Run<'a> {
    pub(super) fn new(dispatcher: &'a Dispatcher) -> Self {
        let Dispatcher { config, exchanger, fast_path, .. } = dispatcher;
        let admission = Arc::new(Admission::new(exchanger.clock.clone(), config));
        fast_path.open(&admission);
        Self {
            dispatcher,
            schedule: Schedule::new(config.clone(), Arc::clone(&admission)),
            admission,
            steps: FuturesUnordered::new(),
            endpoints: BTreeMap::new(),
            report: Report::default(),
        }
    }

    pub(super) async fn until(mut self, shutdown: impl Future<Output = ()>) -> Report {
        let mut shutdown = pin!(shutdown.fuse());
        let (wake, clock) = (&self.dispatcher.wake, self.dispatcher.exchanger.clock.clone());
        let admission = Arc::clone(&self.admission);
        self.listen();
        loop {
            self.take_queued();
            self.start_what_is_due();
            let now = self.now();
            if self.schedule.is_done(now) && admission.try_end() {
                break;
            }
            let mut queued = pin!(admission.woken().fuse());
            let mut woken = pin!(wake.woken().fuse());
            let mut idle = clock.sleep(self.schedule.idle_for(now)).fuse();
            select_biased! {
                () = shutdown => self.schedule.drain(self.now()),
                () = woken => self.schedule.wake(self.now()),
                step = self.steps.select_next_some() => self.apply_all(step),
                // Queued claims are taken in every iteration.
                () = queued => {}
                () = idle => {}
            }
        }
        self.report.cut = self.schedule.held();
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

    /// Applies `step` and all other results that are ready, so that they are recorded in one batch.
    fn apply_all(&mut self, step: Step) {
        self.apply(step);
        while let Some(Some(step)) = self.steps.next().now_or_never() {
            self.apply(step);
        }
    }

    fn apply(&mut self, step: Step) {
        match step {
            Step::Claimed { answer, requested_at } => self.take_claims(answer, requested_at),
            Step::Loaded { claims, loaded, view, requested_at } => {
                self.take_endpoints(claims, loaded, &view, requested_at);
            }
            Step::Routed(answer) => self.take_routing(answer),
            Step::Worked(worked) => self.take_worked(worked),
            Step::Recorded(recorded) => self.take_recorded(recorded),
            Step::Notified => {
                self.schedule.wake(self.now());
                self.listen();
            }
            Step::Released { leases, answer } => self.take_released(leases, answer),
        }
    }

    /// Waits for the next notification from other processes.
    fn listen(&self) {
        self.start(|store| async move {
            store.work_notified().await;
            Step::Notified
        });
    }

    fn now(&self) -> Duration {
        self.dispatcher.exchanger.clock.monotonic()
    }
}

impl Drop for Run<'_> {
    /// Ends the admission of publishers, also if the run was dropped before its end.
    fn drop(&mut self) {
        self.dispatcher.fast_path.close(&self.admission);
        self.admission.abort();
    }
}

fn log_failed(call: &str, error: &StoreError) {
    tracing::warn!(call, %error, cause = error.cause(), "the store failed; trying again");
}
