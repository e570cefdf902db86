//! Ten tenants, of which one floods: what is left for the others?
//!
//! - One has 50,000 deliveries pending. How late do the events of the nine others come, who publish 20 a
//!   second each?
//! - All have more pending than can be delivered in the time. How much does each of the nine get?

use std::collections::BTreeMap;

use webhook_registry::TenantId;

use crate::{
    Failure,
    fairness::{compare, of},
    latency::{Latency, now},
    latency_fixture::LatencyFixture,
    load::{Load, Publishing, every},
    options::Options,
    place::kind,
    report::{Report, Table},
};

/// How long a run lasts, in seconds, unless it was said.
const SECONDS: u64 = 20;

const OTHERS: usize = 9;
const FLOOD: usize = 50_000;

/// Endpoints among which the flood is spread: enough to fill all slots.
const ENDPOINTS: usize = 40;

/// What each of the others has pending, where all have more than can be delivered.
const ENOUGH: usize = 8_000;

/// The least of its fair part that each must get.
const LEAST: f64 = 0.5;

/// Measures both.
pub(crate) async fn measure(
    db: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let (without, with) = (late(db, options, false).await?, late(db, options, true).await?);
    let pair = ("nine tenants, one floods", of(&without, "other")?, of(&with, "other")?);
    compare(&format!("flood, {}, 1 run", kind(db)), kind(db), &[pair], report);
    parts(db, options, report).await?;
    Ok(())
}

fn tenant(number: usize) -> Result<TenantId, Failure> {
    Ok(format!("tenant-{number}").parse()?)
}

async fn flood(latency_fixture: &LatencyFixture, at: Option<u64>) -> Result<(), Failure> {
    let tenant = "flood".parse()?;
    for number in 0..ENDPOINTS {
        latency_fixture.listen(&tenant, "flood", &format!("flood.{number}")).await?;
    }
    let types: Vec<_> = (0..FLOOD).map(|number| format!("flood.{}", number % ENDPOINTS)).collect();
    latency_fixture.publish_backlog(&tenant, &types, at).await
}

async fn late(
    db: &str,
    options: &Options,
    with: bool,
) -> Result<BTreeMap<String, Latency>, Failure> {
    let latency_fixture = LatencyFixture::set(db, if with { "flooded" } else { "dry" }).await?;
    let mut loads = Vec::new();
    for number in 0..OTHERS {
        let tenant = tenant(number)?;
        latency_fixture.listen(&tenant, "other", "tick").await?;
        let by = Publishing::Call(latency_fixture.webhooks().clone());
        loads.push(Load { by, tenant, per_second: 20, event_type: every("tick") });
    }
    if with {
        flood(&latency_fixture, None).await?;
    }
    latency_fixture.play(loads, options.run(SECONDS)).await
}

/// What each tenant gets of the first seconds, when all have enough.
async fn parts(db: &str, options: &Options, report: &mut Report) -> Result<(), Failure> {
    let latency_fixture = LatencyFixture::set(db, "parts").await?;
    for number in 0..OTHERS {
        let tenant = tenant(number)?;
        latency_fixture.listen(&tenant, &format!("tenant-{number}"), "tick").await?;
        latency_fixture
            .publish_backlog(&tenant, &vec!["tick".to_owned(); ENOUGH], Some(now()))
            .await?;
    }
    flood(&latency_fixture, Some(now())).await?;
    let seen = latency_fixture.deliver(options.run(SECONDS).min(MAX_FLOOD_TIME)).await?;
    let counts: Vec<_> = (0..OTHERS)
        .map(|number| seen.get(&format!("tenant-{number}")).map_or(0, |it| it.count))
        .collect();
    let flooding = seen.get("flood").map_or(0, |it| it.count);
    let total: usize = counts.iter().sum::<usize>() + flooding;
    if counts.iter().any(|count| *count >= ENOUGH) {
        return Err("a tenant has nothing left to deliver: give it more, or less time".into());
    }
    let fair = total as f64 / (OTHERS + 1) as f64;
    let mut table = Table::new(format!("parts, {}, 1 run", kind(db)), &["delivered", "of fair"]);
    for (number, count) in counts.iter().enumerate() {
        table.row(format!("tenant {number}"), &[*count as f64, *count as f64 / fair.max(1.0)]);
    }
    table.row("who floods", &[flooding as f64, flooding as f64 / fair.max(1.0)]);
    report.add(table);
    let least = counts.iter().min().copied().unwrap_or_default() as f64 / fair.max(1.0);
    let what = format!("{}, flood: least part of the fair one", kind(db));
    report.at_least(what, least, LEAST);
    Ok(())
}

/// Maximum time of the flood: in a longer one, all deliveries would be made.
const MAX_FLOOD_TIME: std::time::Duration = std::time::Duration::from_secs(4);
