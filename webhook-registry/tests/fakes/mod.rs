//! A process over fakes, in virtual time.
#![allow(dead_code, unreachable_pub, reason = "each test uses some of it")]

use std::{future::pending, sync::Arc, time::Duration};

use webhook_registry::{Clock, DispatcherConfig, Webhooks, signing::Signer};
use webhook_testkit::{ManualClock, MemoryStore, ScriptedTransport, SequenceIds};

pub struct Fakes {
    pub clock: ManualClock,
    pub transport: ScriptedTransport,
    pub webhooks: Webhooks,
}

impl Fakes {
    pub fn new(signer: impl Signer) -> Self {
        Self::with(signer, DispatcherConfig::new())
    }

    pub fn with(signer: impl Signer, config: DispatcherConfig) -> Self {
        let clock = ManualClock::new();
        let shared: Arc<dyn Clock> = Arc::new(clock.clone());
        let transport = ScriptedTransport::with_clock(shared.clone());
        let webhooks = Webhooks::builder()
            .store(MemoryStore::new(shared))
            .transport(transport.clone())
            .signer(signer)
            .clock(clock.clone())
            .ids(SequenceIds::new())
            .dispatcher(config)
            .build()
            .unwrap();
        Self { clock, transport, webhooks }
    }

    /// Delivers until nothing is left that is due within `horizon`, turning the clock whenever
    /// everybody waits.
    pub async fn deliver(&self, horizon: Option<Duration>) {
        let turn = async {
            loop {
                tokio::task::yield_now().await;
                if let Some(wait) = self.clock.next_deadline() {
                    self.clock.advance(wait);
                }
            }
        };
        tokio::select! {
            biased;
            done = self.webhooks.run_until_idle(horizon, pending()) => { done.unwrap(); }
            () = turn => {}
        }
    }
}
