//! One endpoint that hangs must cost the others nothing.
//!
//! Two questions, each answered by two runs that differ in that endpoint alone:
//!
//! - An endpoint never answers, and nine tenths of a backlog of 20,000 are its. How late do events reach
//!   a thousand healthy ones?
//! - An endpoint takes five seconds and gets 200 events a second. How late are its neighbour, and another
//!   tenant's endpoint?

use std::{collections::BTreeMap, time::Duration};

use webhook_registry::TenantId;

use crate::{Failure, Options, latency::Latency, load::Load, stage::Stage};

const HEALTHY: usize = 1_000;
const BACKLOG: usize = 20_000;

/// What p99 may be without the endpoint that hangs, and how much it may grow with it.
const MOST: Duration = Duration::from_millis(50);
const GROWTH: f64 = 2.0;

/// Measures both, prints them, and answers whether they are as promised.
pub(crate) async fn measure(options: &Options) -> Result<bool, Failure> {
    println!("database {}, {} s a run", kind(&options.db), options.run.as_secs());
    println!("{:<34} {:>8} {:>9} {:>9} {:>9}", "publish to receipt", "events", "p50", "p99", "max");
    let mut fair = true;
    let without = silent(options, false).await?;
    let with = silent(options, true).await?;
    fair &=
        compare("healthy, one endpoint silent", of(&without, "healthy")?, of(&with, "healthy")?);
    let without = slow(options, false).await?;
    let with = slow(options, true).await?;
    for (class, what) in [("same", "same tenant, one takes 5 s"), ("other", "another tenant")] {
        fair &= compare(what, of(&without, class)?, of(&with, class)?);
    }
    println!("{}", if fair { "fair" } else { "NOT FAIR" });
    Ok(fair)
}

pub(crate) fn kind(db: &str) -> &str {
    db.split(':').next().unwrap_or(db)
}

pub(crate) fn of(latencies: &BTreeMap<String, Latency>, class: &str) -> Result<Latency, Failure> {
    latencies.get(class).copied().ok_or_else(|| format!("nothing reached {class}").into())
}

/// Prints two runs, and answers whether the second is as good as promised.
pub(crate) fn compare(what: &str, without: Latency, with: Latency) -> bool {
    let ratio = with.p99.as_secs_f64() / without.p99.as_secs_f64().max(f64::EPSILON);
    let good = without.p99 <= MOST && ratio <= GROWTH;
    for (which, it) in [("without", without), ("with", with)] {
        let Latency { count, p50, p99, max } = it;
        println!(
            "{:<34} {count:>8} {:>9} {:>9} {:>9}",
            format!("{what}: {which}"),
            ms(p50),
            ms(p99),
            ms(max)
        );
    }
    println!(
        "{:<34} {ratio:>8.2} (at most {GROWTH:.1}, and {} without)  {}",
        "  p99 ratio",
        ms(MOST),
        if good { "ok" } else { "MISSED" }
    );
    good
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// A thousand healthy endpoints, and perhaps one that never answers with a backlog of its own.
async fn silent(options: &Options, with: bool) -> Result<BTreeMap<String, Latency>, Failure> {
    let stage = Stage::set(&options.db, if with { "silent" } else { "sound" }).await?;
    let tenant = TenantId::default();
    for number in 0..HEALTHY {
        stage.listen(&tenant, &format!("healthy/{number}"), &format!("healthy.{number}")).await?;
    }
    let healthy = (0..BACKLOG / 10).map(|number| format!("healthy.{}", number % HEALTHY));
    let mut backlog: Vec<String> = healthy.collect();
    if with {
        stage.listen(&tenant, "dead", "dead").await?;
        // In between, as they would have come.
        backlog = backlog
            .into_iter()
            .flat_map(|healthy| [vec!["dead".to_owned(); 9], vec![healthy]].concat())
            .collect();
    }
    stage.publish_backlog(&tenant, &backlog, None).await?;
    let event_type = |number| format!("healthy.{}", number * 7 % HEALTHY);
    stage.play(vec![Load { tenant, per_second: 200, event_type }], options.run).await
}

/// Two tenants with a healthy endpoint each; the first has perhaps one that takes five seconds.
async fn slow(options: &Options, with: bool) -> Result<BTreeMap<String, Latency>, Failure> {
    let stage = Stage::set(&options.db, if with { "slow" } else { "swift" }).await?;
    let (first, second): (TenantId, TenantId) = ("first".parse()?, "second".parse()?);
    stage.listen(&first, "same", "tick").await?;
    stage.listen(&second, "other", "tick").await?;
    if with {
        stage.listen(&first, "slow", "tick").await?;
    }
    let event_type = |_| "tick".to_owned();
    let loads = [(first, 200), (second, 20)];
    let loads = loads.map(|(tenant, per_second)| Load { tenant, per_second, event_type });
    stage.play(loads.into(), options.run).await
}
