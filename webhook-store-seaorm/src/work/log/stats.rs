//! How an endpoint does: counted by the database, put together by the core.

use std::time::Duration;

use async_trait::async_trait;
use sea_orm::Value;
use webhook_core::{DeliveryStatus, EndpointId, EndpointStats, FailureKind, store::DeliveryQuery};

use super::listing::listings;
use crate::db::{
    fault::Fault,
    row::{Row, ToValue},
    tx::Tx,
    unit::Unit,
};

/// Counts what an endpoint has got within a window.
pub(crate) struct CountStats {
    pub(crate) endpoint: EndpointId,
    pub(crate) window: Duration,
}

#[async_trait]
impl Unit for CountStats {
    type Output = EndpointStats;
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<EndpointStats, Fault> {
        // What is tried between two statements would be in one of them alone.
        if let Some(one_snapshot) = tx.sql().dialect.one_snapshot() {
            tx.run_plain(one_snapshot).await?;
        }
        let since = tx.now().await?.before(self.window);
        let query = DeliveryQuery::new().endpoint(self.endpoint).since(since);
        let mut stats = EndpointStats::new(self.window);
        for (newest, values) in listings(&query, &[], false, EndpointStats::MAX_DELIVERIES) {
            let deliveries = self.deliveries(tx, &newest, values.clone()).await?;
            stats = stats.with_deliveries(deliveries);
            stats = stats.with_attempts(self.attempts(tx, &newest, values).await?);
        }
        Ok(stats)
    }
}

impl CountStats {
    async fn deliveries(
        &self,
        tx: &Tx,
        newest: &str,
        values: Vec<Value>,
    ) -> Result<Vec<(DeliveryStatus, u64)>, Fault> {
        let sql =
            format!("SELECT n.status, COUNT(*) AS found FROM ({newest}) AS n GROUP BY n.status");
        let counted = |row: &Row| Ok((row.parse("status")?, row.number("found")?));
        tx.all(&sql, values).await?.iter().map(counted).collect()
    }

    /// By what went wrong and how long it took: fewer rows than there are attempts.
    async fn attempts(
        &self,
        tx: &Tx,
        newest: &str,
        mut values: Vec<Value>,
    ) -> Result<Vec<(Option<FailureKind>, Duration, u64)>, Fault> {
        let sql = format!(
            "SELECT a.failure_kind, a.duration_ms, COUNT(*) AS found FROM ({newest}) AS n \
             {{then_join}} {{attempts}} AS a ON a.event_id = n.event_id AND a.endpoint_id = ? \
             GROUP BY a.failure_kind, a.duration_ms"
        );
        values.push(self.endpoint.to_value());
        let counted = |row: &Row| {
            let took = Duration::from_millis(row.number("duration_ms")?);
            Ok((row.parse_if_any("failure_kind")?, took, row.number("found")?))
        };
        tx.all(&sql, values).await?.iter().map(counted).collect()
    }
}
