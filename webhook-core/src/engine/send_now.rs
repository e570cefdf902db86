//! Send now: post an event to one endpoint inside the call, retrying within it.

use std::{fmt, sync::Arc, time::Duration};

use crate::{
    engine::exchanger::Exchanger,
    model::{
        attempt::{Attempt, Failure, FailureKind},
        delivery::{Delivery, DeliveryStatus, Progress},
        endpoint::{Endpoint, Timeout},
        event::Event,
        header::CustomHeaders,
        id::{DeliveryId, EndpointId},
        retry::RetryPolicy,
        signing::Signing,
        trigger::Trigger,
        url::EndpointUrl,
    },
    policy::{
        classify::{Verdict, classify},
        decide::{Decision, FailReason, decide},
    },
    port::{Clock, Signer, Store, StoreError, TrackedDeliveries as _, Transport},
};

/// Posts events to one endpoint and answers what became of them.
///
/// Three attempts, 1 s and 2 s apart, unless told otherwise. Nothing survives the process: for
/// events that must arrive, publish durably. Giving up the call (dropping its future) stops the
/// waiting at once.
///
/// With [`tracked`](Self::tracked) every event leaves a record: written as pending before the first
/// attempt, with the true number of attempts after each.
#[derive(Clone, Debug)]
pub struct Publisher {
    endpoint: Arc<Endpoint>,
    exchanger: Exchanger,
    store: Option<Arc<dyn Store>>,
}

impl Publisher {
    /// Posts to `url`, unsigned until [`signing`](Self::signing) says otherwise.
    ///
    /// `id` stands for this destination in delivery ids; give the same one after a restart if the
    /// records of a destination shall be found together.
    pub fn new(
        id: EndpointId,
        url: EndpointUrl,
        transport: Arc<dyn Transport>,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let endpoint = Endpoint::new(id, url).with_retry(RetryPolicy::send_now());
        Self::for_endpoint(endpoint, transport, signer, clock)
    }

    /// Creates a publisher that posts to an endpoint, with all its settings, including its retry
    /// policy.
    pub fn for_endpoint(
        endpoint: Endpoint,
        transport: Arc<dyn Transport>,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let exchanger = Exchanger { transport, signer, clock, max_timeout: Duration::MAX };
        Self { endpoint: Arc::new(endpoint), exchanger, store: None }
    }

    /// Sets what requests are signed with.
    #[must_use]
    pub fn signing(self, signing: Signing) -> Self {
        self.edit(|endpoint| endpoint.with_signing(signing))
    }

    /// Sets what requests carry besides.
    #[must_use]
    pub fn headers(self, headers: CustomHeaders) -> Self {
        self.edit(|endpoint| endpoint.with_headers(headers))
    }

    /// Sets the deadline of one attempt; by default 30 s.
    #[must_use]
    pub fn timeout(self, timeout: Timeout) -> Self {
        self.edit(|endpoint| endpoint.with_timeout(timeout))
    }

    /// Sets when to try again; by default [`RetryPolicy::send_now`].
    #[must_use]
    pub fn retry(self, retry: RetryPolicy) -> Self {
        self.edit(|endpoint| endpoint.with_retry(retry))
    }

    /// Keeps a record of every event in `store`. A store without
    /// [`TrackedDeliveries`](crate::store::TrackedDeliveries) fails each publish before anything is sent.
    #[must_use]
    pub fn tracked(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    fn edit(mut self, change: impl FnOnce(Endpoint) -> Endpoint) -> Self {
        self.endpoint = Arc::new(change(Arc::unwrap_or_clone(self.endpoint)));
        self
    }

    /// `webhook:<url>`, the URL without its query.
    pub fn name(&self) -> String {
        format!("webhook:{}", self.endpoint.url)
    }

    /// The destination.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Posts `event`, again if need be, until it is delivered or given up.
    ///
    /// # Errors
    ///
    /// [`SendError`] after the last attempt, or when a tracked record could not be opened: then
    /// nothing was sent.
    pub async fn publish(&self, event: &Event) -> Result<Sent, SendError> {
        let delivery = DeliveryId::new(event.id, self.endpoint.id);
        let earlier = self.open_record(event, delivery).await?;
        let mut progress =
            Progress::of_attempt(earlier.saturating_add(1)).with_budget_from(earlier);
        loop {
            let (decision, attempt) = self.attempt(event, delivery, progress).await;
            if let Some(store) = &self.store {
                record(&**store, delivery, attempt.clone(), decision).await;
            }
            match decision {
                Decision::Succeed => return Ok(Sent { delivery, attempts: progress.tries() }),
                Decision::Retry { wait, .. } => self.exchanger.clock.sleep(wait).await,
                Decision::Fail(reason) => return Err(SendError::failed(progress, attempt, reason)),
            }
            progress.attempt = progress.attempt.saturating_add(1);
        }
    }

    async fn attempt(
        &self,
        event: &Event,
        delivery: DeliveryId,
        progress: Progress,
    ) -> (Decision, Attempt) {
        let exchange = self.exchanger.exchange(event, &self.endpoint).await;
        let verdict = match classify(&exchange.outcome, exchange.ended_at) {
            // Somebody waits for this call: a fault of our own ends it as any other would.
            Verdict::OwnFault => Verdict::TryAgain { retry_after: None },
            verdict => verdict,
        };
        let attempt = exchange.record(progress.attempt, trigger(progress));
        self.log_attempt(event, &attempt);
        (decide(delivery, progress, verdict, &self.endpoint.retry), attempt)
    }

    fn log_attempt(&self, event: &Event, attempt: &Attempt) {
        let (url, event_type, number) = (&self.endpoint.url, &event.event_type, attempt.number);
        match &attempt.failure {
            None => tracing::info!(%url, %event_type, attempt = number, "webhook delivered"),
            Some(error) => {
                tracing::warn!(%url, %event_type, attempt = number, %error, "webhook attempt failed");
            }
        }
    }

    async fn open_record(&self, event: &Event, id: DeliveryId) -> Result<u32, SendError> {
        let Some(store) = &self.store else { return Ok(0) };
        let (tenant, event_type) = (event.tenant.clone(), event.event_type.clone());
        let url = self.endpoint.url.clone();
        let delivery = Delivery::new(id, tenant, event_type, url, self.exchanger.clock.now());
        store.open_tracked(event, delivery).await.map_err(SendError::Tracking)
    }
}

/// A record that cannot be written does not undo what was sent: it is said in the log instead.
async fn record(store: &dyn Store, id: DeliveryId, attempt: Attempt, decision: Decision) {
    let status = match decision {
        Decision::Succeed => DeliveryStatus::Success,
        Decision::Retry { .. } => DeliveryStatus::Pending,
        Decision::Fail(_) => DeliveryStatus::Failed,
    };
    let number = attempt.number;
    if let Err(error) = store.record_tracked(id, attempt, status).await {
        tracing::error!(delivery = %id, attempt = number, %error, "attempt could not be recorded");
    }
}

/// A second call under the same id tries again what was tried before.
const fn trigger(progress: Progress) -> Trigger {
    let cause = if progress.budget_from == 0 { Trigger::First } else { Trigger::Retry };
    cause.of_attempt(progress.attempt, progress.budget_from)
}

/// An event that was delivered within the call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Sent {
    /// The delivery, as its record is called.
    pub delivery: DeliveryId,
    /// Attempts it took.
    pub attempts: u32,
}

/// An event was not delivered within the call.
#[derive(Debug)]
#[non_exhaustive]
pub enum SendError {
    /// Every attempt failed, or a further one would be of no use.
    Failed {
        /// Attempts made.
        attempts: u32,
        /// What went wrong last.
        last: Failure,
        /// Why there was no further attempt.
        reason: FailReason,
    },
    /// The record could not be opened; nothing was sent.
    Tracking(StoreError),
}

impl SendError {
    fn failed(progress: Progress, attempt: Attempt, reason: FailReason) -> Self {
        let unknown = || Failure::new(FailureKind::Other, "no reason recorded");
        Self::Failed {
            attempts: progress.tries(),
            last: attempt.failure.unwrap_or_else(unknown),
            reason,
        }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { attempts, last, .. } => {
                let plural = if *attempts == 1 { "" } else { "s" };
                write!(f, "webhook delivery failed after {attempts} attempt{plural}: {last}")
            }
            Self::Tracking(_) => {
                f.write_str("nothing was sent, because its record could not be opened")
            }
        }
    }
}

impl std::error::Error for SendError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Failed { .. } => None,
            Self::Tracking(error) => Some(error),
        }
    }
}
