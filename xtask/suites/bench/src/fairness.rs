//! One endpoint that hangs must cost the others nothing.
//!
//! Two questions, each answered by two runs that differ in that endpoint alone:
//!
//! - An endpoint never answers, and nine tenths of a backlog of 20,000 are its. How late do events reach
//!   a thousand healthy ones?
//! - An endpoint takes five seconds and gets 200 events a second. How late are its neighbour, and another
//!   tenant's endpoint?

use std::{collections::BTreeMap, sync::Arc};

use webhook_registry::TenantId;

use crate::{
    Failure,
    cost::median,
    latency::Latency,
    latency_fixture::LatencyFixture,
    load::{Load, Publishing, every},
    options::Options,
    place::kind,
    report::{Report, Table, ms},
};

/// Healthy endpoints; each has two events of the backlog.
const HEALTHY: usize = 1_000;

/// How long a run lasts, in seconds, unless it was said.
const SECONDS: u64 = 6;

/// How many times as late p99 may be with the endpoint that hangs, and how many milliseconds later.
const TIMES: f64 = 2.0;
const LATER: f64 = 50.0;

/// Measures both.
pub(crate) async fn measure(
    db: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let whats = ["healthy, one endpoint silent", "same tenant, one takes 5 s", "another tenant"];
    let mut runs = [const { (Vec::new(), Vec::new()) }; 3];
    for _ in 0..options.runs {
        let (sound, silent) = (silent(db, options, false).await?, silent(db, options, true).await?);
        let (swift, slow) = (slow(db, options, false).await?, slow(db, options, true).await?);
        let without = [of(&sound, "healthy")?, of(&swift, "same")?, of(&swift, "other")?];
        let with = [of(&silent, "healthy")?, of(&slow, "same")?, of(&slow, "other")?];
        for ((runs, without), with) in runs.iter_mut().zip(without).zip(with) {
            runs.0.push(without);
            runs.1.push(with);
        }
    }
    let middle = |runs| median(runs, |it: &Latency| ms(it.p99)).ok_or("no run");
    let mut pairs = Vec::new();
    for (what, (without, with)) in whats.into_iter().zip(runs) {
        pairs.push((what, middle(without)?, middle(with)?));
    }
    let title = format!("fairness, {}, {} runs", kind(db), options.runs);
    compare(&title, kind(db), &pairs, report);
    Ok(())
}

pub(crate) fn of(latencies: &BTreeMap<String, Latency>, class: &str) -> Result<Latency, Failure> {
    latencies.get(class).copied().ok_or_else(|| format!("nothing reached {class}").into())
}

/// Shows runs without and with what others should not notice, and judges whether they do.
pub(crate) fn compare(
    title: &str,
    kind: &str,
    pairs: &[(&str, Latency, Latency)],
    report: &mut Report,
) {
    let mut table = Table::of_latencies(title);
    for (what, without, with) in pairs {
        table.latency(format!("{what}: without"), without);
        table.latency(format!("{what}: with"), with);
    }
    report.add(table);
    for (what, without, with) in pairs {
        let (without, with) = (ms(without.p99), ms(with.p99));
        let times = with / without.max(f64::EPSILON);
        report.at_most(format!("{kind}, {what}: p99, times"), times, TIMES);
        report.at_most(format!("{kind}, {what}: p99, ms later"), with - without, LATER);
    }
}

/// A thousand healthy endpoints, and perhaps one that never answers with a backlog of its own.
async fn silent(
    db: &str,
    options: &Options,
    with: bool,
) -> Result<BTreeMap<String, Latency>, Failure> {
    let latency_fixture = LatencyFixture::set(db, if with { "silent" } else { "sound" }).await?;
    let (tenant, endpoints) = (TenantId::default(), options.size(HEALTHY, 20));
    for number in 0..endpoints {
        latency_fixture
            .listen(&tenant, &format!("healthy/{number}"), &format!("healthy.{number}"))
            .await?;
    }
    let types = (0..endpoints * 2).map(|number| format!("healthy.{}", number % endpoints));
    let mut backlog: Vec<String> = types.collect();
    if with {
        latency_fixture.listen(&tenant, "dead", "dead").await?;
        // In between, as they would have come.
        backlog = backlog
            .into_iter()
            .flat_map(|healthy| [vec!["dead".to_owned(); 9], vec![healthy]].concat())
            .collect();
    }
    latency_fixture.publish_backlog(&tenant, &backlog, None).await?;
    let event_type = Arc::new(move |number| format!("healthy.{}", number * 7 % endpoints));
    let by = Publishing::Call(latency_fixture.webhooks().clone());
    let load = Load { by, tenant, per_second: 200, event_type };
    latency_fixture.play(vec![load], options.run(SECONDS)).await
}

/// Two tenants with a healthy endpoint each; the first has perhaps one that takes five seconds.
async fn slow(
    db: &str,
    options: &Options,
    with: bool,
) -> Result<BTreeMap<String, Latency>, Failure> {
    let latency_fixture = LatencyFixture::set(db, if with { "slow" } else { "swift" }).await?;
    let (first, second): (TenantId, TenantId) = ("first".parse()?, "second".parse()?);
    latency_fixture.listen(&first, "same", "tick").await?;
    latency_fixture.listen(&second, "other", "tick").await?;
    if with {
        latency_fixture.listen(&first, "slow", "tick").await?;
    }
    let by = Publishing::Call(latency_fixture.webhooks().clone());
    let loads = [(first, 200), (second, 20)];
    let load = |(tenant, per_second)| Load {
        by: by.clone(),
        tenant,
        per_second,
        event_type: every("tick"),
    };
    latency_fixture.play(loads.map(load).into(), options.run(SECONDS)).await
}
