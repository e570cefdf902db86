//! Route: events that were stored unrouted get their deliveries.

use std::time::Duration;

use super::{Run, Step, log_failed};
use crate::{
    engine::dispatcher::unrouted::{Routing, route_unrouted},
    port::StoreError,
};

impl Run<'_> {
    /// Takes unrouted events, and stores their deliveries.
    pub(super) fn start_routing(&mut self, now: Duration) {
        if self.schedule.begin_routing(now) {
            self.start(|store| async move { Step::Routed(route_unrouted(&*store).await) });
        }
    }

    pub(super) fn take_routing(&mut self, answer: Result<Routing, StoreError>) {
        let now = self.now();
        match answer {
            Ok(routing) => {
                self.report.routed += routing.routed;
                self.schedule.routed(routing, now);
            }
            Err(error) => {
                log_failed("route", &error);
                self.schedule.routing_failed(now);
            }
        }
    }
}
