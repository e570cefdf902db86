//! Somebody else holds rows, or the one lock of a file, for ten seconds.

use std::time::Duration;

use tokio::time::sleep;
use webhook_registry::database::sea_orm::{ConnectOptions, ConnectionTrait as _, Database};

use super::traffic::Traffic;
use crate::{
    Outcome,
    fixture::{Fixture, Site},
    ledger::now,
    options::Db,
    verdict::Verdict,
};

const HELD: Duration = Duration::from_secs(10);

pub(super) async fn play(site: &Site, fixture: &mut Fixture) -> Outcome<Verdict> {
    let mut traffic = Traffic::start(site, fixture, Duration::from_secs(10)).await?;
    // One connection, or its statements would be spread over several.
    let mut one = ConnectOptions::new(fixture.url());
    let holder = Database::connect(one.max_connections(1).clone()).await?;
    let prefix = fixture.prefix();
    let lock = match site.db {
        Db::Sqlite => {
            // Traffic has the lock most of the time.
            holder.execute_unprepared("PRAGMA busy_timeout = 60000").await?;
            "BEGIN IMMEDIATE".to_owned()
        }
        // Else MariaDB locks as well what is not there yet.
        Db::MySql => {
            let level = "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED";
            holder.execute_unprepared(level).await?;
            format!("BEGIN; SELECT * FROM {prefix}deliveries FOR UPDATE")
        }
        Db::Postgres => format!(
            "BEGIN; SELECT count(*) FROM (SELECT 1 FROM {prefix}deliveries FOR UPDATE) AS held"
        ),
    };
    let begin = now();
    holder.execute_unprepared(&lock).await?;
    let held = now();
    sleep(HELD).await;
    let accepted = traffic.accepted_since(fixture, held)?;
    holder.execute_unprepared("ROLLBACK").await?;
    holder.close().await?;
    let recovery = traffic.recover(fixture, begin).await?;
    let mut verdict = traffic.end(fixture).await?;
    verdict.remark(format!("{accepted} events accepted meanwhile"));
    // Who publishes touches no row that is there already.
    verdict.demand_in_time(site.db == Db::Sqlite || accepted > 0, || {
        "nobody could publish beside a row that was held".to_owned()
    });
    recovery.judge(&mut verdict);
    Ok(verdict)
}
