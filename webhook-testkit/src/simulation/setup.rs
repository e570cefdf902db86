//! Settings of one run, drawn from its seed unless set by the caller.

use std::time::Duration;

use webhook_core::{
    DispatcherConfig, Endpoint, EndpointId, EventFilter, HealthPolicy, OrderPolicy, RateLimit,
    RetryPolicy, Secret, Signing, TenantId, Timeout, signing::Signer as _,
};

use super::{
    rng::{RngStream, RunRng},
    trace::WorkerSettings,
};
use crate::{
    ManualClock, PlainSigner,
    units::{HOUR, MINUTE},
};

/// Types of events, and filters that match some of them.
pub(super) const TYPES: [&str; 3] = ["invoice.paid", "invoice.sent", "order.shipped"];
const FILTERS: [&str; 4] = ["**", "invoice.*", "invoice.paid", "order.*"];

const POLICIES: [&str; 6] = [
    "5s,5m,30m,2h",
    "1s,2s,4s,8s,16s,32s jitter 0%",
    "10m,1h,6h retry-after 1h",
    "none",
    "30s,30s,30s jitter 100%",
    "5s,5m,30m,2h,5h,10h",
];

/// Settings of one run.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// Duration of the faults.
    pub(super) span: Duration,
    /// Configuration of each worker.
    pub(super) workers: Vec<DispatcherConfig>,
    pub(super) settings: Vec<WorkerSettings>,
    pub(super) tenants: Vec<TenantId>,
    pub(super) endpoints: Vec<Endpoint>,
    /// Approximate number of events that each worker publishes.
    pub(super) events: u64,
    /// Factor of all fault odds: faults occur once in this many times as many draws, or never if 0.
    pub(super) rarity: u64,
    /// An endpoint that is silent until a while after the faults have ended.
    pub(super) silent: Option<EndpointId>,
    /// Mean pause between two actions of operators.
    pub(super) operator_pause: Duration,
}

impl Setup {
    pub(super) fn draw(rng: &RunRng, options: &super::Options) -> Self {
        let mut stream = rng.stream("plan", 0, Duration::ZERO);
        let span = options.span.unwrap_or_else(|| stream.wait(2 * HOUR, 72 * HOUR));
        let workers = options.workers.unwrap_or_else(|| stream.between(1, 3));
        let health = options.health.unwrap_or_else(|| draw_health(&mut stream));
        let (workers, settings) =
            (0..workers).map(|number| draw_worker(&mut stream, number, span, health)).unzip();
        let count = stream.between(1, 2);
        let tenants: Vec<TenantId> =
            (0..count).filter_map(|number| format!("tenant-{number}").parse().ok()).collect();
        let endpoints = if options.endpoints.is_empty() {
            let count = stream.between(2, 5);
            (1..=count).filter_map(|number| draw_endpoint(&mut stream, number, &tenants)).collect()
        } else {
            options.endpoints.clone()
        };
        let tenants = tenants_of(&endpoints, tenants);
        let rarity = match (options.calm, stream.below(16)) {
            (true, _) | (_, 0) => 0,
            (_, 1..5) => 1,
            (_, 5..12) => 3,
            _ => 10,
        };
        let silent =
            stream.once_in(3).then(|| endpoints.first().map(|endpoint| endpoint.id)).flatten();
        let silent = silent.filter(|_| rarity > 0 && endpoints.len() > 1);
        Self {
            span,
            workers,
            settings,
            tenants,
            endpoints,
            events: stream.between(8, 25),
            rarity,
            silent,
            operator_pause: span / u32::try_from(stream.between(4, 25)).unwrap_or(4),
        }
    }
}

/// Tenants of the given endpoints, or all drawn tenants if there is none.
fn tenants_of(endpoints: &[Endpoint], drawn: Vec<TenantId>) -> Vec<TenantId> {
    let mut tenants: Vec<_> = endpoints.iter().map(|endpoint| endpoint.tenant.clone()).collect();
    tenants.sort();
    tenants.dedup();
    if tenants.is_empty() { drawn } else { tenants }
}

fn draw_health(stream: &mut RngStream) -> HealthPolicy {
    if stream.once_in(6) {
        return HealthPolicy::off();
    }
    let least = u32::try_from(stream.between(1, 4)).unwrap_or(1);
    let first = stream.wait(Duration::from_secs(10), 5 * MINUTE);
    HealthPolicy::new()
        .with_warn_after(least)
        .with_cool_after(least + u32::try_from(stream.below(4)).unwrap_or(0))
        .with_cool_down(first, first * 8)
        .with_disable_after(Some(stream.wait(HOUR, 48 * HOUR)))
        .with_disable_min(5)
}

fn draw_worker(
    stream: &mut RngStream,
    number: u64,
    span: Duration,
    health: HealthPolicy,
) -> (DispatcherConfig, WorkerSettings) {
    let concurrency = usize::try_from(stream.between(1, 24)).unwrap_or(1);
    let max_timeout = stream.wait(Duration::from_secs(1), Duration::from_secs(30));
    let recording_budget = stream.wait(Duration::from_secs(1), Duration::from_secs(10));
    let claim_budget = Duration::from_secs(5);
    let lease = max_timeout + recording_budget + claim_budget;
    // Frequent polls slow the simulation down and show nothing new.
    let least = (span / 1000).max(MINUTE);
    let poll = stream.wait(least, least.max(span / 20));
    let drain = stream.wait(Duration::from_millis(100), Duration::from_secs(40));
    let config = DispatcherConfig::new()
        .concurrency(concurrency)
        .max_timeout(max_timeout)
        .recording_budget(recording_budget)
        .claim_budget(claim_budget)
        .lease(lease)
        .poll(poll)
        .drain(drain)
        .seed(number)
        .health(health);
    let settings = WorkerSettings { concurrency, lease, poll, drain, recording_budget };
    (config, settings)
}

/// Draws the `number`-th endpoint.
pub(super) fn draw_endpoint(
    stream: &mut RngStream,
    number: u64,
    tenants: &[TenantId],
) -> Option<Endpoint> {
    let url = format!("https://e{number}.example/r0").parse().ok()?;
    let retry: RetryPolicy = stream.one_of(&POLICIES)?.parse().ok()?;
    let filter: EventFilter = stream.one_of(&FILTERS)?.parse().ok()?;
    let timeout = stream.wait(Duration::from_secs(1), Duration::from_secs(30));
    let order = match stream.below(4) {
        0 => Some(OrderPolicy::Block),
        1 => Some(OrderPolicy::Skip),
        _ => None,
    };
    let rate = if stream.once_in(4) {
        RateLimit::new(1, 1 + u32::try_from(stream.below(3)).ok()?).ok()
    } else {
        None
    };
    let max_in_flight = u32::try_from(stream.between(1, 6)).ok()?;
    let signing = match stream.below(5) {
        0 => Signing::unsigned(),
        1 => Signing::with_secret(format!("plain-{number}").parse().ok()?),
        _ => Signing::with_secret(new_secret(stream)?),
    };
    let endpoint = Endpoint::new(endpoint_id(number), url)
        .with_tenant(stream.one_of(tenants)?)
        .with_retry(retry)
        .with_filters([filter])
        .with_timeout(Timeout::new(timeout).ok()?)
        .with_order(order)
        .with_rate(rate)
        .with_max_in_flight(max_in_flight)
        .with_signing(signing)
        .with_created_at(ManualClock::START);
    Some(endpoint)
}

pub(super) const fn endpoint_id(number: u64) -> EndpointId {
    EndpointId::from_uuid(uuid::Uuid::from_u128(
        0x0e00_0000_0000_7000_8000_0000_0000_0000 | number as u128,
    ))
}

/// Returns a new secret that fits every profile.
pub(super) fn new_secret(stream: &mut RngStream) -> Option<Secret> {
    let signer = PlainSigner::new();
    // The signer's random bytes depend on the number of its calls.
    let mut bytes = [0; 8];
    for _ in 0..stream.below(64) {
        webhook_core::signing::Signer::fill_random(&signer, &mut bytes).ok()?;
    }
    signer.generate_secret().ok()
}
