//! The database answers, and refuses: it is read-only, or the password is another.

use std::{path::Path, time::Duration};

use tokio::time::{Instant, sleep};
use webhook_registry::database::SeaOrmStore;
use webhook_store_seaorm::ConnectError;
use xtask_servers::Protected;

use super::{
    CHILD_DEADLINE, REFUSAL,
    traffic::{Knocks, Traffic},
};
use crate::{
    Outcome,
    fixture::{Fixture, Site},
    ledger::now,
    options::{Db, Options},
    verdict::Verdict,
};

const LIMIT: Duration = Duration::from_secs(10);

const PASSWORD: &str = "geheim-1";
const WRONG: &str = "falsch-2";

/// What is said while it refuses, and when it does not any more.
struct Refusing<'a> {
    begin: &'a [&'a str],
    end: &'a [&'a str],
}

pub(super) async fn read_only(
    site: &Site,
    fixture: &mut Fixture,
    options: &Options,
) -> Outcome<Verdict> {
    match site.db {
        Db::Sqlite => return read_only_file(site, fixture, options).await,
        Db::Postgres => {
            let set = |value| format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
            let reload = "SELECT pg_reload_conf()";
            let refusing = Refusing { begin: &[&set("on"), reload], end: &[&set("off"), reload] };
            let url = fixture.url().to_owned();
            play(site, fixture, &url, &refusing, options).await
        }
        Db::MySql => {
            // An administrator is exempt.
            site.sql("DROP USER IF EXISTS reader_not_writer").await?;
            site.sql("CREATE USER reader_not_writer IDENTIFIED BY 'geheim-1'").await?;
            grant(site, "reader_not_writer").await?;
            let url = as_user(fixture.url(), "reader_not_writer", PASSWORD)?;
            let refusing = Refusing {
                begin: &["SET GLOBAL read_only = 1"],
                end: &["SET GLOBAL read_only = 0"],
            };
            play(site, fixture, &url, &refusing, options).await
        }
    }
}

/// A worker that finds a file which nobody may write, and later everybody.
async fn read_only_file(site: &Site, fixture: &mut Fixture, options: &Options) -> Outcome<Verdict> {
    let mut traffic = Traffic::start(site, fixture, LIMIT).await?;
    fixture.receiver().order("delay 500").await?;
    sleep(Duration::from_millis(500)).await;
    fixture.kill(&mut traffic.worker).await?;
    traffic.stop_publishing(fixture).await?;
    let begin = now();
    let file = fixture.url().trim_start_matches("sqlite://").trim_end_matches("?mode=rwc");
    let protected = Protected::new(Path::new(file))?;
    traffic.worker = fixture.working(&[]).await?;
    let knocks = Knocks::count(&traffic, fixture, window(options)).await?;
    drop(protected);
    fixture.receiver().order("delay 10").await?;
    let failures = traffic.failures(fixture)?;
    traffic.publish_again(fixture)?;
    let recovery = traffic.recover(fixture, begin).await?;
    let mut verdict = traffic.end(fixture).await?;
    verdict.demand_in_time(failures > 0, || "the worker could write".to_owned());
    knocks.judge(&mut verdict);
    recovery.judge(&mut verdict);
    Ok(verdict)
}

pub(super) async fn password(
    site: &Site,
    fixture: &mut Fixture,
    options: &Options,
) -> Outcome<Verdict> {
    let user = match site.db {
        Db::Sqlite => return Err("a file has no users".into()),
        Db::Postgres => {
            for (user, way) in [("with_md5", "md5"), ("with_scram", "scram-sha-256")] {
                site.sql(&format!("DROP ROLE IF EXISTS {user}")).await?;
                let create = format!("CREATE ROLE {user} SUPERUSER LOGIN PASSWORD '{PASSWORD}'");
                site.sql(&format!("SET password_encryption = '{way}'; {create}")).await?;
                check_password(fixture, user).await?;
            }
            "with_scram"
        }
        Db::MySql => {
            let user = "with_password";
            site.sql(&format!("DROP USER IF EXISTS {user}")).await?;
            let native = format!("VIA mysql_native_password USING PASSWORD('{PASSWORD}')");
            site.sql(&format!("CREATE USER {user} IDENTIFIED {native}")).await?;
            grant(site, user).await?;
            check_password(fixture, user).await?;
            user
        }
    };
    let (change, cut) = match site.db {
        Db::Postgres => (
            format!("ALTER ROLE {user} PASSWORD "),
            format!(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'"
            ),
        ),
        _ => (format!("ALTER USER {user} IDENTIFIED BY "), format!("KILL USER {user}")),
    };
    let refusing = Refusing {
        begin: &[&format!("{change}'{WRONG}'"), &cut],
        end: &[&format!("{change}'{PASSWORD}'")],
    };
    let url = as_user(fixture.url(), user, PASSWORD)?;
    play(site, fixture, &url, &refusing, options).await
}

/// The right password opens the database, and the wrong one is told without a part of it.
async fn check_password(fixture: &Fixture, user: &str) -> Outcome {
    SeaOrmStore::connect(&as_user(fixture.url(), user, PASSWORD)?).await?.close().await;
    let opened = SeaOrmStore::connect(&as_user(fixture.url(), user, WRONG)?).await;
    let Err(error) = opened else { return Err(format!("{user} needs no password").into()) };
    let text = format!("{error} {error:?}");
    let said = matches!(error, ConnectError::Denied { .. })
        && text.contains("check user name, password and rights")
        && !text.contains("falsch");
    if said { Ok(()) } else { Err(text.into()) }
}

/// Takes what a worker and a publisher need, and no rights of an administrator.
async fn grant(site: &Site, user: &str) -> Outcome {
    site.sql(&format!("GRANT SELECT, INSERT, UPDATE, DELETE ON *.* TO {user}")).await
}

fn as_user(url: &str, user: &str, password: &str) -> Outcome<String> {
    let (scheme, rest) = url.split_once("://").ok_or("no URL")?;
    let (_, host) = rest.split_once('@').ok_or("a URL without a user")?;
    Ok(format!("{scheme}://{user}:{password}@{host}"))
}

const fn window(options: &Options) -> Duration {
    Duration::from_secs(if options.short { 5 } else { 20 })
}

/// A worker alone with a database that refuses; then it does not any more.
async fn play(
    site: &Site,
    fixture: &mut Fixture,
    url: &str,
    refusing: &Refusing<'_>,
    options: &Options,
) -> Outcome<Verdict> {
    let mut traffic = Traffic::start_at(site, fixture, url, LIMIT).await?;
    fixture.receiver().order("delay 500").await?;
    sleep(Duration::from_millis(500)).await;
    let begin = now();
    for sql in refusing.begin {
        site.sql(sql).await?;
    }
    let refused = Instant::now();
    while !traffic.complaints(fixture)?.contains(REFUSAL) {
        if refused.elapsed() > CHILD_DEADLINE {
            return Err(format!("no refusal: {}", traffic.complaints(fixture)?).into());
        }
        sleep(Duration::from_millis(50)).await;
    }
    let told = refused.elapsed();
    sleep(Duration::from_secs(1)).await;
    traffic.stop_publishing(fixture).await?;
    let knocks = Knocks::count(&traffic, fixture, window(options)).await?;
    for sql in refusing.end {
        site.sql(sql).await?;
    }
    fixture.receiver().order("delay 10").await?;
    traffic.publish_again(fixture)?;
    let recovery = traffic.recover(fixture, begin).await?;
    let mut verdict = traffic.end(fixture).await?;
    verdict.remark(format!("told after {:.1} s", told.as_secs_f64()));
    knocks.judge(&mut verdict);
    recovery.judge(&mut verdict);
    Ok(verdict)
}
