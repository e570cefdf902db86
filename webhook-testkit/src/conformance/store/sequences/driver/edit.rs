//! Calls of customers about their endpoints.

use webhook_core::{Endpoint, EndpointState, Revision, TenantId, store::Store};

use super::{Call, Driver, SplitMix64, TENANT_NAMES, make};

impl Driver {
    pub(super) fn new_endpoint(&self, rng: &SplitMix64) -> Endpoint {
        let taken = rng.pick(&self.endpoints).filter(|_| rng.percent(5));
        let id = taken.map_or_else(|| self.ids.endpoint(), |taken| taken.id);
        make::endpoint(rng, id).with_tenant(rng.one_of(TENANT_NAMES).parse().unwrap())
    }

    /// Edits the stored endpoint, or sometimes an earlier version of it.
    pub(super) async fn update(&self, rng: &SplitMix64) -> Option<Call> {
        let known = rng.pick(&self.endpoints)?;
        let stored = (&self.memory as &dyn Store).endpoint(known.id).await.unwrap();
        let stored = stored.filter(|_| rng.percent(85)).unwrap_or_else(|| known.clone());
        let mut edited = make::endpoint(rng, stored.id)
            .with_tenant(stored.tenant.clone())
            .with_revision(stored.revision);
        // The URL of earlier deliveries after an edit is not defined.
        edited.url = stored.url;
        match rng.below(20) {
            0 => edited.tenant = rng.one_of(TENANT_NAMES).parse().unwrap(),
            1 => edited.revision = Revision::from_u64(77),
            2 => edited.id = self.ids.endpoint(),
            _ => {}
        }
        // Most are active, so that there is work.
        if rng.percent(60) {
            edited.state = EndpointState::Active;
        }
        Some(Call::Update(edited))
    }

    pub(super) fn remove(&self, rng: &SplitMix64) -> Option<Call> {
        let endpoint = rng.pick(&self.endpoints)?;
        let mut tenant = endpoint.tenant.clone();
        if rng.percent(20) {
            tenant = rng.one_of(TENANT_NAMES).parse().unwrap();
        }
        Some(Call::Remove(tenant, endpoint.id))
    }

    pub(super) async fn read_endpoints(&mut self, rng: &SplitMix64) -> Option<Call> {
        let tenant: TenantId = rng.one_of(TENANT_NAMES).parse().unwrap();
        let ids: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.id).collect();
        Some(match rng.below(4) {
            0 => Call::Tenants,
            1 => Call::Endpoints(rng.some_of(&ids)),
            _ => Call::Snapshot(tenant),
        })
    }
}
