//! `webhook endpoint stats`: how an endpoint does, in numbers.

use std::{fmt::Display, time::Duration};

use clap::Args;
use serde::Serialize;
use webhook_registry::{
    EndpointId, EndpointStats, Webhooks, error::EndpointError, view::format_duration,
};

use crate::{
    output::{View, fields},
    values::duration,
};

#[derive(Args, Debug)]
pub(crate) struct StatsArgs {
    /// The endpoint
    #[arg(value_name = "ID")]
    id: EndpointId,
    /// How far to look back
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    window: Duration,
}

/// How an endpoint does. Numbers are of the newest `counted_to` deliveries.
#[derive(Serialize)]
pub(super) struct StatsView {
    endpoint: EndpointId,
    #[serde(flatten)]
    stats: EndpointStats,
    counted_to: usize,
}

impl StatsArgs {
    pub(super) async fn run(self, webhooks: &Webhooks) -> Result<StatsView, EndpointError> {
        let stats = webhooks.operator().endpoint_stats(self.id, self.window).await?;
        let counted_to = EndpointStats::MAX_DELIVERIES;
        Ok(StatsView { endpoint: self.id, stats, counted_to })
    }
}

impl View for StatsView {
    fn text(&self) -> String {
        let stats = &self.stats;
        let total: u64 = stats.deliveries.values().sum();
        let total =
            if stats.is_capped() { format!("the newest {total}") } else { total.to_string() };
        let mut pairs = vec![
            ("endpoint", self.endpoint.to_string()),
            ("window", format!("the last {}", format_duration(stats.window))),
            ("deliveries", with_parts(&total, &stats.deliveries)),
            ("attempts", stats.attempts.to_string()),
        ];
        let failed: u64 = stats.failures.values().sum();
        pairs.push(("failures", with_parts(&failed.to_string(), &stats.failures)));
        pairs.extend(stats.durations.map(|took| {
            let took = format!(
                "half within {} ms, 95 % within {} ms, the longest {} ms",
                took.p50_ms, took.p95_ms, took.max_ms
            );
            ("took", took)
        }));
        fields(pairs)
    }
}

/// `7: 5 success, 2 failed`.
fn with_parts<'a, K: Display + 'a>(
    total: &str,
    parts: impl IntoIterator<Item = (&'a K, &'a u64)>,
) -> String {
    let parts: Vec<_> = parts.into_iter().map(|(name, count)| format!("{count} {name}")).collect();
    if parts.is_empty() { total.to_owned() } else { format!("{total}: {}", parts.join(", ")) }
}
