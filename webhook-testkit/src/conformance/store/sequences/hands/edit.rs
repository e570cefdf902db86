//! What customers do with their endpoints.

use webhook_core::{Endpoint, EndpointState, EndpointStore as _, Revision, TenantId};

use super::{Call, Dice, Hands, TENANTS, make};

impl Hands {
    pub(super) fn new_endpoint(&self, dice: &Dice) -> Endpoint {
        let taken = dice.pick(&self.endpoints).filter(|_| dice.percent(5));
        let id = taken.map_or_else(|| self.ids.endpoint(), |taken| taken.id);
        make::endpoint(dice, id).with_tenant(dice.one_of(TENANTS).parse().unwrap())
    }

    /// An edit, mostly of what is stored; some begin at what was stored once.
    pub(super) async fn update(&self, dice: &Dice) -> Option<Call> {
        let known = dice.pick(&self.endpoints)?;
        let stored = self.memory.endpoints(&[known.id]).await.unwrap().pop();
        let stored = stored.filter(|_| dice.percent(85)).unwrap_or_else(|| known.clone());
        let mut edited = make::endpoint(dice, stored.id)
            .with_tenant(stored.tenant.clone())
            .with_revision(stored.revision);
        // Which URL a delivery of before shows is the store's own business.
        edited.url = stored.url;
        match dice.below(20) {
            0 => edited.tenant = dice.one_of(TENANTS).parse().unwrap(),
            1 => edited.revision = Revision::from_u64(77),
            2 => edited.id = self.ids.endpoint(),
            _ => {}
        }
        // Most are active, so that there is work.
        if dice.percent(60) {
            edited.state = EndpointState::Active;
        }
        Some(Call::Update(edited))
    }

    pub(super) fn remove(&self, dice: &Dice) -> Option<Call> {
        let endpoint = dice.pick(&self.endpoints)?;
        let mut tenant = endpoint.tenant.clone();
        if dice.percent(20) {
            tenant = dice.one_of(TENANTS).parse().unwrap();
        }
        Some(Call::Remove(tenant, endpoint.id))
    }

    pub(super) async fn look_at_endpoints(&mut self, dice: &Dice) -> Option<Call> {
        let tenant: TenantId = dice.one_of(TENANTS).parse().unwrap();
        let ids: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.id).collect();
        Some(match dice.below(4) {
            0 => Call::Tenants,
            1 => Call::Endpoints(dice.some_of(&ids)),
            _ => Call::Snapshot(tenant),
        })
    }
}
