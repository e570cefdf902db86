//! Millions of deliveries, by a few statements.

use webhook_registry::{
    NewEndpoint, Webhooks,
    database::sea_orm::{
        ConnectOptions, ConnectionTrait as _, Database, DatabaseConnection, Statement,
    },
};

use crate::{
    Failure,
    fixture::{Fixture, transport},
    place::is_postgres,
};

/// Deliveries of one event.
const FAN_OUT: usize = 10;

/// Time of everything that is filled in, in milliseconds of Unix time.
const PAST_AT_MS: i64 = 1_700_000_000_000;
/// Due time of pending deliveries, which no run reaches.
const FAR_DUE_AT_MS: i64 = 4_000_000_000_000;

/// Stores so many finished deliveries with their attempts, and so many pending ones.
pub(super) async fn fill(
    fixture: &Fixture,
    finished: usize,
    pending: usize,
) -> Result<(), Failure> {
    let words = Words::of(&fixture.kind);
    pause_some(fixture).await?;
    // One connection, so that what is set for it holds.
    let mut options = ConnectOptions::new(fixture.place.url());
    options.max_connections(1);
    let database = Database::connect(options).await?;
    let indexes =
        if is_postgres(&fixture.kind) { drop_indexes(&database).await? } else { Vec::new() };
    let (done, half) = (finished / FAN_OUT, pending / FAN_OUT / 2);
    for sql in [
        words.events(1, done + 2 * half),
        words.deliveries(1, done, &Kind::FINISHED),
        words.deliveries(done + 1, done + half, &Kind::DUE_FAR_AHEAD),
        words.deliveries(done + half + 1, done + 2 * half, &Kind::PAUSED),
        words.attempts(),
    ] {
        database.execute_unprepared(&sql).await?;
    }
    for sql in indexes.iter().map(String::as_str).chain(words.settle.iter().copied()) {
        database.execute_unprepared(sql).await?;
    }
    Ok(database.close().await?)
}

/// Registers endpoints that want nothing else, and pauses them.
async fn pause_some(fixture: &Fixture) -> Result<(), Failure> {
    let builder = Webhooks::builder().store(fixture.place.store().await?).transport(transport()?);
    let webhooks = builder.build()?;
    for number in 0..FAN_OUT {
        let endpoint = NewEndpoint::new(fixture.receiver.url("paused"));
        let added = webhooks.add_endpoint(endpoint.events([format!("paused.{number}")])).await?;
        webhooks.operator().pause_endpoint(added.endpoint.id).await?;
    }
    Ok(())
}

/// Drops all indexes but the keys, and answers what makes them anew: that is faster than to keep them up.
async fn drop_indexes(database: &DatabaseConnection) -> Result<Vec<String>, Failure> {
    let sql = "SELECT indexname AS name, indexdef AS definition FROM pg_indexes \
               WHERE schemaname = current_schema() AND indexname NOT LIKE '%_pkey'";
    let backend = database.get_database_backend();
    let mut indexes = vec!["SET maintenance_work_mem = '512MB'".to_owned()];
    for row in database.query_all_raw(Statement::from_string(backend, sql)).await? {
        let name: String = row.try_get("", "name")?;
        database.execute_unprepared(&format!("DROP INDEX {name}")).await?;
        indexes.push(row.try_get("", "definition")?);
    }
    Ok(indexes)
}

/// Deliveries of one kind.
struct Kind {
    status: &'static str,
    /// Of which endpoints: in this state, and of those every how manieth, one after the other.
    state: &'static str,
    every: &'static str,
    attempts: u8,
    due_at: Option<i64>,
}

impl Kind {
    const FINISHED: Self = Self {
        status: "success",
        state: "active",
        every: "WHERE e.place % 10 = g.n % 10",
        attempts: 1,
        due_at: None,
    };
    const DUE_FAR_AHEAD: Self =
        Self { status: "pending", attempts: 0, due_at: Some(FAR_DUE_AT_MS), ..Self::FINISHED };
    const PAUSED: Self =
        Self { state: "paused", every: "", due_at: Some(PAST_AT_MS), ..Self::DUE_FAR_AHEAD };
}

/// What each database says in words of its own.
struct Words {
    /// The numbers from `{from}` to `{to}`, as `g (n)`.
    numbers: &'static str,
    /// The identifier with the number `g.n`.
    id: &'static str,
    /// A body of some bytes.
    body: &'static str,
    /// No bytes.
    nothing: &'static str,
    /// What has to be done once all is there.
    settle: &'static [&'static str],
}

impl Words {
    fn of(kind: &str) -> Self {
        match kind {
            "sqlite" => Self {
                numbers: "(WITH RECURSIVE c (n) AS (SELECT {from} UNION ALL SELECT n + 1 FROM c \
                          WHERE n < {to}) SELECT n FROM c) AS g",
                id: "unhex(printf('%032x', g.n))",
                body: "zeroblob(200)",
                nothing: "x''",
                settle: &["ANALYZE"],
            },
            "mysql" | "mariadb" => Self {
                numbers: "(SELECT seq AS n FROM seq_{from}_to_{to}) AS g",
                id: "UNHEX(LPAD(HEX(g.n), 32, '0'))",
                body: "REPEAT('x', 200)",
                nothing: "x''",
                settle: &["ANALYZE TABLE webhook_events, webhook_deliveries, webhook_attempts"],
            },
            _ => Self {
                numbers: "generate_series({from}, {to}) AS g (n)",
                id: "CAST(lpad(to_hex(g.n), 32, '0') AS uuid)",
                body: "CAST(repeat('x', 200) AS bytea)",
                nothing: "''",
                // What would be done meanwhile is done before, or it would be measured.
                settle: &["VACUUM (ANALYZE)", "CHECKPOINT"],
            },
        }
    }

    fn numbers(&self, from: usize, to: usize) -> String {
        self.numbers.replace("{from}", &from.to_string()).replace("{to}", &to.to_string())
    }

    fn events(&self, from: usize, to: usize) -> String {
        format!(
            "INSERT INTO webhook_events (id, event_type, body, created_at, route_due_at) \
             SELECT {}, 'old', {}, {PAST_AT_MS} + g.n, NULL FROM {}",
            self.id,
            self.body,
            self.numbers(from, to)
        )
    }

    /// One for every finished delivery.
    fn attempts(&self) -> String {
        format!(
            "INSERT INTO webhook_attempts (event_id, endpoint_id, number, triggered_by, epoch, \
             started_at, duration_ms, status, response_body) \
             SELECT event_id, endpoint_id, 1, 'first', 1, created_at, 1, 200, {} FROM webhook_deliveries \
             WHERE status = 'success'",
            self.nothing
        )
    }

    fn deliveries(&self, from: usize, to: usize, kind: &Kind) -> String {
        let Kind { status, state, every, attempts, due_at } = kind;
        let due_at = due_at.map_or_else(|| "NULL".to_owned(), |at| format!("{at} + g.n"));
        let finished_at =
            if *attempts > 0 { format!("{PAST_AT_MS} + g.n") } else { "NULL".to_owned() };
        format!(
            "INSERT INTO webhook_deliveries (event_id, endpoint_id, tenant, event_type, status, epoch, \
             attempts, recorded, due_at, created_at, finished_at) \
             SELECT {}, e.id, 'default', 'old', '{status}', {attempts}, {attempts}, {attempts}, {due_at}, \
             {PAST_AT_MS} + g.n, {finished_at} FROM {} CROSS JOIN (SELECT id, ROW_NUMBER() OVER (ORDER BY id) \
             AS place FROM webhook_endpoints WHERE state = '{state}') AS e {every}",
            self.id,
            self.numbers(from, to)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_made_from_the_first_to_the_last() {
        assert_eq!(Words::of("postgres").numbers(3, 7), "generate_series(3, 7) AS g (n)");
        let sql = Words::of("mariadb").deliveries(1, 2, &Kind::PAUSED);
        assert!(sql.contains("seq_1_to_2") && sql.contains("'paused'"), "{sql}");
    }
}
