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
        let mut rows = rows.into_iter().peekable();
        while rows.peek().is_some() {
            let mut bytes = 0;
            let mut values = Vec::new();
            while let Some(next) =
                rows.next_if(|next| values.is_empty() || fits(next, bytes, values.len() / N))
            {
                bytes += size(&next);
                values.extend(next);
            }
            let many = repeated(&row, values.len() / N);
            self.run(&format!("INSERT INTO {into} VALUES {many} {or}"), values).await?;
        }
        Ok(())
    }
}

/// Bytes in one statement, unless a single row has more: every server takes that much at once.
const BYTES: usize = 2 * 1024 * 1024;

/// Whether a row has room in a statement of so many bytes and rows.
fn fits(row: &[Value], bytes: usize, rows: usize) -> bool {
    rows < ROWS && bytes + size(row) <= BYTES
}

fn size(row: &[Value]) -> usize {
    let one = |value: &Value| match value {
        Value::Bytes(Some(bytes)) => bytes.len(),
        Value::String(Some(text)) => text.len(),
        _ => 16,
    };
    row.iter().map(one).sum()
}

/// Deliveries as values, pair by pair.
pub(crate) fn pairs(ids: &[DeliveryId]) -> impl Iterator<Item = Value> {
    ids.iter().flat_map(|id| [id.event.to_value(), id.endpoint.to_value()])
}
