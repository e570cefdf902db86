//! Calls that are given up, at every point where they may be, and what is left of them.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::{Duration, Instant},
};

use sea_orm::{ConnectionTrait as _, DatabaseConnection, Statement};
use webhook_core::{
    Timestamp,
    store::{DeliveryLog as _, Enqueue, Store as _},
};
use webhook_store_seaorm::SeaOrmStore;

use super::{event, place::Place};

/// Polls after each of which others have a turn: whoever does the work is a bit further at each.
const TURNS: usize = 6;

/// More points than any call has.
const MAX_CUT_POINTS: usize = 1_000;

/// How long work may go on without its caller.
const MINUTE: Duration = Duration::from_secs(60);

const TABLES: [&str; 9] = [
    "tenants",
    "endpoints",
    "events",
    "deliveries",
    "ordered_endpoints",
    "ordered_deliveries",
    "attempts",
    "notices",
    "counters",
];

/// A point at which a call is given up.
#[derive(Clone, Copy, Debug)]
pub enum Cut {
    /// It is polled so often, whenever it is woken: it is given up wherever it waits.
    Woken(usize),
    /// It is polled so often, with turns for others in between.
    InTurn(usize),
}

impl Cut {
    pub fn in_turn() -> impl Iterator<Item = Self> {
        (1..=TURNS).map(Self::InTurn)
    }

    /// Gives up what `call` begins at each point, the last of which it does not reach.
    pub async fn everywhere(mut call: impl AsyncFnMut(Self) -> bool) {
        for polls in 0..MAX_CUT_POINTS {
            if call(Self::Woken(polls)).await {
                break;
            }
        }
        for cut in Self::in_turn() {
            call(cut).await;
        }
    }

    /// Whether the call is not even begun.
    pub const fn is_before(self) -> bool {
        matches!(self, Self::Woken(0) | Self::InTurn(0))
    }

    /// Polls `call` up to this point, and drops it. Answers whether it had come to its end.
    pub async fn short<T>(self, call: impl Future<Output = T>) -> bool {
        let mut call = pin!(call);
        match self {
            Self::Woken(0) => false,
            Self::Woken(mut left) => {
                poll_fn(|context| {
                    left -= 1;
                    match call.as_mut().poll(context) {
                        Poll::Ready(_) => Poll::Ready(true),
                        Poll::Pending if left == 0 => Poll::Ready(false),
                        Poll::Pending => Poll::Pending,
                    }
                })
                .await
            }
            Self::InTurn(polls) => {
                for _ in 0..polls {
                    let poll = poll_fn(|cx| Poll::Ready(call.as_mut().poll(cx).is_ready()));
                    if poll.await {
                        return true;
                    }
                    tokio::task::yield_now().await;
                }
                false
            }
        }
    }
}

/// All rows of all tables at one moment.
pub type State = Vec<String>;

/// A store of a single connection, and what others see of it.
#[derive(Clone)]
pub struct Watched {
    pub store: SeaOrmStore,
    /// Another process, which prepares what is there before each call.
    pub other: SeaOrmStore,
    outside: DatabaseConnection,
    question: String,
    number: Arc<AtomicU64>,
}

impl Watched {
    /// Both stores have their clocks stopped, so that equal calls write equal rows.
    pub async fn new(place: &Place, now: Timestamp) -> Self {
        let other = place.open().await;
        let store = narrow(place).await;
        other.set_clock(now);
        store.set_clock(now);
        // Once, whatever a first call does besides.
        store.backlog().await.unwrap();
        let outside = place.connect().await;
        outside.execute_unprepared("CREATE TABLE beside (number BIGINT)").await.unwrap();
        let question = question(place, &outside).await;
        Self { store, other, outside, question, number: Arc::default() }
    }

    /// The same, with another store in its place.
    pub fn with(&self, store: SeaOrmStore) -> Self {
        Self { store, ..self.clone() }
    }

    /// Removes every row.
    pub async fn empty(&self) {
        let delete = TABLES.map(|table| format!("DELETE FROM webhook_{table};")).concat();
        self.outside.execute_unprepared(&format!("BEGIN; {delete} COMMIT")).await.unwrap();
    }

    /// All rows, as another program sees them in one statement.
    pub async fn state(&self) -> State {
        let mut state = strings(&self.outside, &self.question).await;
        state.sort();
        state
    }

    /// The state as soon as it is `end`; until then it is one of `before`.
    pub async fn settles(&self, before: &[&State], end: &State, what: &str) {
        let began = Instant::now();
        loop {
            let state = self.state().await;
            if state == *end {
                return;
            }
            assert!(before.contains(&&state), "{what}: half of it is there: {state:#?}");
            assert!(began.elapsed() < MINUTE, "{what}: it did not go on without its caller");
        }
    }

    /// The next query of the store's pool runs outside of any transaction: others see at once what it
    /// writes.
    pub async fn assert_outside_a_transaction(&self, what: &str) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let insert = format!("INSERT INTO beside VALUES ({number})");
        self.store.connection().execute_unprepared(&insert).await.unwrap();
        let found = format!("SELECT 'there' AS line FROM beside WHERE number = {number}");
        let found = strings(&self.outside, &found).await;
        assert_eq!(found, ["there"], "{what}: the next query ran inside a transaction");
    }

    /// The next call that reads sees what others have written since.
    pub async fn assert_sees_others(&self, what: &str) {
        let number = 1_000_000 + u128::from(self.number.fetch_add(1, Ordering::Relaxed));
        self.other.enqueue(vec![Enqueue::unrouted(event(number))]).await.unwrap();
        let seen = self.store.event(event(number).id).await.unwrap();
        assert!(seen.is_some(), "{what}: the next call read inside an old transaction");
    }
}

/// A store with a single connection, on which each call stands in line behind the one before.
pub async fn narrow(place: &Place) -> SeaOrmStore {
    SeaOrmStore::builder(&place.url).pool_size(1).connect().await.unwrap()
}

/// Asks for all rows of all tables, each as one text.
async fn question(place: &Place, connection: &DatabaseConnection) -> String {
    let mut selects = Vec::new();
    for table in TABLES.map(|table| format!("webhook_{table}")) {
        let line = if place.is("postgres") {
            format!("CAST({table} AS TEXT)")
        } else {
            let columns = strings(connection, &columns(place, &table)).await;
            let texts = columns.iter().map(|column| text(place, column)).collect::<Vec<_>>();
            format!("CONCAT_WS(' ', {})", texts.join(", "))
        };
        selects.push(format!("SELECT CONCAT('{table} ', {line}) AS line FROM {table}"));
    }
    selects.join(" UNION ALL ")
}

fn columns(place: &Place, table: &str) -> String {
    if place.is("sqlite") {
        return format!("SELECT name AS line FROM pragma_table_info('{table}')");
    }
    format!(
        "SELECT CAST(column_name AS CHAR) AS line FROM information_schema.columns \
         WHERE table_schema = '{}' AND table_name = '{table}' ORDER BY ordinal_position",
        place.name
    )
}

fn text(place: &Place, column: &str) -> String {
    if place.is("sqlite") {
        format!("quote({column})")
    } else {
        format!("COALESCE(HEX({column}), '-')")
    }
}

async fn strings(connection: &DatabaseConnection, sql: &str) -> Vec<String> {
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "line").unwrap()).collect()
}
