//! Many rows in one statement.

use sea_orm::Value;
use webhook_core::{DeliveryId, StoreErrorKind};

use crate::{
    dialect::repeated,
    fault::Fault,
    row::{Row, ToValue},
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

/// The same values, the last one as often as it takes for a power of two, where naming one twice does no
/// harm. A statement for each number of values would drive others out of those that a connection keeps
/// prepared.
pub(crate) fn padded<T: Clone>(values: &[T]) -> Vec<T> {
    let last = values.iter().last().into_iter().cycle();
    let count = if values.is_empty() { 0 } else { values.len().next_power_of_two() };
    values.iter().chain(last).take(count).cloned().collect()
}

/// A delivery whose row this transaction has locked.
#[derive(Clone, Debug)]
pub(crate) struct Locked {
    id: DeliveryId,
    /// Where the row stands, if the database tells: changing it takes no second look-up.
    place: Option<String>,
}

impl Locked {
    /// Reads the row of a query that selects `{and_place}` and locks what it finds.
    pub(crate) fn new(id: DeliveryId, row: &Row) -> Self {
        Self { id, place: row.get("place").ok() }
    }
}

impl Tx {
    /// Changes deliveries that are locked: `set` is what to, with these values.
    pub(crate) async fn change(
        &self,
        set: &str,
        values: &[Value],
        rows: &[Locked],
    ) -> Result<(), Fault> {
        for rows in rows.chunks(ROWS) {
            self.change_some(set, values, rows).await?;
        }
        Ok(())
    }

    async fn change_some(&self, set: &str, values: &[Value], rows: &[Locked]) -> Result<(), Fault> {
        let places: Option<Vec<_>> = rows.iter().map(|row| row.place.as_deref()).collect();
        let Some(places) = places else {
            let ids = padded(&rows.iter().map(|row| row.id).collect::<Vec<_>>());
            let these = self.sql().dialect.pairs(ids.len());
            let sql = format!(
                "UPDATE {{deliveries}} {{by_key}} SET {set} WHERE (event_id, endpoint_id) IN {these}"
            );
            return self.run(&sql, values.iter().cloned().chain(pairs(&ids))).await.map(|_| ());
        };
        let at_places = self.sql().dialect.at_places();
        let sql = format!("UPDATE {{deliveries}} SET {set} WHERE {at_places}");
        let places = Value::from(format!("{{\"{}\"}}", places.join("\",\"")));
        let changed = self.run(&sql, values.iter().cloned().chain([places])).await?;
        // A locked row stays where it is. Were one not there all the same, nothing may be written.
        if usize::try_from(changed) == Ok(rows.len()) {
            return Ok(());
        }
        Err(Fault::new(StoreErrorKind::Other, "a locked delivery is not where it was"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_filled_up_to_few_lengths() {
        let table = [("", ""), ("a", "a"), ("ab", "ab"), ("abc", "abcc"), ("abcde", "abcdeeee")];
        for (values, expected) in table {
            assert_eq!(String::from_utf8(padded(values.as_bytes())).unwrap(), expected);
        }
    }
}
