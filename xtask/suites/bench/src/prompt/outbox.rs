//! Through the outbox: published in a transaction of the caller's own, routed after its commit.

use webhook_registry::{
    DispatcherConfig, TenantId, Webhooks,
    database::sea_orm::{ConnectionTrait as _, Database},
};

use super::RATE;
use crate::{
    Failure,
    fairness::of,
    fixture::transport,
    latency::Latency,
    latency_fixture::LatencyFixture,
    load::{INVOICES, Load, Publishing, every},
    options::Options,
    place::kind,
    report::{Report, Table, ms},
};

/// How long a run lasts, in seconds, unless it was said.
const SECONDS: u64 = 8;

/// Maximum median if the worker is woken, in milliseconds.
const MAX_WOKEN_P50_MS: f64 = 10.0;

/// Source of the wake-up after the commit.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Wake {
    /// The process that commits, which works as well.
    SameProcess,
    /// Another process, which notifies all workers.
    OtherProcess,
    /// None: the worker only polls.
    PollOnly,
}

pub(super) async fn measure(
    db: &str,
    options: &Options,
    report: &mut Report,
) -> Result<(), Failure> {
    let here = run(db, options, Wake::SameProcess).await?;
    let elsewhere = run(db, options, Wake::OtherProcess).await?;
    let never = run(db, options, Wake::PollOnly).await?;
    let kind = kind(db);
    let mut table = Table::of_latencies(format!("outbox at {RATE}/s, {kind}, 1 run"));
    table.latency("woken in the same process", &here);
    table.latency("woken from another process", &elsewhere);
    table.latency("polled", &never);
    report.add(table);
    let mut judge = |what: &str, latency: Latency, most| {
        let what = format!("{kind}, outbox, {what}: p50, ms");
        report.at_most(what, ms(latency.p50), most);
    };
    judge("woken in the same process", here, MAX_WOKEN_P50_MS);
    judge("woken from another process", elsewhere, MAX_WOKEN_P50_MS);
    judge("polled", never, ms(DispatcherConfig::POLL));
    Ok(())
}

async fn run(db: &str, options: &Options, wake: Wake) -> Result<Latency, Failure> {
    let latency_fixture = match wake {
        Wake::PollOnly => LatencyFixture::set_polling(db, "outbox").await?,
        Wake::SameProcess | Wake::OtherProcess => LatencyFixture::set(db, "outbox").await?,
    };
    let tenant = TenantId::default();
    latency_fixture.listen(&tenant, "healthy", "tick").await?;
    let database = Database::connect(latency_fixture.place().url()).await?;
    database.execute_unprepared(INVOICES).await?;
    // A store of its own, as another process has it.
    let store = latency_fixture.place().store().await?;
    let wake = match wake {
        Wake::SameProcess => Some(latency_fixture.webhooks().clone()),
        Wake::OtherProcess => {
            Some(Webhooks::builder().store(store.clone()).transport(transport()?).build()?)
        }
        Wake::PollOnly => None,
    };
    let by = Publishing::Transaction { store, database, wake };
    let load = Load { by, tenant, per_second: RATE, event_type: every("tick") };
    of(&latency_fixture.play(vec![load], options.run(SECONDS)).await?, "healthy")
}
