//! Fixture of a measurement of latency: a receiver, a database, and a sender over them.

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};
use webhook_registry::{DispatcherConfig, NewEndpoint, TenantId, Webhooks, database::SeaOrmStore};

use crate::{
    Failure,
    fixture::transport,
    latency::Latency,
    load::{Load, event},
    place::Place,
    receiver::{Receiver, Seen},
};

/// How long what was published last may take to arrive.
const LAST: Duration = Duration::from_secs(2);

/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// A receiver, a database, and a sender over them.
pub(crate) struct LatencyFixture {
    place: Place,
    receiver: Receiver,
    webhooks: Webhooks,
}

impl LatencyFixture {
    pub(crate) async fn set(db: &str, name: &str) -> Result<Self, Failure> {
        let place = Place::make(db, name).await?;
        let store = place.store().await?;
        Self::over(place, store).await
    }

    /// One whose sender polls, and hears no hints.
    pub(crate) async fn set_polling(db: &str, name: &str) -> Result<Self, Failure> {
        let place = Place::make(db, name).await?;
        drop(place.store().await?);
        let store = SeaOrmStore::builder(place.url()).poll_only().connect().await?;
        Self::over(place, store).await
    }

    async fn over(place: Place, store: SeaOrmStore) -> Result<Self, Failure> {
        let config = DispatcherConfig::new().drain(Duration::from_millis(100));
        let builder = Webhooks::builder().store(store).transport(transport()?);
        let webhooks = builder.dispatcher(config).build()?;
        Ok(Self { place, receiver: Receiver::start().await?, webhooks })
    }

    /// The database.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Who publishes and delivers.
    pub(crate) const fn webhooks(&self) -> &Webhooks {
        &self.webhooks
    }

    pub(crate) async fn listen(
        &self,
        tenant: &TenantId,
        path: &str,
        event_type: &str,
    ) -> Result<(), Failure> {
        let endpoint = NewEndpoint::new(self.url(path)).events([event_type]);
        self.register(endpoint.tenant(tenant.clone())).await
    }

    pub(crate) async fn register(&self, endpoint: NewEndpoint) -> Result<(), Failure> {
        self.webhooks.add_endpoint(endpoint).await?;
        Ok(())
    }

    /// Where the receiver is, by what it does there.
    pub(crate) fn url(&self, path: &str) -> String {
        self.receiver.url(path)
    }

    pub(crate) async fn publish_backlog(
        &self,
        tenant: &TenantId,
        types: &[String],
        at: Option<u64>,
    ) -> Result<(), Failure> {
        for types in types.chunks(1000) {
            let events = types.iter().map(|name| event(name, tenant, at));
            let published = self.webhooks.publish_many(events.collect::<Result<_, _>>()?).await;
            published.into_iter().collect::<Result<Vec<_>, _>>()?;
        }
        Ok(())
    }

    /// Delivers for so long, and answers what the receiver saw of it.
    pub(crate) async fn deliver(
        self,
        time: Duration,
    ) -> Result<BTreeMap<String, Latency>, Failure> {
        let worker = self.webhooks.clone();
        worker.run(sleep(time)).await;
        let seen = self.receiver.stop().await?.classes;
        drop((self.webhooks, worker));
        self.place.clear().await?;
        Ok(seen)
    }

    /// Publishes and delivers for so long, and answers what the receiver saw of it: all of what was
    /// accepted, or the figures would speak of the lucky ones alone.
    pub(crate) async fn play(
        mut self,
        loads: Vec<Load>,
        time: Duration,
    ) -> Result<BTreeMap<String, Latency>, Failure> {
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = self.webhooks.clone();
        let worker = tokio::spawn(async move {
            worker.run(async { stopped.await.unwrap_or_default() }).await;
        });
        let loads: Vec<_> = loads.into_iter().map(|load| tokio::spawn(load.run(time))).collect();
        let mut accepted = 0;
        for load in loads {
            accepted += load.await??;
        }
        self.wait_for(accepted).await?;
        let _ = stop.send(());
        worker.await?;
        let seen = self.receiver.stop().await?;
        drop(self.webhooks);
        self.place.clear().await?;
        let missing = accepted.saturating_sub(received(&seen));
        if missing > 0 {
            return Err(
                format!("{missing} of {accepted} accepted events did not arrive in time").into()
            );
        }
        Ok(seen.classes)
    }

    /// What was published last is under way.
    async fn wait_for(&mut self, accepted: usize) -> Result<(), Failure> {
        let begun = Instant::now();
        while begun.elapsed() < LAST && received(&self.receiver.seen().await?) < accepted {
            sleep(LOOK).await;
        }
        Ok(())
    }
}

/// How many events came to endpoints that a load publishes to and that are well.
fn received(seen: &Seen) -> usize {
    let classes = ["healthy", "same", "other", "again"];
    classes.iter().filter_map(|class| seen.classes.get(*class)).map(|it| it.count).sum()
}
