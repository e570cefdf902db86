//! What a measurement needs: a receiver, a database, and a sender over them.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::oneshot;
use webhook_registry::{DispatcherConfig, HttpTransport, NewEndpoint, TenantId, Webhooks};

use crate::{
    Failure,
    latency::Latency,
    load::{Load, event},
    place::Place,
    receiver::Receiver,
};

/// A receiver, a database, and a sender over them.
pub(crate) struct Stage {
    place: Place,
    receiver: Receiver,
    webhooks: Webhooks,
}

impl Stage {
    pub(crate) async fn set(db: &str, name: &str) -> Result<Self, Failure> {
        let place = Place::make(db, name).await?;
        let receiver = Receiver::start().await?;
        let transport = HttpTransport::builder().dangerous_allow_private_addresses().build()?;
        let config = DispatcherConfig::new().drain(Duration::from_millis(100));
        let builder = Webhooks::builder().store(place.store().await?).transport(transport);
        Ok(Self { place, receiver, webhooks: builder.dispatcher(config).build()? })
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
        worker.run(tokio::time::sleep(time)).await;
        let seen = self.receiver.stop().await?.classes;
        drop((self.webhooks, worker));
        self.place.clear().await?;
        Ok(seen)
    }

    /// Publishes and delivers for so long, and answers what the receiver saw of it: all of what was
    /// accepted, or the figures would speak of the lucky ones alone.
    pub(crate) async fn play(
        self,
        loads: Vec<Load>,
        time: Duration,
    ) -> Result<BTreeMap<String, Latency>, Failure> {
        let (stop, stopped) = oneshot::channel::<()>();
        let worker = self.webhooks.clone();
        let worker = tokio::spawn(async move {
            worker.run(async { stopped.await.unwrap_or_default() }).await;
        });
        let loads: Vec<_> = loads
            .into_iter()
            .map(|load| tokio::spawn(load.run(self.webhooks.clone(), time)))
            .collect();
        let mut accepted = 0;
        for load in loads {
            accepted += load.await??;
        }
        // What was published last is under way.
        tokio::time::sleep(Duration::from_secs(2)).await;
        let seen = self.receiver.stop().await?.classes;
        let _ = stop.send(());
        worker.await?;
        drop(self.webhooks);
        self.place.clear().await?;
        let received: usize = ["healthy", "same", "other", "again"]
            .iter()
            .filter_map(|class| seen.get(*class))
            .map(|it| it.count)
            .sum();
        if received < accepted {
            println!(
                "{} of {accepted} accepted events did not arrive in time",
                accepted - received
            );
            return Err("events are missing at healthy endpoints".into());
        }
        Ok(seen)
    }
}
