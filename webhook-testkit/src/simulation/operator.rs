//! Operators: edit endpoints, act on deliveries, read notices, and repair endpoints at the end.

use std::{sync::Arc, time::Duration};

use webhook_core::{
    DeliveryId, DeliveryStatus, DisabledReason, Endpoint, EndpointId, EndpointState, Include,
    OrderPolicy, RateLimit, Replay, Signing, StoreError,
    store::{
        DeliveryOperations as _, NoticeQueue as _, Redeliver, ReplayPage, ReplayState, Store,
        Updated,
    },
};

use super::{
    environment::Environment,
    model::Model,
    rng::RngStream,
    setup::{draw_endpoint, new_secret},
    trace::Actor,
};
use crate::{FaultyStore, observed::Observed};

/// An operator that acts at random times.
pub(super) struct Operator {
    environment: Environment,
    store: Arc<FaultyStore<Observed>>,
    stream: RngStream,
    added: u64,
}

impl Operator {
    pub(super) fn new(environment: Environment) -> Self {
        let store = environment.store_of(Actor::Operator);
        let stream = environment.stream("operator", 0);
        Self { environment, store, stream, added: 100 }
    }

    /// Acts at random times until the faults end. Failed actions are not repeated.
    pub(super) async fn run(mut self) {
        let pause = self.environment.setup.operator_pause;
        let (mut times, mut at) = (self.environment.stream("operator-times", 0), Duration::ZERO);
        loop {
            at += times.wait(pause / 16, pause * 2);
            self.environment.executor.sleep(at.saturating_sub(self.environment.now())).await;
            if self.environment.rng.faults_ended() {
                return;
            }
            self.stream = self.environment.stream("operator", 0);
            let _ = self.act().await;
        }
    }

    async fn act(&mut self) -> Result<(), StoreError> {
        match self.stream.below(16) {
            0..7 => self.edit().await,
            7 => self.add().await,
            8 => self.remove().await,
            9 | 10 => self.cancel().await,
            11 => self.redeliver().await,
            12 => self.skip().await,
            13 => self.replay().await,
            _ => self.read_notices().await,
        }
    }

    fn any_endpoint(&mut self) -> Option<EndpointId> {
        let present: Vec<_> = self.environment.recorder.model(Model::present).into_iter().collect();
        self.stream.one_of(&present)
    }

    fn any_delivery(&mut self, is_final: bool) -> Option<DeliveryId> {
        let some: Vec<_> = self.environment.recorder.model(|model| {
            let all = model.deliveries.iter();
            all.filter(|(_, entry)| entry.status.is_final() == is_final)
                .map(|(id, _)| *id)
                .collect()
        });
        self.stream.one_of(&some)
    }

    async fn stored(&self, id: EndpointId) -> Result<Option<Endpoint>, StoreError> {
        (&*self.store as &dyn Store).endpoint(id).await
    }

    async fn edit(&mut self) -> Result<(), StoreError> {
        let Some(id) = self.any_endpoint() else { return Ok(()) };
        let Some(endpoint) = self.stored(id).await? else { return Ok(()) };
        if let Some(edited) = self.change(endpoint) {
            self.store.update_endpoint(edited).await?;
        }
        Ok(())
    }

    fn change(&mut self, endpoint: Endpoint) -> Option<Endpoint> {
        let revision = endpoint.revision.as_u64() + 1;
        Some(match self.stream.below(10) {
            0 => endpoint.with_state(EndpointState::Paused),
            1 => endpoint.with_state(EndpointState::Disabled(DisabledReason::ByHand)),
            2..5 => endpoint.with_state(EndpointState::Active),
            5 | 6 => self.rotate(endpoint)?,
            7 => endpoint.with_max_in_flight(u32::try_from(self.stream.between(1, 6)).ok()?),
            8 if endpoint.order.is_some() => {
                let policies = [OrderPolicy::Block, OrderPolicy::Skip];
                endpoint.with_order(self.stream.one_of(&policies))
            }
            8 => {
                let rate = RateLimit::new(1, u32::try_from(self.stream.between(1, 3)).ok()?).ok();
                endpoint.with_rate(rate.filter(|_| self.stream.once_in(2)))
            }
            _ => {
                let moved = endpoint.url.as_str().rsplit_once('/')?.0.to_owned();
                let mut endpoint = endpoint;
                endpoint.url = format!("{moved}/r{revision}").parse().ok()?;
                endpoint
            }
        })
    }

    fn rotate(&mut self, endpoint: Endpoint) -> Option<Endpoint> {
        let secret = new_secret(&mut self.stream)?;
        let overlap = self.stream.wait(Duration::from_secs(60), Signing::OVERLAP);
        let now = webhook_core::Clock::now(self.environment.executor.clock());
        let signing = endpoint.signing.rotated(secret, now, overlap).ok()?;
        Some(endpoint.with_signing(signing))
    }

    async fn add(&mut self) -> Result<(), StoreError> {
        self.added += 1;
        let tenants = self.environment.setup.tenants.clone();
        match draw_endpoint(&mut self.stream, self.added, &tenants) {
            Some(endpoint) => self.store.add_endpoint(endpoint).await,
            None => Ok(()),
        }
    }

    async fn remove(&mut self) -> Result<(), StoreError> {
        let Some(id) = self.any_endpoint() else { return Ok(()) };
        let Some(endpoint) = self.stored(id).await? else { return Ok(()) };
        self.store.remove_endpoint(&endpoint.tenant, id).await.map(drop)
    }

    async fn cancel(&mut self) -> Result<(), StoreError> {
        match self.any_delivery(false) {
            Some(id) => self.store.cancel(vec![id]).await.map(drop),
            None => Ok(()),
        }
    }

    async fn redeliver(&mut self) -> Result<(), StoreError> {
        match self.any_delivery(true) {
            Some(id) => self.store.redeliver(vec![Redeliver::new(id)]).await.map(drop),
            None => Ok(()),
        }
    }

    async fn skip(&self) -> Result<(), StoreError> {
        let failed = self.environment.recorder.model(Model::failed);
        self.store.skip(failed).await.map(drop)
    }

    async fn replay(&mut self) -> Result<(), StoreError> {
        let Some(id) = self.any_endpoint() else { return Ok(()) };
        let include = self.stream.one_of(&[Include::Failed, Include::Missed, Include::All]);
        let replay = Replay::new(id, include.unwrap_or(Include::Failed));
        let first = self.store.replay(ReplayPage::first(replay.clone()).limit(5)).await?;
        let mut state = ReplayState::new(replay, first.began_at);
        state.next = first.next;
        while let Some(page) = ReplayPage::next(&state) {
            self.environment.executor.sleep(Duration::from_millis(500)).await;
            state.next = self.store.replay(page.limit(5)).await?.next;
        }
        Ok(())
    }

    async fn read_notices(&mut self) -> Result<(), StoreError> {
        let notices = self.store.notices(50).await?;
        let ids = notices.into_iter().map(|notice| notice.id).collect();
        self.store.acknowledge(ids).await
    }
}

/// Repairs states that only an operator can: activates endpoints and skips deliveries that block
/// their line.
pub(super) async fn repair(
    environment: &Environment,
    but: Option<EndpointId>,
) -> Result<(), StoreError> {
    let store = environment.store_of(Actor::World);
    let present: Vec<_> = environment.recorder.model(Model::present).into_iter().collect();
    for id in present.into_iter().filter(|id| Some(*id) != but) {
        let Some(endpoint) = (&*store as &dyn Store).endpoint(id).await? else { continue };
        if !endpoint.state.is_active() {
            let answer = store.update_endpoint(endpoint.with_state(EndpointState::Active)).await?;
            debug_assert!(matches!(answer, Updated::Done(_) | Updated::Stale));
        }
    }
    let failed = environment.recorder.model(Model::failed);
    if !failed.is_empty() {
        store.skip(failed).await?;
    }
    Ok(())
}

/// Returns true if an operator must act before all deliveries can become final.
pub(super) fn needs_operator(model: &Model) -> bool {
    let blocks = |(_, line): (&_, &Vec<DeliveryId>)| {
        let first = line.first().and_then(|id| model.deliveries.get(id));
        first.is_some_and(|entry| entry.status == DeliveryStatus::Failed)
    };
    let idle = model.endpoints.values().any(|entry| !entry.removed && !entry.now.state.is_active());
    idle || model.lines.iter().any(blocks)
}
