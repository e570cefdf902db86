use std::collections::BTreeMap;

use webhook_core::{ClaimDue, Claimed, EndpointId, TenantId};

use super::{Judgement, Law};
use crate::{
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Happening, What},
    },
};

// Catches `one tenant takes everything` in webhook-core/src/policy/tenant_share.rs:
// - if !self.with_work.iter().any(|other| other != tenant) {
// + if self.limit > 0 {
/// When two tenants have work, none of them gets more in flight than its share.
#[derive(Debug)]
pub(super) struct Shares;

impl Law for Shares {
    fn text(&self) -> (&'static str, &'static str) {
        ("shares", "when two tenants have work, none of them gets more in flight than its share")
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        match &it.what {
            What::Effect(Effect::Claimed { ask, claimed }) => judge(ask, claimed, before),
            _ => Judgement::Silent,
        }
    }
}

fn judge(ask: &ClaimDue, claimed: &Claimed, before: &Ledger) -> Judgement {
    let tenant = |id: &EndpointId| before.endpoints.get(id).map(|it| it.now.tenant.clone());
    let mut taken = BTreeMap::<TenantId, u32>::new();
    for claim in &claimed.claims {
        if let Some(tenant) = tenant(&claim.lease.delivery.endpoint) {
            *taken.entry(tenant).or_default() += 1;
        }
    }
    if taken.len() < 2 {
        return Judgement::Silent;
    }
    for (id, count) in &ask.in_flight {
        if let Some(taken) = tenant(id).and_then(|tenant| taken.get_mut(&tenant)) {
            *taken += count;
        }
    }
    match taken.iter().find(|(_, count)| **count > ask.tenant_share) {
        None => Judgement::Held(1),
        Some((tenant, count)) => {
            let share = ask.tenant_share;
            Judgement::Broken(None, format!("{tenant} has {count} in flight, its share is {share}"))
        }
    }
}
