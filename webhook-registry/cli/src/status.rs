//! `webhook status`: how the store is doing.

use std::time::Duration;

use serde::Serialize;
use webhook_registry::{
    DeliveryId, EndpointId, TenantId,
    store::{FailingEndpoint, StoreStatus},
    view::format_duration,
};

use crate::{
    delivery::cut,
    error::{End, Error},
    options::Options,
    output::{Row, View, fields, table},
    store::open,
};

/// How the store is doing. Numbers are exact below `counted_to`.
#[derive(Debug, Serialize)]
struct StoreStatusView {
    pending: u64,
    in_flight: u64,
    unrouted: u64,
    /// Those of paused and disabled endpoints.
    waiting: u64,
    counted_to: u64,
    oldest_due_for_ms: Option<u128>,
    leases_lost: u64,
    failing: Vec<FailingView>,
}

/// An active endpoint whose oldest pending delivery has been tried and has failed.
#[derive(Debug, Serialize)]
struct FailingView {
    endpoint: EndpointId,
    tenant: TenantId,
    delivery: DeliveryId,
    since: String,
    attempts: u32,
    last_error: String,
}

impl From<FailingEndpoint> for FailingView {
    fn from(failing: FailingEndpoint) -> Self {
        Self {
            endpoint: failing.delivery.endpoint,
            tenant: failing.tenant,
            delivery: failing.delivery,
            since: failing.since.to_string(),
            attempts: failing.attempts,
            last_error: failing.last_error,
        }
    }
}

impl Row for FailingView {
    const HEAD: &'static [&'static str] =
        &["FAILING ENDPOINT", "TENANT", "SINCE", "ATTEMPTS", "LAST ERROR"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.endpoint.to_string(),
            self.tenant.to_string(),
            self.since.clone(),
            self.attempts.to_string(),
            cut(&self.last_error, 60),
        ]
    }
}

impl From<StoreStatus> for StoreStatusView {
    fn from(status: StoreStatus) -> Self {
        Self {
            pending: status.pending,
            in_flight: status.in_flight,
            unrouted: status.unrouted,
            waiting: status.waiting,
            counted_to: StoreStatus::CAP,
            oldest_due_for_ms: status.oldest_due.map(|due| due.as_millis()),
            leases_lost: status.leases_lost,
            failing: status.failing.into_iter().map(FailingView::from).collect(),
        }
    }
}

impl View for StoreStatusView {
    fn text(&self) -> String {
        let due = self.oldest_due_for_ms.map_or_else(
            || "nothing".to_owned(),
            |millis| {
                let due = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
                format!("the oldest for {}", format_duration(due))
            },
        );
        let mut pairs = vec![
            ("pending", capped(self.pending)),
            ("in flight", capped(self.in_flight)),
            ("unrouted", capped(self.unrouted)),
            ("waiting", format!("{} for paused or disabled endpoints", capped(self.waiting))),
            ("due", due),
            ("leases lost", self.leases_lost.to_string()),
        ];
        if self.failing.is_empty() {
            pairs.push(("failing", "no endpoint".to_owned()));
            return fields(pairs);
        }
        format!("{}\n\n{}", fields(pairs), table(&self.failing).trim_end())
    }
}

/// A number that may not have been counted to its end.
fn capped(count: u64) -> String {
    let more = if count >= StoreStatus::CAP { "+" } else { "" };
    format!("{count}{more}")
}

pub(crate) async fn run(options: &Options) -> Result<End, Error> {
    let status = open(options).await?.operator().status().await?;
    options.output().show(&StoreStatusView::from(status))?;
    Ok(End::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_was_not_counted_to_its_end_says_so() {
        assert_eq!((capped(9_999), capped(10_000)), ("9999".to_owned(), "10000+".to_owned()));
    }
}
