//! Through the outbox: published in a transaction of the caller's own, routed after its commit.

use webhook_registry::{
    DispatcherConfig, TenantId, Webhooks,
    sea_orm::{ConnectionTrait as _, Database},
};

use super::RATE;
use crate::{
    Failure,
    bed::transport,
    fairness::of,
    latency::Latency,
    load::{INVOICES, Load, Publishing, every},
    options::Options,
    place::kind,
    report::{Goal, Report, Table, ms},
    stage::Stage,
};

/// How long a run lasts, in seconds, unless it was said.
const SECONDS: u64 = 8;

/// What half of them may take at most where somebody tells that there is work, in milliseconds.
const MOST_TOLD: f64 = 10.0;

/// Who tells the worker after the commit.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Told {
    /// The process that commits works as well.
    Here,
    /// Another process commits, and wakes whomever it can.
    Elsewhere,
    /// Nobody, and a hint would not be heard.
    Never,
}

pub(super) async fn measure(
    db: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let here = run(db, options, Told::Here).await?;
    let elsewhere = run(db, options, Told::Elsewhere).await?;
    let never = run(db, options, Told::Never).await?;
    let kind = kind(db);
    let mut table = Table::of_latencies(format!("outbox at {RATE}/s, {kind}, 1 run"));
    table.latency("woken in the same process", &here);
    table.latency("woken from another process", &elsewhere);
    table.latency("polled", &never);
    report.add(table);
    let mut judge = |what: &str, latency: Latency, most| {
        let what = format!("{kind}, outbox, {what}: p50, ms");
        report.judge(Goal::at_most(what, ms(latency.p50), most));
    };
    judge("woken in the same process", here, MOST_TOLD);
    judge("woken from another process", elsewhere, MOST_TOLD);
    judge("polled", never, ms(DispatcherConfig::POLL));
    Ok(())
}

async fn run(db: &str, options: &Options, told: Told) -> Result<Latency, Failure> {
    let stage = match told {
        Told::Never => Stage::set_polling(db, "outbox").await?,
        Told::Here | Told::Elsewhere => Stage::set(db, "outbox").await?,
    };
    let tenant = TenantId::default();
    stage.listen(&tenant, "healthy", "tick").await?;
    let database = Database::connect(stage.place().url()).await?;
    database.execute_unprepared(INVOICES).await?;
    // A store of its own, as another process has it.
    let store = stage.place().store().await?;
    let wake = match told {
        Told::Here => Some(stage.webhooks().clone()),
        Told::Elsewhere => {
            Some(Webhooks::builder().store(store.clone()).transport(transport()?).build()?)
        }
        Told::Never => None,
    };
    let by = Publishing::Transaction { store, database, wake };
    let load = Load { by, tenant, per_second: RATE, event_type: every("tick") };
    of(&stage.play(vec![load], options.run(SECONDS)).await?, "healthy")
}
