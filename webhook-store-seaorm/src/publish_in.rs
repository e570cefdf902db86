//! Publishing inside a transaction of the caller's own: the event commits with the business row, or
//! not at all.

mod transaction;

use std::time::SystemTime;

use sea_orm::{DbErr, Statement, Value};
use uuid::Uuid;
use webhook_core::{Event, EventId, NewEvent, StoreError, Timestamp, error::InvalidEvent};

use crate::{
    db::{
        fault::Fault,
        row::{Row, ToValue},
    },
    store::SeaOrmStore,
    work::enqueue::{EVENT_COLUMNS, EventIdentity, event_values},
};

pub use transaction::CallersTransaction;

impl SeaOrmStore {
    /// Stores an event inside a transaction that the caller has open: one row, committed with
    /// whatever else the transaction does, or not at all. A worker routes it to the endpoints after
    /// the commit, at its next poll. `Webhooks::wake` saves that wait in its own process; workers in
    /// others poll, on PostgreSQL too: nothing of this sends a `NOTIFY`.
    ///
    /// Takes `&transaction` of SeaORM and, with the feature `sqlx`, `&mut transaction` of sqlx, of the
    /// database that this store is in, at any isolation level. It speaks through that transaction
    /// alone and needs no connection of the store's own.
    ///
    /// Answers the id of the event: that of the first one, when an event of the same tenant, type and
    /// body was published before under this id or key.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let url = format!("sqlite://{}/a.db?mode=rwc", folder.path().display());
    /// # let url = url.as_str();
    /// use webhook_core::NewEvent;
    /// use webhook_store_seaorm::{SeaOrmStore, sea_orm};
    /// use sea_orm::{ConnectionTrait, TransactionTrait};
    ///
    /// # let store = SeaOrmStore::connect(url).await?;
    /// # store.migrate().await?;
    /// let database = sea_orm::Database::connect(url).await?;
    /// # database.execute_unprepared("CREATE TABLE invoices (id INTEGER PRIMARY KEY)").await?;
    /// let transaction = database.begin().await?;
    /// transaction.execute_unprepared("INSERT INTO invoices VALUES (42)").await?;
    /// let event = NewEvent::new("invoice.paid", r#"{"invoice":42}"#)?;
    /// store.publish_in(&transaction, event).await?;
    /// transaction.commit().await?;
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "sqlite"))]
    /// # fn main() {}
    /// ```
    ///
    /// A connection without a transaction is refused by the compiler:
    ///
    /// ```compile_fail,E0277
    /// # async fn outside(store: webhook_store_seaorm::SeaOrmStore, event: webhook_core::NewEvent) {
    /// let database = webhook_store_seaorm::sea_orm::Database::connect("sqlite::memory:").await.unwrap();
    /// store.publish_in(&database, event).await.unwrap();
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`PublishInError`]. After [`Store`](PublishInError::Store) the transaction may be broken: roll
    /// it back and begin it anew.
    pub async fn publish_in(
        &self,
        transaction: impl CallersTransaction,
        event: NewEvent,
    ) -> Result<EventId, PublishInError> {
        event.check_size(self.inner.max_body)?;
        if transaction.backend() != self.inner.database.sql.dialect.backend() {
            return Err(PublishInError::OtherDatabase);
        }
        let mut named_by_caller = true;
        let new_id = || {
            named_by_caller = false;
            EventId::from_uuid(Uuid::now_v7())
        };
        // When it happened, unless it says so. What is due when goes by the database's clock.
        let event = event.into_event(new_id, Timestamp::from(SystemTime::now()));
        let mut joined = JoinedTransaction { store: self, transaction };
        joined.insert(&event).await?;
        if named_by_caller || event.key.is_some() {
            joined.first(&event).await
        } else {
            Ok(event.id)
        }
    }
}

/// An event was not published inside the caller's transaction.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishInError {
    /// It is no event: correct it.
    #[error(transparent)]
    Invalid(#[from] InvalidEvent),
    /// Another event has its id or key, and another tenant, type or body: this one.
    #[error("another event has this id or key and a different body: event {0}")]
    Conflict(EventId),
    /// The transaction is one of another kind of database than the store's.
    #[error("the transaction belongs to another kind of database than the store")]
    OtherDatabase,
    /// The database refused it.
    #[error("the event was not stored; roll the transaction back and begin it anew")]
    Store(#[source] StoreError),
}

impl From<Fault> for PublishInError {
    fn from(fault: Fault) -> Self {
        Self::Store(fault.into_error())
    }
}

/// A transaction of the caller, with the store whose statements run in it.
struct JoinedTransaction<'a, T> {
    store: &'a SeaOrmStore,
    transaction: T,
}

impl<T: CallersTransaction> JoinedTransaction<'_, T> {
    /// Writes before it reads: a transaction of SQLite that has read may no longer become a writer
    /// when another has written meanwhile. A row that is there already stays.
    async fn insert(&mut self, event: &Event) -> Result<(), Fault> {
        let now = self.store.inner.database.now();
        let sql = format!(
            "INSERT INTO {{events}} ({EVENT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, {now}, {now}) \
             {{keep_first_event}}"
        );
        let statement = self.statement(&sql, event_values(event));
        let done = self.transaction.execute(statement).await;
        self.or_fault(done)
    }

    /// Whose the id or the key is: this event's, or that of an earlier one.
    async fn first(&mut self, event: &Event) -> Result<EventId, PublishInError> {
        let mut stored = self.find("id = ?", [event.id.to_value()]).await?;
        if let (None, Some(key)) = (&stored, &event.key) {
            let values = [event.tenant.to_value(), key.as_str().into()];
            stored = self.find("tenant = ? AND event_key = ?", values).await?;
        }
        let (id, first) = stored.ok_or_else(|| Fault::corrupt("the event is not there"))?;
        if first == EventIdentity::of(event) { Ok(id) } else { Err(PublishInError::Conflict(id)) }
    }

    /// Locks nothing where it need not: whoever only publishes may not lock events on PostgreSQL.
    async fn find<const N: usize>(
        &mut self,
        condition: &str,
        values: [Value; N],
    ) -> Result<Option<(EventId, EventIdentity)>, Fault> {
        let sql = format!(
            "SELECT id, tenant, event_type, body FROM {{events}} WHERE {condition} {{as_of_now}}"
        );
        let statement = self.statement(&sql, values);
        let row = self.transaction.first_row(statement).await;
        let row = self.or_fault(row)?.map(Row::new);
        row.map(|row| Ok((row.event("id")?, EventIdentity::read(&row)?))).transpose()
    }

    fn statement<const N: usize>(&self, template: &str, values: [Value; N]) -> Statement {
        let sql = &self.store.inner.database.sql;
        Statement::from_sql_and_values(sql.dialect.backend(), sql.render(template), values)
    }

    fn or_fault<A>(&self, answer: Result<A, DbErr>) -> Result<A, Fault> {
        answer.map_err(|error| Fault::of(self.store.inner.database.sql.dialect, error))
    }
}
