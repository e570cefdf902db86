//! Operators: edit endpoints, act on deliveries, read notices; and put everything right at the end.

use std::{sync::Arc, time::Duration};

use webhook_core::{
    DeliveryId, DeliveryStatus, DisabledReason, Endpoint, EndpointId, EndpointState, EndpointStore,
    Include, OrderPolicy, RateLimit, Redeliver, Replay, ReplayPage, ReplayState, Signing,
    StoreError, Updated, Upkeep,
};

use super::{
    environment::Scene,
    model::Ledger,
    rng::Stream,
    setup::{draw_endpoint, new_secret},
    trace::Actor,
};
use crate::{FaultyStore, observed::Observed};

/// Somebody who acts now and then.
pub(super) struct Operator {
    scene: Scene,
    store: Arc<FaultyStore<Observed>>,
    stream: Stream,
    added: u64,
}

impl Operator {
    pub(super) fn new(scene: Scene) -> Self {
        let store = scene.store_of(Actor::Operator);
        let stream = scene.stream("operator", 0);
        Self { scene, store, stream, added: 100 }
    }

    /// Acts now and then, until faults are over. What fails is left.
    pub(super) async fn run(mut self) {
        let pause = self.scene.plan.operator_pause;
        let (mut times, mut at) = (self.scene.stream("operator-times", 0), Duration::ZERO);
        loop {
            at += times.wait(pause / 16, pause * 2);
            self.scene.yard.sleep(at.saturating_sub(self.scene.now())).await;
            if self.scene.dice.is_healed() {
                return;
            }
            self.stream = self.scene.stream("operator", 0);
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
        let present: Vec<_> = self.scene.recorder.ledger(Ledger::present).into_iter().collect();
        self.stream.one_of(&present)
    }

    fn any_delivery(&mut self, is_final: bool) -> Option<DeliveryId> {
        let some: Vec<_> = self.scene.recorder.ledger(|ledger| {
            let all = ledger.deliveries.iter();
            all.filter(|(_, it)| it.status.is_final() == is_final).map(|(id, _)| *id).collect()
        });
        self.stream.one_of(&some)
    }

    async fn edit(&mut self) -> Result<(), StoreError> {
        let Some(id) = self.any_endpoint() else { return Ok(()) };
        let Some(endpoint) = self.store.endpoints(&[id]).await?.pop() else { return Ok(()) };
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
        let now = webhook_core::Clock::now(self.scene.yard.clock());
        let signing = endpoint.signing.rotated(secret, now, overlap).ok()?;
        Some(endpoint.with_signing(signing))
    }

    async fn add(&mut self) -> Result<(), StoreError> {
        self.added += 1;
        let tenants = self.scene.plan.tenants.clone();
        match draw_endpoint(&mut self.stream, self.added, &tenants) {
            Some(endpoint) => self.store.add_endpoint(endpoint).await,
            None => Ok(()),
        }
    }

    async fn remove(&mut self) -> Result<(), StoreError> {
        let Some(id) = self.any_endpoint() else { return Ok(()) };
        let Some(endpoint) = self.store.endpoints(&[id]).await?.pop() else { return Ok(()) };
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
        let failed = self.scene.recorder.ledger(Ledger::failed);
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
            self.scene.yard.sleep(Duration::from_millis(500)).await;
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

/// Puts everything right that nobody but people can: endpoints are active again, and no line is blocked.
pub(super) async fn put_right(scene: &Scene, but: Option<EndpointId>) -> Result<(), StoreError> {
    let store = scene.store_of(Actor::World);
    let present: Vec<_> = scene.recorder.ledger(Ledger::present).into_iter().collect();
    for id in present.into_iter().filter(|id| Some(*id) != but) {
        let Some(endpoint) = store.endpoints(&[id]).await?.pop() else { continue };
        if !endpoint.state.is_active() {
            let answer = store.update_endpoint(endpoint.with_state(EndpointState::Active)).await?;
            debug_assert!(matches!(answer, Updated::Done(_) | Updated::Stale));
        }
    }
    let failed = scene.recorder.ledger(Ledger::failed);
    if !failed.is_empty() {
        store.skip(failed).await?;
    }
    Ok(())
}

/// Whether people have to act before everything can end.
pub(super) fn needs_help(ledger: &Ledger) -> bool {
    let blocks = |(_, line): (&_, &Vec<DeliveryId>)| {
        let first = line.first().and_then(|id| ledger.deliveries.get(id));
        first.is_some_and(|it| it.status == DeliveryStatus::Failed)
    };
    let idle = ledger.endpoints.values().any(|it| !it.removed && !it.now.state.is_active());
    idle || ledger.lines.iter().any(blocks)
}
