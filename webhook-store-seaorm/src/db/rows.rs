//! Many rows in one statement.

use std::fmt::Write as _;

use sea_orm::Value;
use webhook_core::{DeliveryId, StoreErrorKind};

use crate::db::{
    dialect::repeated,
    fault::Fault,
    lists::{list, padded},
    row::{Row, ToValue, limit},
    tx::{ROWS_PER_STATEMENT, Tx},
};

impl Tx {
    /// Inserts rows into `table (columns)`; `or` says what happens to those that are there already.
    /// Answers how many rows the database counts.
    pub(crate) async fn insert<const N: usize>(
        &self,
        into: &str,
        mut rows: Vec<[Value; N]>,
        or: &str,
    ) -> Result<u64, Fault> {
        let dialect = self.sql().dialect;
        let mut counted = 0;
        while !rows.is_empty() {
            let mut fitting = fitting(
                &rows,
                if dialect.has_lists() { ROWS_PER_LIST_INSERT } else { ROWS_PER_STATEMENT },
            );
            if !dialect.has_lists() && !dialect.joins_rows() {
                fitting = power_of_two(fitting);
            }
            let behind = rows.split_off(fitting);
            let these = std::mem::replace(&mut rows, behind);
            let (rows, values) = if dialect.has_lists() {
                (format!("SELECT * FROM unnest({})", repeated("?", N)), columns(these))
            } else if dialect.joins_rows() {
                joined(these)
            } else {
                let row = format!("({})", repeated("?", N));
                let listed = format!("VALUES {}", repeated(&row, these.len()));
                (listed, these.into_iter().flatten().collect())
            };
            counted += self.run(&format!("INSERT INTO {into} {rows} {or}"), values).await?;
        }
        Ok(counted)
    }
}

/// Rows of which most values are the same in all: these are said once, and joined to the others. There are
/// as many as the next power of two, of which those in excess are not taken: few statements for any number
/// of rows, and a single one for each number.
fn joined<const N: usize>(rows: Vec<[Value; N]>) -> (String, Vec<Value>) {
    let count = rows.len();
    let all = count.next_power_of_two();
    let is_same = |column: usize| {
        let mut values = rows.iter().filter_map(|row| row.get(column));
        let first = values.next();
        values.all(|value| Some(value) == first)
    };
    let same: [bool; N] = std::array::from_fn(is_same);
    // The number of the row comes first.
    let (mut commons, mut owns) = (0, 1);
    let columns = same.map(|same| {
        let (name, number) = if same { ("common", &mut commons) } else { ("own", &mut owns) };
        *number += 1;
        format!("{name}.column{number}")
    });
    let mut sql = format!("SELECT {} FROM ", columns.join(", "));
    if commons > 0 {
        let _ = write!(sql, "(VALUES ({})) AS common CROSS JOIN ", repeated("?", commons));
    }
    let own = ", ?".repeat(owns - 1);
    let numbered: Vec<_> = (0..all).map(|number| format!("({number}{own})")).collect();
    let _ = write!(sql, "(VALUES {}) AS own WHERE own.column1 < ?", numbered.join(", "));
    let (mut values, mut theirs) = (Vec::new(), Vec::new());
    for (number, row) in rows.into_iter().enumerate() {
        for (value, same) in row.into_iter().zip(same) {
            match (same, number) {
                (true, 0) => values.push(value),
                (true, _) => {}
                (false, _) => theirs.push(value),
            }
        }
    }
    values.append(&mut theirs);
    values.extend(vec![Value::BigInt(None); (owns - 1) * (all - count)]);
    values.push(limit(count));
    (sql, values)
}

/// Rows in one `INSERT`, if the statement is the same for any number of rows.
const ROWS_PER_LIST_INSERT: usize = 1000;

/// How many of the first rows make one statement: at least one.
fn fitting<const N: usize>(rows: &[[Value; N]], most: usize) -> usize {
    let mut bytes = 0;
    let fits = |row: &&[Value; N]| {
        let first = bytes == 0;
        bytes += size(*row);
        first || bytes <= MAX_STATEMENT_BYTES
    };
    rows.iter().take(most).take_while(fits).count()
}

/// The largest power of two that is not larger: few statements for any number of rows.
const fn power_of_two(count: usize) -> usize {
    match count.checked_ilog2() {
        Some(log) => 1 << log,
        None => 0,
    }
}

/// A list of each column.
fn columns<const N: usize>(rows: Vec<[Value; N]>) -> Vec<Value> {
    let mut columns: Vec<Vec<Value>> = (0..N).map(|_| Vec::with_capacity(rows.len())).collect();
    for row in rows {
        columns.iter_mut().zip(row).for_each(|(column, value)| column.push(value));
    }
    columns.into_iter().map(list).collect()
}

/// Bytes in one statement, unless a single row has more. Every server accepts this size.
const MAX_STATEMENT_BYTES: usize = 2 * 1024 * 1024;

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

/// These deliveries as the right side of `(event_id, endpoint_id) IN`, and its values.
pub(crate) fn these(tx: &Tx, ids: &[DeliveryId]) -> (String, Vec<Value>) {
    let dialect = tx.sql().dialect;
    if dialect.has_lists() {
        let list_of = |value: fn(&DeliveryId) -> Value| list(ids.iter().map(value).collect());
        let values = [list_of(|id| id.event.to_value()), list_of(|id| id.endpoint.to_value())];
        return ("(SELECT * FROM unnest(?, ?))".to_owned(), values.into());
    }
    let ids = padded(ids);
    (dialect.pairs(ids.len()), pairs(&ids).collect())
}

/// A delivery whose row this transaction has locked.
#[derive(Clone, Debug)]
pub(crate) struct LockedDelivery {
    id: DeliveryId,
    /// Where the row stands, if the database tells: changing it takes no second look-up.
    place: Option<String>,
}

impl LockedDelivery {
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
        rows: &[LockedDelivery],
    ) -> Result<(), Fault> {
        for rows in rows.chunks(ROWS_PER_STATEMENT) {
            self.change_some(set, values, rows).await?;
        }
        Ok(())
    }

    async fn change_some(
        &self,
        set: &str,
        values: &[Value],
        rows: &[LockedDelivery],
    ) -> Result<(), Fault> {
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

impl Tx {
    /// Changes these deliveries as far as they are as it is said, and answers how many were: `set` is what
    /// to, `are` as what, each with its values.
    pub(crate) async fn change_those_that(
        &self,
        (set, to): (&str, &[Value]),
        (are, what): (&str, &[Value]),
        ids: &[DeliveryId],
    ) -> Result<u64, Fault> {
        let (these, keys) = these(self, ids);
        let sql = if self.sql().dialect.has_lists() {
            // Joined, as the rows of a list need not be told apart first.
            format!(
                "UPDATE {{deliveries}} SET {set} FROM unnest(?, ?) AS it (event, endpoint) \
                 WHERE event_id = it.event AND endpoint_id = it.endpoint AND {are}"
            )
        } else {
            format!(
                "UPDATE {{deliveries}} {{by_key}} SET {set} WHERE (event_id, endpoint_id) IN {these} AND {are}"
            )
        };
        let values = to.iter().cloned().chain(keys).chain(what.iter().cloned());
        self.run(&sql, values).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_has_so_many_rows_and_bytes_and_one_row_at_least() {
        let row = |bytes: usize| [Value::from(vec![0_u8; bytes])];
        let table = [
            (vec![row(1); 5], 3, 3),
            (vec![row(MAX_STATEMENT_BYTES / 2); 3], 9, 2),
            (vec![row(2 * MAX_STATEMENT_BYTES), row(1)], 9, 1),
            (vec![row(1), row(2 * MAX_STATEMENT_BYTES)], 9, 1),
        ];
        for (rows, most, expected) in table {
            assert_eq!(fitting(&rows, most), expected);
        }
        let table = [(0, 0), (1, 1), (2, 2), (3, 2), (100, 64), (250, 128)];
        assert!(table.iter().all(|(count, expected)| power_of_two(*count) == *expected));
    }

    #[test]
    fn what_all_rows_have_in_common_is_said_once() {
        let row = |id: i64, what: &str| [Value::from(id), what.into(), 7_i64.into()];
        let (sql, values) = joined(vec![row(1, "a"), row(2, "a"), row(3, "a")]);
        assert_eq!(
            sql,
            "SELECT own.column2, common.column1, common.column2 FROM (VALUES (?, ?)) AS common \
             CROSS JOIN (VALUES (0, ?), (1, ?), (2, ?), (3, ?)) AS own WHERE own.column1 < ?"
        );
        let none = Value::BigInt(None);
        let said = ["a".into(), 7_i64.into(), 1_i64.into(), 2_i64.into(), 3_i64.into(), none];
        assert_eq!(values, [&said[..], &[3_i64.into()]].concat());
        let (sql, values) = joined(vec![row(1, "a"), row(2, "b")]);
        assert!(sql.contains("own.column2, own.column3, common.column1"), "{sql}");
        assert_eq!(values.len(), 1 + 4 + 1);
        assert!(!joined(vec![[Value::from(1_i64)], [2_i64.into()]]).0.contains("common"));
        assert!(
            joined(vec![[Value::from(1_i64)]])
                .0
                .ends_with("(VALUES (0)) AS own WHERE own.column1 < ?")
        );
    }
}
