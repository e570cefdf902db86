//! How soon: from publish to receipt, and from the due time of a retry to its receipt.

mod outbox;

use std::sync::Arc;

use webhook_registry::{NewEndpoint, TenantId};

use crate::{
    Failure,
    durable::commit,
    fairness::of,
    latency_fixture::LatencyFixture,
    load::{Load, Publishing, every},
    options::Options,
    place::{is_postgres, kind},
    report::{Report, Table, ms},
};

/// Events a second.
const RATE: u32 = 200;

/// How long a run lasts, in seconds, unless it was said.
const SECONDS: u64 = 15;

/// Endpoints that refuse each event once: so many that none of them fails so often in a row that it is left
/// alone.
const REFUSING: usize = 20;

/// What half of them, and nearly all, may take at most, in milliseconds.
const MOST_P50: f64 = 1.5;
const MOST_P99: f64 = 5.0;

/// How many single commits of the same database half of them may take at most.
const MOST_COMMITS: f64 = 5.0;

/// How late a retry may be, in milliseconds.
const MOST_LATE: f64 = 50.0;

pub(crate) async fn measure(
    db: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    on(db, options, report).await?;
    if is_postgres(db) || options.short {
        outbox::measure(db, options, report).await?;
    }
    Ok(())
}

async fn on(db: &str, options: &Options, report: &mut Report) -> Result<(), Failure> {
    let commit = commit(db, options.size(2_000, 20)).await?;
    let latency_fixture = LatencyFixture::set(db, "prompt").await?;
    let tenant = TenantId::default();
    latency_fixture.listen(&tenant, "healthy", "tick").await?;
    for number in 0..REFUSING {
        let again = NewEndpoint::new(latency_fixture.url(&format!("again/{number}")));
        let again = again.events([format!("again.{number}")]);
        latency_fixture.register(again.retry("1s jitter 0%")).await?;
    }
    let by = Publishing::Call(latency_fixture.webhooks().clone());
    let load = |per_second, event_type| {
        let (by, tenant) = (by.clone(), tenant.clone());
        Load { by, tenant, per_second, event_type }
    };
    let loads = vec![
        load(RATE, every("tick")),
        load(RATE / 10, Arc::new(|n| format!("again.{}", n % REFUSING))),
    ];
    let seen = latency_fixture.play(loads, options.run(SECONDS)).await?;
    let (first, late) = (of(&seen, "healthy")?, of(&seen, "again")?);

    let kind = kind(db);
    let mut table = Table::of_latencies(format!("latency at {RATE}/s, {kind}, 1 run"));
    table.latency("one row, one commit", &commit);
    table.latency("publish to receipt", &first);
    table.latency("retry, after its due time", &late);
    report.add(table);
    report.at_most(format!("{kind}, publish to receipt: p50, ms"), ms(first.p50), MOST_P50);
    report.at_most(format!("{kind}, publish to receipt: p99, ms"), ms(first.p99), MOST_P99);
    let commits = ms(first.p50) / ms(commit.p50).max(f64::EPSILON);
    report.at_most(
        format!("{kind}, publish to receipt: p50, single commits"),
        commits,
        MOST_COMMITS,
    );
    report.at_most(format!("{kind}, retry after its due time: p99, ms"), ms(late.p99), MOST_LATE);
    Ok(())
}
