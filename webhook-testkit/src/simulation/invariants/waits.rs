use std::{collections::BTreeMap, time::Duration};

use webhook_core::{
    DeliveryId, DeliveryStatus, Endpoint, RetryPolicy, Timestamp,
    store::{Claim, Finish, Settle},
    transport::TransportErrorKind,
};

use super::{Action, Effect, Invariant, Model, SendEntry, SendOutcome, TraceEvent, Verdict};

// Catches `Retry-After shortens` in webhook-core/src/policy/decide.rs:
// - retry(delivery, progress, policy, |wait| wait.max(asked))
// + retry(delivery, progress, policy, |wait| retry_after.map_or(wait, |_| asked))
// Catches `no cap on Retry-After` in webhook-core/src/policy/decide.rs:
// - let asked = retry_after.unwrap_or_default().min(policy.max_retry_after());
// + let asked = retry_after.unwrap_or_default().min(Duration::from_secs(400_000));
// Catches `jitter out of bounds` in webhook-core/src/model/retry.rs:
// - seed % (2 * spread + 1)
// + seed % (4 * spread + 1)
// Catches `claimed before it is due` in webhook-testkit/src/memory/finish.rs:
// - let Transition { result, change } = row.state.finished(&item, now);
// + let mut item = item;
// + if let webhook_core::store::Settle::Retry(wait) = item.settle {
// +     item.settle = webhook_core::store::Settle::Retry(wait / 2);
// + }
// + let Transition { result, change } = row.state.finished(&item, now);
// Catches `given up one attempt too early` in webhook-core/src/policy/decide.rs:
// - match policy.wait_after(progress.tries(), delivery) {
// + match policy.wait_after(progress.tries() + 1, delivery) {
// Catches `a success is forgotten` in webhook-core/src/engine/dispatcher/make_attempt.rs:
// - Decision::Succeed => (Settle::Success, 0),
// + Decision::Succeed => (Settle::Retry(Duration::ZERO), 0),
/// After a failure the wait is the policy's, jitter included. `Retry-After` extends it up to its
/// cap and never shortens it. Nothing is claimed before the wait has ended, and no delivery fails
/// too early.
#[derive(Debug, Default)]
pub(super) struct Waits {
    due: BTreeMap<DeliveryId, Duration>,
}

impl Invariant for Waits {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Action::Effect(effect) = &traced.action else { return Verdict::NotApplicable };
        match effect {
            Effect::Finished { finish, change, .. } => {
                let status = change.before.as_ref().map(|delivery| delivery.status);
                if status != Some(DeliveryStatus::InFlight) || change.before == change.after {
                    return Verdict::NotApplicable;
                }
                if let Settle::Retry(wait) = finish.settle {
                    self.due.insert(finish.lease.delivery, traced.at + wait);
                }
                judge(finish, before)
            }
            Effect::Claimed { claimed, .. } => {
                Verdict::all(claimed.claims.iter().map(|claim| self.is_due(claim, traced.at)))
            }
            Effect::Redelivered { delivery, .. } => {
                self.due.remove(delivery);
                Verdict::NotApplicable
            }
            _ => Verdict::NotApplicable,
        }
    }
}

impl Waits {
    fn is_due(&mut self, claim: &Claim, now: Duration) -> Verdict {
        let id = claim.lease.delivery;
        let Some(due) = self.due.remove(&id) else { return Verdict::NotApplicable };
        // Stores count in milliseconds.
        let holds = now + Duration::from_millis(1) >= due;
        Verdict::of(holds, id, || format!("claimed {:?} too soon", due.saturating_sub(now)))
    }
}

fn judge(finish: &Finish, before: &Model) -> Verdict {
    let id = finish.lease.delivery;
    let Some(entry) = before.deliveries.get(&id) else { return Verdict::NotApplicable };
    let (Some(claim), Some(send)) =
        (entry.claim_at(finish.lease.epoch), entry.send_at(finish.lease.epoch))
    else {
        return Verdict::NotApplicable;
    };
    let (Some((ended, outcome)), Some(endpoint)) = (&send.outcome, before.endpoint(id)) else {
        return Verdict::NotApplicable;
    };
    let wanted = Wanted::after(outcome, send, *ended, &claim.claim, &endpoint.now);
    Verdict::of(wanted.allows(finish.settle), id, || {
        format!(
            "after {outcome:?} as try {} outcome {:?}; {wanted:?}",
            claim.claim.progress.tries(),
            finish.settle
        )
    })
}

/// Expected decision.
#[derive(Debug)]
enum Wanted {
    Success,
    Failed,
    Wait { least: Duration, most: Duration },
}

impl Wanted {
    fn after(
        outcome: &SendOutcome,
        send: &SendEntry,
        ended: Duration,
        claim: &Claim,
        endpoint: &Endpoint,
    ) -> Self {
        let (policy, tries) = (&endpoint.retry, claim.progress.tries());
        match outcome {
            outcome if outcome.is_success() => Self::Success,
            SendOutcome::Status { status: 410, .. }
            | SendOutcome::Fault(TransportErrorKind::BlockedLiteral) => Self::Failed,
            SendOutcome::Fault(TransportErrorKind::Local) => {
                Self::own_fault(claim.progress.forgiven)
            }
            _ if tries >= policy.max_attempts() => Self::Failed,
            SendOutcome::Fault(TransportErrorKind::StaleConnection) => {
                Self::policy(policy, 1, None)
            }
            SendOutcome::Status { retry_after, .. } => {
                let now = send.clock.after(ended.saturating_sub(send.at));
                let asked = retry_after.as_deref().and_then(|text| asked(text, now));
                Self::policy(policy, tries, asked)
            }
            _ => Self::policy(policy, tries, None),
        }
    }

    fn policy(policy: &RetryPolicy, failures: u32, asked: Option<Duration>) -> Self {
        let plan = policy.plan();
        let next =
            plan.attempts.iter().find(|attempt| attempt.number == failures.saturating_add(1));
        let Some(base) = next.map(|attempt| attempt.wait) else { return Self::Failed };
        let jitter = base * u32::from(plan.jitter_percent) / 100;
        let asked = asked.unwrap_or_default().min(policy.max_retry_after());
        Self::Wait { least: (base - jitter).max(asked), most: (base + jitter).max(asked) }
    }

    /// 5 s, doubled each time, at most an hour, with a jitter of a fifth.
    fn own_fault(forgiven: u32) -> Self {
        let base = Duration::from_secs(5) * 2u32.saturating_pow(forgiven.min(20));
        let base = base.min(Duration::from_secs(3600));
        Self::Wait { least: base * 4 / 5, most: base * 6 / 5 }
    }

    fn allows(&self, settle: Settle) -> bool {
        // An HTTP date has whole seconds.
        let slack = Duration::from_secs(1);
        match (self, settle) {
            (Self::Success, Settle::Success) | (Self::Failed, Settle::Failed) => true,
            (Self::Wait { least, most }, Settle::Retry(wait)) => {
                wait + slack >= *least && wait <= *most + slack
            }
            _ => false,
        }
    }
}

/// Wait that `Retry-After` asks for, parsed independently of the engine.
fn asked(text: &str, now: Timestamp) -> Option<Duration> {
    if text.chars().all(|character| character.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_unix_secs(i64::try_from(date.as_secs()).ok()?).since(now))
}
