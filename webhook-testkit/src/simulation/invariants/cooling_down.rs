use std::{collections::BTreeMap, time::Duration};

use webhook_core::{
    EndpointId,
    store::{Claimed, Enqueue, Enqueued},
};

use super::{Action, Effect, Invariant, ManualClock, Model, TraceEvent, Verdict};

// Catches `a probe that nobody holds back` in webhook-core/src/policy/allowance.rs:
// - self.health = self.health.probed(leases_end);
// + let _ = leases_end;
// Catches `an endpoint that rests gets work` in webhook-core/src/model/health.rs:
// - (Some(until), _) if now < until => 0,
// + (Some(until), _) if now < until => 1,
// Catches `publishers go past a rest` in webhook-testkit/src/memory/enqueue.rs:
// - intake(event, fan_out.as_ref(), version, is_behind, endpoint)
// + match intake(event, fan_out.as_ref(), version, is_behind, endpoint) {
// +     Intake::Unrouted if fan_out.as_ref().is_some_and(|it| it.version == Some(version)) && !is_behind => Intake::Routed,
// +     intake => intake,
// + }
/// An endpoint that cools down gets no delivery, then a single probe. Publishers keep to that too.
#[derive(Debug, Default)]
pub(super) struct CoolingDown {
    /// Probes in flight, and the end of their leases.
    probes: BTreeMap<EndpointId, Duration>,
}

impl Invariant for CoolingDown {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        match &traced.action {
            Action::Effect(Effect::Claimed { ask, claimed }) => {
                let probes = self.probe(claimed, traced.at, traced.at + ask.lease, before);
                claims(claimed, traced, before).and(|| probes)
            }
            // Any outcome may be the one of the probe.
            Action::Effect(Effect::Finished { finish, .. }) => {
                self.probes.remove(&finish.lease.delivery.endpoint);
                Verdict::NotApplicable
            }
            Action::Effect(Effect::Released { lease, .. }) => {
                self.probes.remove(&lease.delivery.endpoint);
                Verdict::NotApplicable
            }
            Action::Effect(Effect::Edited(endpoint)) => {
                self.probes.remove(&endpoint.id);
                Verdict::NotApplicable
            }
            Action::Effect(Effect::Enqueued { item, answer: Enqueued::Routed(_) }) => {
                leased(item, before)
            }
            _ => Verdict::NotApplicable,
        }
    }
}

impl CoolingDown {
    /// Checks that no second probe starts before the lease of the first has ended.
    fn probe(
        &mut self,
        claimed: &Claimed,
        now: Duration,
        ends: Duration,
        before: &Model,
    ) -> Verdict {
        Verdict::all(claimed.claims.iter().map(|claim| {
            let id = claim.lease.delivery;
            let rests = before.endpoint(id).is_some_and(|entry| entry.now.health.wants_probe());
            if !rests {
                return Verdict::NotApplicable;
            }
            // Stores count in milliseconds.
            let out = self.probes.insert(id.endpoint, ends);
            let alone = out.is_none_or(|ends| now + Duration::from_millis(1) >= ends);
            Verdict::of(alone, id, || "another probe is out".to_owned())
        }))
    }
}

fn claims(claimed: &Claimed, traced: &TraceEvent, before: &Model) -> Verdict {
    let now = ManualClock::START.after(traced.at);
    Verdict::all(claimed.claims.iter().map(|claim| {
        let id = claim.lease.delivery;
        let of = |endpoint: EndpointId| {
            claimed.claims.iter().filter(|claim| claim.lease.delivery.endpoint == endpoint).count()
        };
        let Some(endpoint) = before.endpoint(id).map(|entry| &entry.now) else {
            return Verdict::NotApplicable;
        };
        if endpoint.health.is_unrestricted() {
            return Verdict::NotApplicable;
        }
        let most = match endpoint.health.cools_down_until() {
            Some(until) if now < until => 0,
            Some(_) => 1,
            None => endpoint.health.allows(now, endpoint.max_in_flight),
        };
        let count = of(id.endpoint);
        let condition = endpoint.health.condition();
        Verdict::of(count <= most as usize, id, || format!("{count} claims, but it is {condition}"))
    }))
}

fn leased(item: &Enqueue, before: &Model) -> Verdict {
    let new = item
        .fan_out
        .iter()
        .flat_map(|fan_out| &fan_out.deliveries)
        .filter(|new| new.lease.is_some());
    Verdict::all(new.map(|new| {
        let well = before
            .endpoints
            .get(&new.endpoint)
            .is_none_or(|entry| entry.now.health.is_unrestricted());
        let id = webhook_core::DeliveryId::new(item.event.id, new.endpoint);
        Verdict::of(well, id, || "a publisher went past the rest of its endpoint".to_owned())
    }))
}
