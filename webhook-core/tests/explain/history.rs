//! A delivery's life as it stands on record, by the same functions that decide in production.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header::RETRY_AFTER};
use uuid::Uuid;
use webhook_core::{
    Attempt, Delivery, DeliveryId, DeliveryStatus, DispatcherConfig, Endpoint, EndpointId,
    EndpointState, EventId, HealthPolicy, Outcome, TenantId, Timestamp, Trigger,
    explain::{explain, explain_to_tenant},
    policy::{Decision, classify, decide, health_signal},
    store::Progress,
    transport::{Response, TransportError, TransportErrorKind},
};
use webhook_testkit::Expect;

/// How long each attempt takes.
const TOOK: Duration = Duration::from_millis(240);

/// An event for `https://billing.example/hooks`, and what becomes of it.
#[derive(Clone)]
pub(crate) struct History {
    pub(crate) delivery: Delivery,
    pub(crate) endpoint: Endpoint,
    /// The first one of its line.
    first: Option<Delivery>,
    attempts: Vec<Attempt>,
    cause: Trigger,
    now: Timestamp,
}

impl History {
    pub(crate) fn begin() -> Self {
        let now = Timestamp::from_unix_secs(1_000_000);
        let id = DeliveryId::new(
            EventId::from_uuid(Uuid::from_u128(1)),
            EndpointId::from_uuid(Uuid::from_u128(2)),
        );
        let url = "https://billing.example/hooks?token=c4nary".parse().unwrap();
        let endpoint = Endpoint::new(id.endpoint, url)
            .with_filters(vec!["order.*".parse().unwrap(), "invoice.*".parse().unwrap()]);
        let event_type = "invoice.paid".parse().unwrap();
        let mut delivery =
            Delivery::new(id, TenantId::default(), event_type, endpoint.url.clone(), now);
        delivery.due_at = Some(now);
        Self { delivery, endpoint, first: None, attempts: Vec::new(), cause: Trigger::First, now }
    }

    pub(crate) fn later(mut self, secs: u64) -> Self {
        self.now = self.now.after(Duration::from_secs(secs));
        self
    }

    pub(crate) fn when_due(mut self) -> Self {
        self.now = self.delivery.due_at.expect("it is pending");
        self
    }

    pub(crate) fn state(mut self, state: EndpointState) -> Self {
        self.endpoint = self.endpoint.with_state(state);
        self
    }

    /// Before it in the line of its ordering key stands another, or it itself.
    pub(crate) fn behind(mut self, first: Delivery) -> Self {
        self.first = Some(first);
        self
    }

    pub(crate) fn status(mut self, status: DeliveryStatus) -> Self {
        (self.delivery.status, self.delivery.due_at) = (status, None);
        self
    }

    /// Somebody or something makes it due again, with a fresh budget.
    pub(crate) fn again(mut self, cause: Trigger) -> Self {
        (self.delivery.status, self.cause) = (DeliveryStatus::Pending, cause);
        (self.delivery.budget_from, self.delivery.forgiven) = (self.delivery.attempts, 0);
        self.delivery.due_at = Some(self.now);
        self
    }

    pub(crate) fn claimed(mut self, worker: &str) -> Self {
        self.delivery.status = DeliveryStatus::InFlight;
        self.delivery.attempts += 1;
        self.delivery.last_attempt_at = Some(self.now);
        self.delivery.claimed_by = Some(worker.parse().unwrap());
        self.delivery.leased_until = Some(self.now.after(DispatcherConfig::LEASE));
        self.delivery.due_at = None;
        self
    }

    /// An attempt comes to this, and what follows is decided and written down.
    pub(crate) fn attempt(self, outcome: Outcome) -> Self {
        self.claimed("host-1:4711").ends(outcome)
    }

    pub(crate) fn ends(mut self, outcome: Outcome) -> Self {
        let verdict = classify(&outcome, self.now);
        let progress = Progress::of_attempt(self.delivery.attempts)
            .with_budget_from(self.delivery.budget_from)
            .with_forgiven(self.delivery.forgiven);
        self.record(&outcome);
        self.now = self.now.after(TOOK);
        let policy = &self.endpoint.retry;
        let signal = health_signal(&outcome, verdict, policy, Trigger::First);
        let change = self.endpoint.health.after(signal, None, self.now, &HealthPolicy::new(), 8);
        self.delivery.leased_until = None;
        self.delivery.status = match decide(self.delivery.id, progress, verdict, policy) {
            Decision::Retry { wait, counts } => {
                self.delivery.forgiven += u32::from(!counts);
                self.delivery.due_at = Some(self.now.after(wait));
                DeliveryStatus::Pending
            }
            Decision::Succeed => DeliveryStatus::Success,
            _ => DeliveryStatus::Failed,
        };
        self.endpoint.health = change.health;
        self
    }

    /// The worker dies; its attempt is on record when another has taken over.
    pub(crate) fn lost(mut self) -> Self {
        self.record(&Outcome::Unknown);
        self.now = self.delivery.leased_until.expect("it is in flight");
        self
    }

    fn record(&mut self, outcome: &Outcome) {
        let number = self.delivery.attempts;
        let trigger = self.cause.of_attempt(number, self.delivery.budget_from);
        let attempt = Attempt::record(number, self.now, TOOK, outcome).with_trigger(trigger);
        self.attempts.push(attempt);
    }

    /// The page for operators, without its first line.
    pub(crate) fn reads(&self, expected: &Expect) -> &Self {
        let (attempts, endpoint) = (&self.attempts, Some(&self.endpoint));
        let explanation =
            explain(&self.delivery, attempts, endpoint, self.first.as_ref(), self.now);
        self.compare(&explanation.to_string(), expected);
        self
    }

    /// The page for its tenant.
    pub(crate) fn reads_to_tenant(&self, expected: &Expect) {
        let (attempts, endpoint) = (&self.attempts, Some(&self.endpoint));
        let explanation =
            explain_to_tenant(&self.delivery, attempts, endpoint, self.first.as_ref(), self.now);
        self.compare(&explanation.to_string(), expected);
        assert!(!format!("{explanation:?}").contains("host-1"), "{explanation:?}");
    }

    /// The page when the endpoint is there no more.
    pub(crate) fn reads_without_endpoint(&self, expected: &Expect) {
        let explanation = explain(&self.delivery, &self.attempts, None, None, self.now);
        self.compare(&explanation.to_string(), expected);
    }

    fn compare(&self, page: &str, expected: &Expect) {
        let (first, rest) = page.split_once('\n').unwrap();
        let subject = format!(
            "{} of invoice.paid to https://billing.example/hooks: {}",
            self.delivery.id, self.delivery.status
        );
        assert_eq!(first, subject, "the query of the URL may be secret");
        let lines: Vec<_> = rest.lines().map(|line| line.strip_prefix("  ").unwrap()).collect();
        expected.assert_eq(&format!("{}\n", lines.join("\n")));
    }
}

pub(crate) fn answered(status: u16) -> Outcome {
    Outcome::Answered(Response::new(StatusCode::from_u16(status).unwrap()))
}

pub(crate) fn asked(status: u16, secs: u64) -> Outcome {
    let headers = HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from(secs))]);
    let response = Response::new(StatusCode::from_u16(status).unwrap());
    Outcome::Answered(response.with_headers(headers))
}

pub(crate) fn failed(kind: TransportErrorKind) -> Outcome {
    Outcome::NotAnswered(TransportError::new(kind))
}
