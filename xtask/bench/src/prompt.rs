//! How soon: from publish to receipt, and from the due time of a retry to its receipt.

use std::time::Duration;

use webhook_registry::{NewEndpoint, TenantId};

use crate::{
    Failure, Options,
    durable::commit,
    fairness::{kind, of},
    load::Load,
    report::{Goal, Report, Table},
    stage::Stage,
};

/// Events a second.
const RATE: u32 = 200;

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

pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    for db in options.databases() {
        on(&db, options, report).await?;
    }
    Ok(())
}

async fn on(db: &str, options: &Options, report: &mut Report) -> Result<(), Failure> {
    let commit = commit(db, if options.short { 20 } else { 2_000 }).await?;
    let stage = Stage::set(db, "prompt").await?;
    let tenant = TenantId::default();
    stage.listen(&tenant, "healthy", "tick").await?;
    for number in 0..REFUSING {
        let again = NewEndpoint::new(stage.url(&format!("again/{number}")));
        let again = again.events([format!("again.{number}")]);
        stage.register(again.retry("1s jitter 0%")).await?;
    }
    let load = |per_second, event_type| Load { tenant: tenant.clone(), per_second, event_type };
    let loads = vec![
        load(RATE, |_| "tick".to_owned()),
        load(RATE / 10, |n| format!("again.{}", n % REFUSING)),
    ];
    let seen = stage.play(loads, options.run).await?;
    let (first, late) = (of(&seen, "healthy")?, of(&seen, "again")?);

    let kind = kind(db);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let mut table = Table::new(
        format!("latency at {RATE}/s, {kind}"),
        &["count", "p50 ms", "p99 ms", "max ms"],
    );
    let row = |it: &crate::latency::Latency| [it.count as f64, ms(it.p50), ms(it.p99), ms(it.max)];
    table.row("one row, one commit", &row(&commit));
    table.row("publish to receipt", &row(&first));
    table.row("retry, after its due time", &row(&late));
    report.add(table);
    report.judge(Goal::at_most(format!("{kind}: p50, ms"), ms(first.p50), MOST_P50));
    report.judge(Goal::at_most(format!("{kind}: p99, ms"), ms(first.p99), MOST_P99));
    let commits = ms(first.p50) / ms(commit.p50).max(f64::EPSILON);
    report.judge(Goal::at_most(format!("{kind}: p50 in single commits"), commits, MOST_COMMITS));
    report.judge(Goal::at_most(
        format!("{kind}: retries late by, p99, ms"),
        ms(late.p99),
        MOST_LATE,
    ));
    Ok(())
}
