//! Statements inside one transaction.

pub(crate) mod open_tx;

use std::sync::Arc;

use sea_orm::{DbErr, Statement, Value};
use webhook_core::Timestamp;

use crate::db::{
    database::Database,
    dialect::repeated,
    fault::Fault,
    lists::{list, padded},
    row::Row,
    secret_columns::SecretColumns,
    sql::Sql,
    tx::open_tx::TxOptions,
};

/// Rows in one statement. The values of this many rows are below the limit of every database.
pub(crate) const ROWS_PER_STATEMENT: usize = 250;

/// An open transaction of one store, for statements written as templates.
#[derive(Debug)]
pub(crate) struct Tx {
    inner: open_tx::OpenTx,
    sql: Arc<Sql>,
    secrets: SecretColumns,
    /// True if an earlier run of the unit failed.
    is_retry: bool,
    /// Time at which a test stopped the clock.
    fixed_now: Option<Timestamp>,
}

impl Tx {
    pub(crate) async fn begin(
        database: &Database,
        options: TxOptions,
        is_retry: bool,
    ) -> Result<Self, Fault> {
        let sql = Arc::clone(&database.sql);
        let inner = database.pools.begin(sql.dialect.transaction(options.writes), options).await;
        let inner = inner.map_err(|error| Fault::of(sql.dialect, error))?;
        Ok(Self {
            inner,
            sql,
            secrets: database.secrets.clone(),
            is_retry,
            fixed_now: database.fixed_now(),
        })
    }

    pub(crate) async fn commit(self) -> Result<(), Fault> {
        let dialect = self.sql.dialect;
        self.inner.commit().await.map_err(|error| Fault::of(dialect, error).at_commit())
    }

    pub(crate) async fn rollback(self) {
        // It fails if the database has rolled back on its own; the pool handles such a connection.
        if let Err(error) = self.inner.rollback().await {
            tracing::debug!(%error, "could not roll back");
        }
    }

    /// Returns true if an earlier run of the unit failed. This run must look before it writes: it
    /// may not assume that rows are absent or unchanged.
    pub(crate) const fn is_retry(&self) -> bool {
        self.is_retry
    }

    /// The time by the database's clock, as an expression.
    pub(crate) fn clock(&self) -> String {
        let fixed = self.fixed_now.map(|now| now.as_unix_millis().to_string());
        fixed.unwrap_or_else(|| self.sql.dialect.now().to_owned())
    }

    /// The time by the database's clock.
    pub(crate) async fn now(&self) -> Result<Timestamp, Fault> {
        let row = self.one(&format!("SELECT {} AS now", self.clock()), []).await?;
        row.ok_or_else(|| Fault::corrupt("the database tells no time"))?.time("now")
    }

    /// Rows of a query.
    pub(crate) async fn all(
        &self,
        template: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, Fault> {
        let rows = self.inner.all(self.statement(template, values)).await;
        Ok(self.or_fault(rows)?.into_iter().map(Row::new).collect())
    }

    /// Rows of a query about many values, which replace `{in_list}`, a chunk of them in each
    /// statement.
    pub(crate) async fn all_of(
        &self,
        template: &str,
        many: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, Fault> {
        self.all_of_after(template, None, many).await
    }

    /// Like [`all_of`](Self::all_of), with `first` before the values of each statement.
    pub(crate) async fn all_of_after(
        &self,
        template: &str,
        first: Option<Value>,
        many: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, Fault> {
        let mut found = Vec::new();
        for some in many.into_iter().collect::<Vec<_>>().chunks(ROWS_PER_STATEMENT) {
            let (sql, values) = self.listing(template, some);
            found.extend(self.all(&sql, first.iter().cloned().chain(values)).await?);
        }
        Ok(found)
    }

    /// Runs a statement about many values, which replace `{in_list}`, a chunk of them in each
    /// statement, with `first` before them. Returns the number of rows that were changed.
    pub(crate) async fn run_of(
        &self,
        template: &str,
        first: Option<Value>,
        many: impl IntoIterator<Item = Value>,
    ) -> Result<u64, Fault> {
        let mut changed = 0;
        for some in many.into_iter().collect::<Vec<_>>().chunks(ROWS_PER_STATEMENT) {
            let (sql, values) = self.listing(template, some);
            changed += self.run(&sql, first.iter().cloned().chain(values)).await?;
        }
        Ok(changed)
    }

    /// First row of a query.
    pub(crate) async fn one(
        &self,
        template: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<Row>, Fault> {
        let row = self.inner.one(self.statement(template, values)).await;
        Ok(self.or_fault(row)?.map(Row::new))
    }

    /// Runs a statement, and returns the number of rows that it changed.
    pub(crate) async fn run(
        &self,
        template: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, Fault> {
        let done = self.inner.run(self.statement(template, values)).await;
        self.or_fault(done)
    }

    /// Runs a statement without values that cannot be prepared.
    pub(crate) async fn run_plain(&self, template: &str) -> Result<(), Fault> {
        let done = self.inner.run_plain(&self.sql.render(template)).await;
        self.or_fault(done)
    }

    /// A template with values for `{in_list}`.
    fn listing(&self, template: &str, values: &[Value]) -> (String, Vec<Value>) {
        if self.sql.dialect.has_lists() {
            return (template.replace("{in_list}", "= ANY(?)"), vec![list(values.to_vec())]);
        }
        let values = padded(values);
        let list = format!("IN ({})", repeated("?", values.len()));
        (template.replace("{in_list}", &list), values)
    }

    pub(crate) fn sql(&self) -> &Sql {
        &self.sql
    }

    /// Seals and opens the columns that hold secrets.
    pub(crate) const fn secrets(&self) -> &SecretColumns {
        &self.secrets
    }

    fn statement(&self, template: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        let sql = self.sql.render(template);
        #[cfg(test)]
        self.sql.logged.lock().map(|mut logged| logged.insert(sql.clone())).ok();
        Statement::from_sql_and_values(self.sql.dialect.backend(), sql, values)
    }

    fn or_fault<T>(&self, result: Result<T, DbErr>) -> Result<T, Fault> {
        result.map_err(|error| Fault::of(self.sql.dialect, error))
    }
}
