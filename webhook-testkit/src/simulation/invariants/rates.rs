use std::{collections::BTreeMap, time::Duration};

use webhook_core::{Claimed, EndpointId, RateLimit};

use super::{Judgement, Law};
use crate::{
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Happening, What},
    },
};

// Catches `a rate that nothing uses up` in webhook-core/src/policy/allowance.rs:
// - self.used = rate.take(self.used, count, now);
// + self.used = rate.take(self.used, 0, now);
/// In no span of time more attempts of an endpoint start than its burst and its rate allow, all workers
/// together.
#[derive(Debug, Default)]
pub(super) struct Rates {
    started: BTreeMap<EndpointId, (RateLimit, Vec<Duration>)>,
}

impl Law for Rates {
    fn text(&self) -> (&'static str, &'static str) {
        ("rates", "in no span of time more attempts start than an endpoint's burst and rate allow")
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        match &it.what {
            What::Effect(Effect::Claimed { claimed, .. }) => self.claimed(claimed, it.at, before),
            _ => Judgement::Silent,
        }
    }
}

impl Rates {
    fn claimed(&mut self, claimed: &Claimed, now: Duration, before: &Ledger) -> Judgement {
        Judgement::all(claimed.claims.iter().map(|claim| {
            let id = claim.lease.delivery;
            let Some(limit) = before.endpoint(id).and_then(|it| it.now.rate) else {
                self.started.remove(&id.endpoint);
                return Judgement::Silent;
            };
            let (known, times) =
                self.started.entry(id.endpoint).or_insert_with(|| (limit, Vec::new()));
            if *known != limit {
                (*known, *times) = (limit, Vec::new());
            }
            times.push(now);
            match too_many(limit, times) {
                None => Judgement::Held(u64::from(times.len() > 1)),
                Some((count, span)) => {
                    Judgement::Broken(Some(id), format!("{count} in {span:?}, and {limit} allowed"))
                }
            }
        }))
    }
}

/// A span up to the last start in which there are more than allowed.
fn too_many(limit: RateLimit, times: &[Duration]) -> Option<(usize, Duration)> {
    let last = times.last()?;
    times.iter().enumerate().find_map(|(at, since)| {
        let (count, span) = (times.len() - at, last.saturating_sub(*since));
        let allowed = f64::from(limit.burst()) + f64::from(limit.per_second()) * span.as_secs_f64();
        // Stores reckon by the millisecond.
        (count as f64 > allowed + 0.01).then_some((count, span))
    })
}
