use std::collections::BTreeMap;

use webhook_core::{
    EndpointId, TenantId,
    store::{ClaimDue, Claimed},
};

use super::{Action, Effect, Invariant, Model, TraceEvent, Verdict};

// Catches `one tenant takes everything` in webhook-core/src/policy/tenant_share.rs:
// - if !self.with_work.iter().any(|other| other != tenant) {
// + if self.limit > 0 {
/// If two tenants have work, neither gets more in flight than its share.
#[derive(Debug, Default)]
pub(super) struct Shares;

impl Invariant for Shares {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        match &traced.action {
            Action::Effect(Effect::Claimed { ask, claimed }) => judge(ask, claimed, before),
            _ => Verdict::NotApplicable,
        }
    }
}

fn judge(ask: &ClaimDue, claimed: &Claimed, before: &Model) -> Verdict {
    let tenant = |id: &EndpointId| before.endpoints.get(id).map(|entry| entry.now.tenant.clone());
    let mut taken = BTreeMap::<TenantId, u32>::new();
    for claim in &claimed.claims {
        if let Some(tenant) = tenant(&claim.lease.delivery.endpoint) {
            *taken.entry(tenant).or_default() += 1;
        }
    }
    if taken.len() < 2 {
        return Verdict::NotApplicable;
    }
    for (id, count) in &ask.in_flight {
        if let Some(taken) = tenant(id).and_then(|tenant| taken.get_mut(&tenant)) {
            *taken += count;
        }
    }
    match taken.iter().find(|(_, count)| **count > ask.tenants.max_in_flight) {
        None => Verdict::Held(1),
        Some((tenant, count)) => {
            let share = ask.tenants.max_in_flight;
            Verdict::Violated(None, format!("{tenant} has {count} in flight, its share is {share}"))
        }
    }
}
