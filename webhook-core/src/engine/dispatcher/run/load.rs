//! Load: every attempt uses its endpoint's settings of now. Those at hand are kept while they are
//! as new as the claims that come in.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{Run, Step, log_failed};
use crate::{
    engine::{
        admission::slots::ClaimView,
        dispatcher::{
            batch::{Loaded, load},
            make_attempt::endpoint_unreadable,
        },
    },
    model::{endpoint::Endpoint, health::HealthSignal},
    port::store::work::Claim,
};

/// Maximum number of endpoints that are kept between claims. When it is exceeded, all are loaded
/// again.
const MAX_KEPT_ENDPOINTS: usize = 10_000;

impl Run<'_> {
    /// Whether the endpoint's settings at hand are at least as new as the claim.
    pub(super) fn holds(&self, claim: &Claim) -> bool {
        let held = self.endpoints.get(&claim.lease.delivery.endpoint);
        held.is_some_and(|endpoint| endpoint.revision >= claim.endpoint_revision)
    }

    pub(super) fn start_loading(
        &self,
        claims: Vec<Claim>,
        view: ClaimView,
        requested_at: Duration,
    ) {
        let mut ids: Vec<_> = claims.iter().map(|claim| claim.lease.delivery.endpoint).collect();
        ids.sort_unstable();
        ids.dedup();
        self.start(move |store| async move {
            Step::Loaded { loaded: load(&*store, &ids).await, claims, view, requested_at }
        });
    }

    pub(super) fn take_endpoints(
        &mut self,
        claims: Vec<Claim>,
        loaded: Loaded,
        view: &ClaimView,
        requested_at: Duration,
    ) {
        let now = self.now();
        for claim in &claims {
            self.endpoints.remove(&claim.lease.delivery.endpoint);
        }
        self.keep_endpoints(loaded.endpoints.into_iter().map(Arc::new).collect());
        if let Some(error) = &loaded.failure {
            log_failed("endpoints", error);
            self.schedule.store_failed(now);
            claims.iter().for_each(|claim| self.schedule.release_later(claim.lease, now));
            return;
        }
        let unreadable: BTreeMap<_, _> = loaded.unreadable.into_iter().collect();
        for (endpoint, error) in &unreadable {
            tracing::error!(%endpoint, error = error.cause(), "an endpoint cannot be read; its deliveries wait");
        }
        let (wait, start) = claims.into_iter().partition::<Vec<_>, _>(|claim| {
            unreadable.contains_key(&claim.lease.delivery.endpoint)
        });
        wait.iter()
            .for_each(|claim| self.finish_later(endpoint_unreadable(claim), HealthSignal::Void));
        self.start_or_release(start, view, requested_at);
    }

    /// Keeps these endpoints; if there are too many, in place of all others.
    pub(super) fn keep_endpoints(&mut self, endpoints: Vec<Arc<Endpoint>>) {
        if self.endpoints.len() + endpoints.len() > MAX_KEPT_ENDPOINTS {
            self.endpoints.clear();
        }
        for endpoint in endpoints {
            if endpoint.signing.keys().is_empty() {
                tracing::info!(
                    endpoint = %endpoint.id,
                    url = %endpoint.url,
                    "endpoint has no secret: its webhooks are not signed"
                );
            }
            self.endpoints.insert(endpoint.id, endpoint);
        }
    }
}
