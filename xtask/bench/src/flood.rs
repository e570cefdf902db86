//! Ten tenants, of which one floods: what is left for the others?
//!
//! - One has 50,000 deliveries pending. How late do the events of the nine others come, who publish 20 a
//!   second each?
//! - All have more pending than can be delivered in the time. How much does each of the nine get?

use std::{collections::BTreeMap, time::Duration};

use webhook_registry::TenantId;

use crate::{
    Failure, Options,
    fairness::{compare, kind, of},
    latency::{Latency, now},
    load::Load,
    stage::Stage,
};

const OTHERS: usize = 9;
const FLOOD: usize = 50_000;

/// Endpoints among which the flood is spread: enough to fill all slots.
const ENDPOINTS: usize = 40;

/// What each of the others has pending, where all have more than can be delivered.
const ENOUGH: usize = 8_000;

/// The least of its fair part that each must get.
const LEAST: f64 = 0.5;

/// Measures both, prints them, and answers whether they are as promised.
pub(crate) async fn measure(options: &Options) -> Result<bool, Failure> {
    println!("database {}, {} s a run", kind(&options.db), options.run.as_secs());
    println!("{:<34} {:>8} {:>9} {:>9} {:>9}", "publish to receipt", "events", "p50", "p99", "max");
    let without = late(options, false).await?;
    let with = late(options, true).await?;
    let mut good = compare("nine tenants, one floods", of(&without, "other")?, of(&with, "other")?);
    good &= parts(options).await?;
    println!("{}", if good { "fair" } else { "NOT FAIR" });
    Ok(good)
}

fn tenant(number: usize) -> Result<TenantId, Failure> {
    Ok(format!("tenant-{number}").parse()?)
}

async fn flood(stage: &Stage, at: Option<u64>) -> Result<(), Failure> {
    let tenant = "flood".parse()?;
    for number in 0..ENDPOINTS {
        stage.listen(&tenant, "flood", &format!("flood.{number}")).await?;
    }
    let types: Vec<_> = (0..FLOOD).map(|number| format!("flood.{}", number % ENDPOINTS)).collect();
    stage.publish_backlog(&tenant, &types, at).await
}

async fn late(options: &Options, with: bool) -> Result<BTreeMap<String, Latency>, Failure> {
    let stage = Stage::set(&options.db, if with { "flooded" } else { "dry" }).await?;
    let mut loads = Vec::new();
    for number in 0..OTHERS {
        let tenant = tenant(number)?;
        stage.listen(&tenant, "other", "tick").await?;
        loads.push(Load { tenant, per_second: 20, event_type: |_| "tick".to_owned() });
    }
    if with {
        flood(&stage, None).await?;
    }
    stage.play(loads, options.run).await
}

/// What each tenant gets of the first seconds, when all have enough.
async fn parts(options: &Options) -> Result<bool, Failure> {
    let stage = Stage::set(&options.db, "parts").await?;
    for number in 0..OTHERS {
        let tenant = tenant(number)?;
        stage.listen(&tenant, &format!("tenant-{number}"), "tick").await?;
        stage.publish_backlog(&tenant, &vec!["tick".to_owned(); ENOUGH], Some(now())).await?;
    }
    flood(&stage, Some(now())).await?;
    let seen = stage.deliver(options.run.min(MOST)).await?;
    let counts: Vec<_> = (0..OTHERS)
        .map(|number| seen.get(&format!("tenant-{number}")).map_or(0, |it| it.count))
        .collect();
    let flooding = seen.get("flood").map_or(0, |it| it.count);
    let total: usize = counts.iter().sum::<usize>() + flooding;
    if counts.iter().any(|count| *count >= ENOUGH) {
        return Err("a tenant has nothing left to deliver: give it more, or less time".into());
    }
    let fair = total as f64 / (OTHERS + 1) as f64;
    let least = counts.iter().min().copied().unwrap_or_default() as f64 / fair.max(1.0);
    let good = least >= LEAST;
    println!("delivered to the nine {counts:?}, to the one that floods {flooding}");
    println!(
        "{:<34} {least:>8.2} (at least {LEAST:.1})  {}",
        "  least part of the fair one",
        if good { "ok" } else { "MISSED" }
    );
    Ok(good)
}

/// In a longer time somebody would have delivered everything.
const MOST: Duration = Duration::from_secs(4);
