//! The dispatcher: brings stored deliveries to their endpoints until told to stop.
//!
//! One future over the ports. It spawns nothing and owns no thread: run one per core, or poll it by
//! hand under a manual clock. Each turn of its loop starts what is due (record, release, route,
//! claim) and waits for whatever happens first.

mod batch;
pub(crate) mod config;
mod make_attempt;
mod run;
mod schedule;
mod unrouted;

use std::{future::Future, sync::Arc};

pub use config::{DispatcherConfig, InvalidDispatcherConfig};

use crate::{
    engine::{exchanger::Exchanger, fast_path::FastPath, publish::EventPublisher, wake::Wake},
    port::{Clock, Signer, Store, Transport},
};

/// The ports a dispatcher works through.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Ports {
    /// Where deliveries are kept.
    pub store: Arc<dyn Store>,
    /// What sends.
    pub transport: Arc<dyn Transport>,
    /// What signs.
    pub signer: Arc<dyn Signer>,
    /// What tells the time.
    pub clock: Arc<dyn Clock>,
}

impl Ports {
    /// These ports.
    pub fn new(
        store: Arc<dyn Store>,
        transport: Arc<dyn Transport>,
        signer: Arc<dyn Signer>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        Self { store, transport, signer, clock }
    }
}

/// Brings stored deliveries to their endpoints.
///
/// Any number of dispatchers, in any number of processes, may work on one store: a claim belongs to
/// one of them at a time.
#[derive(Debug)]
pub struct Dispatcher {
    store: Arc<dyn Store>,
    exchanger: Exchanger,
    wake: Wake,
    fast_path: FastPath,
    config: DispatcherConfig,
}

impl Dispatcher {
    /// A dispatcher over these ports.
    ///
    /// # Errors
    ///
    /// [`InvalidDispatcherConfig`] when the settings do not fit together, or need a capability that
    /// the store lacks.
    pub fn new(ports: Ports, config: DispatcherConfig) -> Result<Self, InvalidDispatcherConfig> {
        config.validate()?;
        config.validate_for(&*ports.store)?;
        let exchanger = Exchanger {
            transport: ports.transport,
            signer: ports.signer,
            clock: ports.clock,
            max_timeout: config.max_timeout,
        };
        let (wake, fast_path) = (Wake::default(), FastPath::default());
        Ok(Self { store: ports.store, exchanger, wake, fast_path, config })
    }

    /// Shares a hint with others, such as the publishers of this process.
    #[must_use]
    pub fn with_wake(mut self, wake: Wake) -> Self {
        self.wake = wake;
        self
    }

    /// Creates a publisher whose deliveries this dispatcher sends from memory while it runs, as far
    /// as slots are free.
    pub fn publisher(&self) -> EventPublisher {
        EventPublisher::with_fast_path(
            self.store.clone(),
            self.wake.clone(),
            self.fast_path.clone(),
        )
    }

    /// Works until `shutdown` completes, then drains: claims nothing more, lets attempts in flight
    /// end and records them, gives back what was not started.
    ///
    /// Run one dispatcher for each process: its limits are its own, and only one run at a time
    /// serves its [publishers](Self::publisher).
    ///
    /// Dropping the future is safe at any point, and rude: attempts in flight are recorded as
    /// unknown when their leases have ended.
    pub async fn run(&self, shutdown: impl Future<Output = ()>) -> Report {
        run::Run::new(self).until(shutdown).await
    }
}

/// What a run of a dispatcher came to. Attempts of this process only.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Deliveries that succeeded.
    pub delivered: usize,
    /// Attempts that failed and will be repeated.
    pub retried: usize,
    /// Deliveries given up.
    pub failed: usize,
    /// Events routed.
    pub routed: usize,
    /// Claims given back without an attempt.
    pub released: usize,
    /// Attempts whose lease another worker had taken over before they were recorded.
    pub leases_lost: usize,
    /// Attempts that the shutdown did not wait for; they are repeated when their leases have ended.
    pub cut: usize,
}

impl Report {
    /// Attempts that ended and are on record: delivered, to be repeated, or given up.
    pub const fn finished(&self) -> usize {
        self.delivered + self.retried + self.failed
    }

    /// Adds what another dispatcher did.
    #[must_use]
    pub const fn and(mut self, other: Self) -> Self {
        self.delivered += other.delivered;
        self.retried += other.retried;
        self.failed += other.failed;
        self.routed += other.routed;
        self.released += other.released;
        self.leases_lost += other.leases_lost;
        self.cut += other.cut;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_add_up_field_by_field() {
        let report = |unit| Report {
            delivered: unit,
            retried: 2 * unit,
            failed: 3 * unit,
            routed: 4 * unit,
            released: 5 * unit,
            leases_lost: 6 * unit,
            cut: 7 * unit,
        };
        assert_eq!(report(1).and(report(10)), report(11));
        assert_eq!(report(1).finished(), 1 + 2 + 3);
    }
}
