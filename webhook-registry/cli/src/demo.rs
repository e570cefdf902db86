//! `webhook demo`: the whole way, on this machine and in a few seconds.
//!
//! Real receivers on real sockets, a database in a file, the same code as in production; only the
//! waits are short. At the end it checks what it shows.

mod actor;
mod cast;
mod check;
mod ledger;
mod receiver;
mod story;

use std::{path::PathBuf, time::Duration};

use clap::Args;
use tempfile::TempDir;
use tokio::sync::watch;
use webhook_registry::{
    Backlog, DeliveryQuery, HttpTransport, NewEndpoint, NewEvent, Receiver, Report, SeaOrmStore,
    Webhooks,
};

use self::{
    actor::Actor,
    cast::{CAST, EVENTS},
    story::Story,
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

/// It has to be over by then.
const LIMIT: Duration = Duration::from_secs(13);

/// Short waits, the same each time.
const RETRY: &str = "200ms,400ms jitter 0%";
const TIMEOUT: Duration = Duration::from_millis(500);

pub(crate) async fn run(options: &Options, args: DemoArgs) -> Result<End, Error> {
    let story = Story::begin(options.output());
    let (folder, file) = database(args.keep)?;
    let url = format!("sqlite://{}?mode=rwc", file.display());
    let store = connect(SeaOrmStore::builder(url)).await?;
    store.migrate().await?;
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build()?;
    let webhooks = Webhooks::builder().store(store).transport(transport).build()?;
    story.opening(&file, folder.is_some())?;

    let (curtain, fallen) = watch::channel(());
    let actors = enter(&webhooks, story, &fallen).await?;
    story.publishing()?;
    publish(&webhooks, story).await?;
    story.delivering()?;
    let (report, backlog) = deliver(&webhooks).await?;
    // The receivers end when it falls.
    drop(curtain);

    let deliveries = webhooks.operator().deliveries(DeliveryQuery::new().limit(100)).await?.items;
    let records = check::records(&webhooks, &actors, deliveries).await?;
    story.table(&records)?;
    let checks = check::all(&webhooks, &actors, &records, report, backlog).await?;
    story.checks(&checks)?;
    story.closing(folder.is_none().then_some(file.as_path()))?;
    match checks.iter().find(|check| !check.holds) {
        None => Ok(End::Done),
        Some(check) => Err(Error::Demo(check.text.clone())),
    }
}

/// A fresh file, in a folder that is removed at the end unless it shall be kept.
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

/// Starts the receivers and registers them.
async fn enter(
    webhooks: &Webhooks,
    story: Story,
    fallen: &watch::Receiver<()>,
) -> Result<Vec<Actor>, Error> {
    let mut actors = Vec::new();
    for role in &CAST {
        let receiver = Receiver::bind(([127, 0, 0, 1], 0).into()).await?;
        let new = NewEndpoint::new(format!("http://{}/{}", receiver.local_addr(), role.name))
            .events(role.filters.iter().copied())
            .timeout(TIMEOUT)
            .retry(RETRY)
            .max_in_flight(role.max_in_flight);
        let registered = webhooks.add_endpoint(new).await?;
        let mut fallen = fallen.clone();
        let end = async move { while fallen.changed().await.is_ok() {} };
        let ledger = receiver::play(receiver, role, story, registered.secret, end);
        story.enters(role)?;
        actors.push(Actor { role, endpoint: registered.endpoint.id, ledger });
    }
    Ok(actors)
}

async fn publish(webhooks: &Webhooks, story: Story) -> Result<(), Error> {
    let events = EVENTS.iter().map(|(event_type, data)| NewEvent::new(event_type, *data));
    let events = events.collect::<Result<Vec<_>, _>>()?;
    for ((event_type, _), answer) in EVENTS.iter().zip(webhooks.publish_many(events).await) {
        story.published(event_type, answer?.deliveries)?;
    }
    Ok(())
}

/// Delivers until nothing is left, or it takes too long.
async fn deliver(webhooks: &Webhooks) -> Result<(Report, Backlog), Error> {
    let too_late = tokio::time::sleep(LIMIT);
    Ok(webhooks.run_until_idle(None, too_late).await?)
}
