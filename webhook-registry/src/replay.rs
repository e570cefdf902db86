//! Replays: what was failed or missed is sent again, page by page, at a rate.
//!
//! The rate is kept by waiting between pages, by the [`Clock`](webhook_core::Clock), and not by due
//! times spread over the future: what is not due yet is not stored as due, so whoever stops the
//! replay has stopped it, and the workers' backlog stays short.

use std::time::Duration;

use webhook_core::{
    Replay,
    store::{DeliveryOperations as _, ReplayPage, ReplayState, Replayed},
};

use crate::{engine::Engine, error::EndpointError};

/// Deliveries per second by default.
const DEFAULT_DELIVERIES_PER_SECOND: u32 = 100;

/// Pages per second: small pages spread the deliveries that become due.
const MAX_PAGES_PER_SECOND: u32 = 4;

/// Deliveries in one transaction: few enough not to block other transactions for long.
const DELIVERIES_PER_PAGE: usize = 250;

/// A replay under way. It goes on only while somebody asks for the [next page](Self::next_page), or
/// [runs](Self::run) it.
///
/// Giving it up at any point is safe: its [`state`](Self::state) goes on where it stood, in another
/// process if need be. A page that is done twice sends nothing twice; and a replay that is begun
/// anew finds what the first has not reached.
///
/// ```
/// use webhook_registry::{EndpointId, Include, Replay, Tenant, error::EndpointError};
///
/// /// Sends again what `endpoint` did not take.
/// async fn again(tenant: Tenant<'_>, endpoint: EndpointId) -> Result<u64, EndpointError> {
///     let replay = Replay::new(endpoint, Include::Failed);
///     let mut replaying = tenant.replay(replay).await?.rate(50);
///     println!("{} deliveries", replaying.estimate().await?);
///     while let Some(done) = replaying.next_page().await? {
///         println!("{done} more; to go on after a crash: {}", replaying.state());
///     }
///     Ok(replaying.state().done)
/// }
/// ```
#[derive(Debug)]
pub struct Replaying<'a> {
    engine: &'a Engine,
    state: ReplayState,
    per_second: u32,
    /// How long to wait before the next page.
    pause: Duration,
}

impl<'a> Replaying<'a> {
    /// Begins now, by the store's clock; nothing is sent yet.
    pub(crate) async fn begin(engine: &'a Engine, replay: Replay) -> Result<Self, EndpointError> {
        let look = ReplayPage::first(replay.clone()).dry_run().limit(1);
        let begun = unless_gone(&replay, engine.store.replay(look).await?)?;
        Ok(Self::resume(engine, ReplayState::new(replay, begun.began_at)))
    }

    pub(crate) const fn resume(engine: &'a Engine, state: ReplayState) -> Self {
        Self { engine, state, per_second: DEFAULT_DELIVERIES_PER_SECOND, pause: Duration::ZERO }
    }

    /// Sets how many deliveries are made due in a second, at least 1; by default 100.
    #[must_use]
    pub const fn rate(mut self, per_second: u32) -> Self {
        self.per_second = if per_second == 0 { 1 } else { per_second };
        self
    }

    /// How far it is. Keep it, to go on from here later.
    pub const fn state(&self) -> &ReplayState {
        &self.state
    }

    /// Counts what is still to be sent again, exactly, in pages that are short reads each. Others
    /// may change that meanwhile: what somebody else redelivers is not sent by the replay as well.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`] when the endpoint is gone; or the store's.
    pub async fn estimate(&self) -> Result<u64, EndpointError> {
        let (mut ahead, mut count) = (self.state.clone(), 0);
        while let Some(page) = ReplayPage::next(&ahead) {
            let page = page.dry_run().limit(ReplayPage::MAX_LIMIT);
            let some = unless_gone(&ahead.replay, self.engine.store.replay(page).await?)?;
            (ahead.next, count) = (some.next, count + some.count);
        }
        Ok(count)
    }

    /// Does the next page, once the rate allows, and answers how many deliveries are due by it;
    /// nothing, at the end. After an error it may be called again.
    ///
    /// # Errors
    ///
    /// [`EndpointError::NotFound`] when the endpoint is gone; or the store's.
    pub async fn next_page(&mut self) -> Result<Option<u64>, EndpointError> {
        let Some(page) = ReplayPage::next(&self.state) else { return Ok(None) };
        if !self.pause.is_zero() {
            self.engine.clock.sleep(self.pause).await;
            self.pause = Duration::ZERO;
        }
        let some = self.engine.store.replay(page.limit(self.page_limit())).await?;
        let some = unless_gone(&self.state.replay, some)?;
        self.state.next = some.next;
        self.state.done = self.state.done.saturating_add(some.count);
        self.pause =
            Duration::from_secs(some.count.min(DELIVERIES_PER_PAGE as u64)) / self.per_second;
        self.engine.wake.wake();
        Ok(Some(some.count))
    }

    /// Goes on to the end, and answers how many deliveries were made due again, earlier pages
    /// included.
    ///
    /// # Errors
    ///
    /// As [`next_page`](Self::next_page); the state says how far it came.
    pub async fn run(&mut self) -> Result<u64, EndpointError> {
        while self.next_page().await?.is_some() {}
        Ok(self.state.done)
    }

    fn page_limit(&self) -> usize {
        usize::try_from(self.per_second / MAX_PAGES_PER_SECOND)
            .unwrap_or(DELIVERIES_PER_PAGE)
            .clamp(1, DELIVERIES_PER_PAGE)
    }
}

/// Returns an error if the endpoint is removed.
fn unless_gone(replay: &Replay, answer: Replayed) -> Result<Replayed, EndpointError> {
    if answer.endpoint_gone { Err(EndpointError::NotFound(replay.endpoint)) } else { Ok(answer) }
}
