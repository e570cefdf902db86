//! `webhook demo`: publishes, delivers and retries on this machine within a few seconds.
//!
//! It runs receivers on real sockets, a database in a file and the code of production, with short
//! waits. At the end it checks the results that it shows.

mod expectations;
mod receiver;
mod registered;
mod report;
mod request_log;
mod script;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use tempfile::TempDir;
use tokio::sync::watch;
use webhook_registry::{
    NewEndpoint, NewEvent, Report, Webhooks,
    database::SeaOrmStore,
    store::{Backlog, DeliveryQuery},
    transport::{HttpTransport, Receiver},
};

use self::{
    registered::RegisteredReceiver,
    report::DemoReport,
    script::{EVENTS, RECEIVERS},
};
use crate::{
    error::{End, Error},
    options::Options,
    store::connect,
};

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Keep the database in this folder, to look at it afterwards
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
}

/// Time limit of the deliveries.
const DELIVERY_LIMIT: Duration = Duration::from_secs(13);

/// Short waits without jitter, so that each run takes the same time.
const DEMO_RETRY: &str = "200ms,400ms jitter 0%";
const DEMO_TIMEOUT: Duration = Duration::from_millis(500);

pub(crate) async fn run(options: &Options, args: DemoArgs) -> Result<End, Error> {
    let report = DemoReport::begin(options.output());
    let (folder, file) = database(args.keep)?;
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let store = connect(SeaOrmStore::builder(url)).await?;
    store.migrate().await?;
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build()?;
    let webhooks = Webhooks::builder().store(store).transport(transport).build()?;
    report.opening(&file, folder.is_some())?;

    let (stop, stopped) = watch::channel(());
    let receivers = start_receivers(&webhooks, report, &stopped).await?;
    report.publishing()?;
    publish(&webhooks, report).await?;
    report.delivering()?;
    let (delivered, backlog) = deliver(&webhooks).await?;
    // Ends the receivers.
    drop(stop);

    let deliveries = webhooks.operator().deliveries(DeliveryQuery::new().limit(100)).await?.items;
    let records = expectations::records(&webhooks, &receivers, deliveries).await?;
    report.table(&records)?;
    let checks = expectations::all(&webhooks, &receivers, &records, delivered, backlog).await?;
    report.checks(&checks)?;
    report.closing(folder.is_none().then_some(file.as_path()))?;
    match checks.iter().find(|check| !check.holds) {
        None => Ok(End::Done),
        Some(check) => Err(Error::Demo(check.text.clone())),
    }
}

/// Returns a new file, in a temporary folder unless it is to be kept.
fn database(keep: Option<PathBuf>) -> Result<(Option<TempDir>, PathBuf), Error> {
    let Some(path) = keep else {
        let created = tempfile::tempdir();
        let path = std::env::temp_dir();
        let folder = created.map_err(|source| Error::Create { path, source })?;
        let file = folder.path().join("webhooks.db");
        return Ok((Some(folder), file));
    };
    let file = path.join("webhooks.db");
    std::fs::create_dir_all(&path).map_err(|source| Error::Create { path, source })?;
    if file.exists() {
        let (path, source) = (file, std::io::ErrorKind::AlreadyExists.into());
        return Err(Error::Create { path, source });
    }
    Ok((None, file))
}

/// Starts the receivers and registers their endpoints.
async fn start_receivers(
    webhooks: &Webhooks,
    report: DemoReport,
    stopped: &watch::Receiver<()>,
) -> Result<Vec<RegisteredReceiver>, Error> {
    let mut receivers = Vec::new();
    for script in &RECEIVERS {
        let receiver = Receiver::bind(([127, 0, 0, 1], 0).into()).await?;
        let new = NewEndpoint::new(format!("http://{}/{}", receiver.local_addr(), script.name))
            .events(script.filters.iter().copied())
            .timeout(DEMO_TIMEOUT)
            .retry(DEMO_RETRY)
            .max_in_flight(script.max_in_flight);
        let registered = webhooks.add_endpoint(new).await?;
        let mut stopped = stopped.clone();
        let end = async move { while stopped.changed().await.is_ok() {} };
        let requests = receiver::serve(receiver, script, report, registered.secret, end);
        report.registered(script)?;
        receivers.push(RegisteredReceiver { script, endpoint: registered.endpoint.id, requests });
    }
    Ok(receivers)
}

async fn publish(webhooks: &Webhooks, report: DemoReport) -> Result<(), Error> {
    let events = EVENTS.iter().map(|(event_type, data)| NewEvent::new(event_type, *data));
    let events = events.collect::<Result<Vec<_>, _>>()?;
    for ((event_type, _), answer) in EVENTS.iter().zip(webhooks.publish_many(events).await) {
        report.published(event_type, answer?.deliveries)?;
    }
    Ok(())
}

/// Delivers until nothing is left, or until the time limit.
async fn deliver(webhooks: &Webhooks) -> Result<(Report, Backlog), Error> {
    let too_late = tokio::time::sleep(DELIVERY_LIMIT);
    Ok(webhooks.run_until_idle(None, too_late).await?)
}
