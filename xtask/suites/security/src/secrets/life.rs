//! Endpoints with a canary wherever there is room for a secret, and an event that goes to all of them: one
//! that accepts it, one that fails, one where nobody listens, and one whose name leads nowhere.

use std::{
    future::pending, path::Path, sync::Arc, sync::atomic::Ordering::Relaxed, time::Duration,
};

use webhook_core::{
    TenantId,
    store::DeliveryQuery,
    view::{AttemptView, DeliveryView, EndpointView, EventView},
};
use webhook_http::{HttpTransport, RingVault};
use webhook_registry::{NewEndpoint, NewEvent, Tenant, Webhooks, database::SeaOrmStore};
use webhook_testkit::{ReceivedRequest, TestReceiver};

use super::{
    log,
    scan::{count, times},
};
use crate::run::RECEIVERS;

/// What is left of it.
pub(crate) struct Life {
    canary: String,
    pub(crate) log: Vec<u8>,
    /// Records and views as JSON, and pages about them.
    pub(crate) records: String,
    pub(crate) numbers: String,
    /// All that can be formatted with `Debug`.
    debug: String,
    /// The files of the database.
    pub(crate) files: Vec<u8>,
    /// Whether the receiver got the header as it was meant.
    arrived: bool,
}

/// Timeout of an attempt: long enough for receivers on this machine. A name server may be remote.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(2);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Life {
    /// With the canary in URLs as well, if `in_urls`: they are not sealed. With a vault, if `sealed`.
    pub(crate) async fn of(canary: &str, in_urls: bool, sealed: bool) -> Self {
        RECEIVERS.fetch_add(2, Relaxed);
        let place = tempfile::tempdir().unwrap();
        let (good, bad) =
            (TestReceiver::answering([200]).await, TestReceiver::answering([500]).await);
        let nobody = ["http://localhost:9/hooks", "https://receiver.example/hooks"];
        let urls = [good.url(), bad.url(), nobody[0].to_owned(), nobody[1].to_owned()];
        let urls = urls.map(|url| if in_urls { format!("{url}?token={canary}") } else { url });
        let (mut life, log) = log::during(async {
            let webhooks = webhooks(place.path(), sealed.then_some(canary)).await;
            deliver(&webhooks, canary, &urls).await;
            Self::read(&webhooks, canary).await
        })
        .await;
        life.log = log;
        life.files = files(place.path());
        let value = format!("Bearer {canary}");
        let arrives = |one: &ReceivedRequest| {
            one.headers.get("authorization").is_some_and(|sent| sent == value.as_str())
        };
        life.arrived = good.requests().iter().filter(|one| arrives(one)).count() == 1;
        life
    }

    async fn read(webhooks: &Webhooks, canary: &str) -> Self {
        let tenant = tenant();
        let door = webhooks.tenant(&tenant);
        let endpoints = door.endpoints().list().await.unwrap();
        let views: Vec<_> = endpoints.iter().map(EndpointView::of).collect();
        let notices = webhooks.notices().read(100).await.unwrap();
        let mut life = Self {
            canary: canary.to_owned(),
            log: Vec::new(),
            records: json(&views) + &json(&notices),
            numbers: String::new(),
            debug: format!("{webhooks:?} {endpoints:?} {views:?} {notices:?}"),
            files: Vec::new(),
            arrived: false,
        };
        life.read_deliveries(webhooks, door).await;
        let operator = webhooks.operator();
        for endpoint in &endpoints {
            let stats = operator.endpoint_stats(endpoint.id, DAY).await.unwrap();
            life.numbers += &format!("{} {stats:?} {:?}", json(&stats), endpoint.health);
        }
        let (status, backlog) = (operator.status().await.unwrap(), operator.backlog().await);
        life.numbers += &format!("{status:?} {backlog:?}");
        life
    }

    async fn read_deliveries(&mut self, webhooks: &Webhooks, door: Tenant<'_>) {
        let operator = webhooks.operator();
        for delivery in door.deliveries(DeliveryQuery::new()).await.unwrap().items {
            let attempts = operator.attempts(delivery.id).await.unwrap();
            let event = door.event(delivery.id.event).await.unwrap().unwrap();
            self.records += &(json(&delivery) + &json(&DeliveryView::of(&delivery)));
            self.records += &(json(&attempts) + &json(&EventView::of(&event)));
            self.records += &json(&attempts.iter().map(AttemptView::of).collect::<Vec<_>>());
            let page = operator.explain(delivery.id).await.unwrap().unwrap();
            let theirs = door.explain(delivery.id).await.unwrap().unwrap();
            self.records += &format!("{page} {theirs}");
            self.debug += &format!("{delivery:?} {attempts:?} {event:?} {page:?} {theirs:?}");
        }
    }

    pub(crate) fn count_in(&self, text: &str) -> usize {
        count(text.as_bytes(), &self.canary)
    }

    /// What keeps this from proving anything.
    pub(crate) fn gap(&self) -> Option<&'static str> {
        let log = String::from_utf8_lossy(&self.log);
        let error_text = ["webhook delivered", "webhook attempt failed", "connected"];
        if !error_text.iter().all(|error_text| log.contains(error_text)) {
            return Some("the log is not whole");
        }
        (!self.arrived).then_some("the receiver did not get it")
    }

    /// Places that show it, except the request.
    pub(crate) fn places(&self) -> String {
        if let Some(gap) = self.gap() {
            return gap.to_owned();
        }
        let counted = [
            ("the log", count(&self.log, &self.canary)),
            ("records", self.count_in(&self.records)),
            ("numbers", self.count_in(&self.numbers)),
            ("Debug", self.count_in(&self.debug)),
            ("the database", count(&self.files, &self.canary)),
        ];
        let shows = counted.iter().filter(|(_, count)| *count > 0);
        let names: Vec<_> = shows.map(|(name, _)| *name).collect();
        if names.is_empty() { times(0) } else { format!("shows in {}", names.join(", ")) }
    }
}

async fn webhooks(place: &Path, vault_key: Option<&str>) -> Webhooks {
    let url = format!("sqlite://{}?mode=rwc", place.join("webhooks.db").display());
    let mut store = SeaOrmStore::builder(url);
    if let Some(key) = vault_key {
        store = store.vault(Arc::new(RingVault::new(key.parse().expect("a key of 32 bytes"))));
    }
    let store = store.connect().await.unwrap();
    store.migrate().await.unwrap();
    let transport = HttpTransport::builder().dangerous_allow_private_addresses().build().unwrap();
    Webhooks::builder().store(store).transport(transport).build().unwrap()
}

/// Registers an endpoint at each URL, edits it, and delivers an event to all.
async fn deliver(webhooks: &Webhooks, canary: &str, urls: &[String]) {
    let tenant = tenant();
    let door = webhooks.tenant(&tenant);
    for url in urls {
        let new = NewEndpoint::new(url)
            .secret(format!("whsec_{canary}"))
            .header("Authorization", format!("Bearer {canary}"))
            .timeout(ATTEMPT_TIMEOUT)
            .retry("none");
        let endpoint = door.endpoints().create(new).await.unwrap().endpoint;
        door.endpoints().update(endpoint).await.unwrap();
    }
    door.publish(NewEvent::new("invoice.paid", "{}").unwrap()).await.unwrap();
    webhooks.run_until_idle(None, pending()).await.unwrap();
}

fn tenant() -> TenantId {
    "ours".parse().unwrap()
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn files(place: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(place).unwrap().map(|file| file.unwrap().path());
    // A file beside the database may go while its folder is read.
    files.filter_map(|file| std::fs::read(file).ok()).flatten().collect()
}
