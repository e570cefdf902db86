use std::{collections::BTreeMap, time::Duration};

use webhook_core::{Claimed, EndpointId, Enqueue, Enqueued};

use super::{Judgement, Law};
use crate::{
    ManualClock,
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Happening, What},
    },
};

// Catches `a probe that nobody holds back` in webhook-core/src/policy/allowance.rs:
// - self.health = self.health.probed(leases_end);
// + let _ = leases_end;
// Catches `an endpoint that rests gets work` in webhook-core/src/model/health.rs:
// - (Some(until), _) if now < until => 0,
// + (Some(until), _) if now < until => 1,
// Catches `publishers go past a rest` in webhook-testkit/src/memory/enqueue.rs:
// - endpoints.all(|endpoint| endpoint.health.is_well())
// + endpoints.all(|_| true)
/// Nothing is started to an endpoint that rests; then only the probe; and no publisher goes past that.
#[derive(Debug, Default)]
pub(super) struct Cooling {
    /// The probes that are out, and when their leases end.
    probes: BTreeMap<EndpointId, Duration>,
}

impl Law for Cooling {
    fn text(&self) -> (&'static str, &'static str) {
        (
            "cooling",
            "nothing is started to an endpoint that rests, then only the probe; no publisher goes past that",
        )
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        match &it.what {
            What::Effect(Effect::Claimed { ask, claimed }) => {
                let probes = self.probe(claimed, it.at, it.at + ask.lease, before);
                claims(claimed, it, before).and(|| probes)
            }
            // Whatever comes in may be what the probe was for.
            What::Effect(Effect::Finished { finish, .. }) => {
                self.probes.remove(&finish.lease.delivery.endpoint);
                Judgement::Silent
            }
            What::Effect(Effect::Released { lease, .. }) => {
                self.probes.remove(&lease.delivery.endpoint);
                Judgement::Silent
            }
            What::Effect(Effect::Edited(endpoint)) => {
                self.probes.remove(&endpoint.id);
                Judgement::Silent
            }
            What::Effect(Effect::Enqueued { item, answer: Enqueued::Routed(_) }) => {
                leased(item, before)
            }
            _ => Judgement::Silent,
        }
    }
}

impl Cooling {
    /// One probe at a time: its lease ends before there is another.
    fn probe(
        &mut self,
        claimed: &Claimed,
        now: Duration,
        ends: Duration,
        before: &Ledger,
    ) -> Judgement {
        Judgement::all(claimed.claims.iter().map(|claim| {
            let id = claim.lease.delivery;
            let rests = before.endpoint(id).is_some_and(|it| it.now.health.wants_probe());
            if !rests {
                return Judgement::Silent;
            }
            // Stores reckon by the millisecond.
            let out = self.probes.insert(id.endpoint, ends);
            let alone = out.is_none_or(|ends| now + Duration::from_millis(1) >= ends);
            Judgement::of(alone, id, || "another probe is out".to_owned())
        }))
    }
}

fn claims(claimed: &Claimed, it: &Happening, before: &Ledger) -> Judgement {
    let now = ManualClock::START.after(it.at);
    Judgement::all(claimed.claims.iter().map(|claim| {
        let id = claim.lease.delivery;
        let of = |endpoint: EndpointId| {
            claimed.claims.iter().filter(|it| it.lease.delivery.endpoint == endpoint).count()
        };
        let Some(endpoint) = before.endpoint(id).map(|it| &it.now) else {
            return Judgement::Silent;
        };
        if endpoint.health.is_well() {
            return Judgement::Silent;
        }
        let most = match endpoint.health.rests_until() {
            Some(until) if now < until => 0,
            Some(_) => 1,
            None => endpoint.health.allows(now, endpoint.max_in_flight),
        };
        let count = of(id.endpoint);
        let condition = endpoint.health.condition();
        Judgement::of(count <= most as usize, id, || {
            format!("{count} claims, but it is {condition}")
        })
    }))
}

fn leased(item: &Enqueue, before: &Ledger) -> Judgement {
    let new = item.fan_out.iter().flat_map(|it| &it.deliveries).filter(|new| new.lease.is_some());
    Judgement::all(new.map(|new| {
        let well = before.endpoints.get(&new.endpoint).is_none_or(|it| it.now.health.is_well());
        let id = webhook_core::DeliveryId::new(item.event.id, new.endpoint);
        Judgement::of(well, id, || "a publisher went past the rest of its endpoint".to_owned())
    }))
}
