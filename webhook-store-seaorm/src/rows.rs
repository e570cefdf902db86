//! Many rows in one statement.

use sea_orm::Value;
use webhook_core::DeliveryId;

use crate::{
    dialect::repeated,
    fault::Fault,
    row::ToValue,
    tx::{ROWS, Tx},
};

impl Tx {
    /// Inserts rows into `table (columns)`; `or` says what happens to those that are there already.
    pub(crate) async fn insert<const N: usize>(
        &self,
        into: &str,
        rows: Vec<[Value; N]>,
        or: &str,
    ) -> Result<(), Fault> {
        let row = format!("({})", repeated("?", N));
        let mut rows = rows.into_iter();
        loop {
            let values: Vec<_> = rows.by_ref().take(ROWS).flatten().collect();
            if values.is_empty() {
                return Ok(());
            }
            let many = repeated(&row, values.len() / N);
            self.run(&format!("INSERT INTO {into} VALUES {many} {or}"), values).await?;
        }
    }
}

/// Deliveries as values, pair by pair.
pub(crate) fn pairs(ids: &[DeliveryId]) -> impl Iterator<Item = Value> {
    ids.iter().flat_map(|id| [id.event.to_value(), id.endpoint.to_value()])
}
