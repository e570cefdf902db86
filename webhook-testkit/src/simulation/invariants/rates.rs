use std::{collections::BTreeMap, time::Duration};

use webhook_core::{EndpointId, RateLimit, store::Claimed};

use super::{Action, Effect, Invariant, Model, TraceEvent, Verdict};

// Catches `a rate that nothing uses up` in webhook-core/src/policy/allowance.rs:
// - self.used = rate.take(self.used, count, now);
// + self.used = rate.take(self.used, 0, now);
/// In any time span, at most as many attempts of an endpoint start as its burst and rate allow,
/// across all workers.
#[derive(Debug, Default)]
pub(super) struct Rates {
    started: BTreeMap<EndpointId, (RateLimit, Vec<Duration>)>,
}

impl Invariant for Rates {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        match &traced.action {
            Action::Effect(Effect::Claimed { claimed, .. }) => {
                self.claimed(claimed, traced.at, before)
            }
            _ => Verdict::NotApplicable,
        }
    }
}

impl Rates {
    fn claimed(&mut self, claimed: &Claimed, now: Duration, before: &Model) -> Verdict {
        Verdict::all(claimed.claims.iter().map(|claim| {
            let id = claim.lease.delivery;
            let Some(limit) = before.endpoint(id).and_then(|entry| entry.now.rate) else {
                self.started.remove(&id.endpoint);
                return Verdict::NotApplicable;
            };
            let (known, times) =
                self.started.entry(id.endpoint).or_insert_with(|| (limit, Vec::new()));
            if *known != limit {
                (*known, *times) = (limit, Vec::new());
            }
            times.push(now);
            match too_many(limit, times) {
                None => Verdict::Held(u64::from(times.len() > 1)),
                Some((count, span)) => {
                    Verdict::Violated(Some(id), format!("{count} in {span:?}, and {limit} allowed"))
                }
            }
        }))
    }
}

/// A time span up to the last start with more attempts than allowed.
fn too_many(limit: RateLimit, times: &[Duration]) -> Option<(usize, Duration)> {
    let last = times.last()?;
    times.iter().enumerate().find_map(|(at, since)| {
        let (count, span) = (times.len() - at, last.saturating_sub(*since));
        let allowed = f64::from(limit.burst()) + f64::from(limit.per_second()) * span.as_secs_f64();
        // Stores count in milliseconds.
        (count as f64 > allowed + 0.01).then_some((count, span))
    })
}
