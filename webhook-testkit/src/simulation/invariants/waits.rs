use std::{collections::BTreeMap, time::Duration};

use webhook_core::{
    Claim, DeliveryId, DeliveryStatus, Endpoint, Finish, RetryPolicy, Settle, Timestamp,
    TransportErrorKind,
};

use super::{Judgement, Law};
use crate::{
    observed::Effect,
    simulation::{
        model::{Ledger, SendBook},
        trace::{Came, Happening, What},
    },
};

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
// - row.due_at = now.after(wait);
// + row.due_at = now.after(wait / 2);
// Catches `given up one attempt too early` in webhook-core/src/policy/decide.rs:
// - match policy.wait_after(progress.tries(), delivery) {
// + match policy.wait_after(progress.tries() + 1, delivery) {
// Catches `a success is forgotten` in webhook-core/src/engine/dispatcher/attempt.rs:
// - Decision::Succeed => (Settle::Success, 0),
// + Decision::Succeed => (Settle::Retry(Duration::ZERO), 0),
/// After a failure the wait is the policy's, jitter included; `Retry-After` makes it longer, up to its
/// cap, and never shorter; nothing is claimed before it is over, and nothing given up too soon.
#[derive(Debug, Default)]
pub(super) struct Waits {
    due: BTreeMap<DeliveryId, Duration>,
}

impl Law for Waits {
    fn text(&self) -> (&'static str, &'static str) {
        let law = "a wait is the policy's, or what Retry-After asks beyond that up to its cap, and is waited for";
        ("waits", law)
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let What::Effect(effect) = &it.what else { return Judgement::Silent };
        match effect {
            Effect::Finished { finish, change, .. } => {
                let status = change.before.as_ref().map(|it| it.status);
                if status != Some(DeliveryStatus::InFlight) || change.before == change.after {
                    return Judgement::Silent;
                }
                if let Settle::Retry(wait) = finish.settle {
                    self.due.insert(finish.lease.delivery, it.at + wait);
                }
                judge(finish, before)
            }
            Effect::Claimed { claimed, .. } => {
                Judgement::all(claimed.claims.iter().map(|claim| self.is_due(claim, it.at)))
            }
            Effect::Redelivered { delivery, .. } => {
                self.due.remove(delivery);
                Judgement::Silent
            }
            _ => Judgement::Silent,
        }
    }
}

impl Waits {
    fn is_due(&mut self, claim: &Claim, now: Duration) -> Judgement {
        let id = claim.lease.delivery;
        let Some(due) = self.due.remove(&id) else { return Judgement::Silent };
        // Stores reckon by the millisecond.
        let holds = now + Duration::from_millis(1) >= due;
        Judgement::of(holds, id, || format!("claimed {:?} too soon", due.saturating_sub(now)))
    }
}

fn judge(finish: &Finish, before: &Ledger) -> Judgement {
    let id = finish.lease.delivery;
    let Some(book) = before.deliveries.get(&id) else { return Judgement::Silent };
    let (Some(claim), Some(send)) =
        (book.claim_at(finish.lease.epoch), book.send_at(finish.lease.epoch))
    else {
        return Judgement::Silent;
    };
    let (Some((ended, came)), Some(endpoint)) = (&send.came, before.endpoint(id)) else {
        return Judgement::Silent;
    };
    let wanted = Wanted::after(came, send, *ended, &claim.claim, &endpoint.now);
    Judgement::of(wanted.allows(finish.settle), id, || {
        format!(
            "after {came:?} as try {} came {:?}; {wanted:?}",
            claim.claim.progress.tries(),
            finish.settle
        )
    })
}

/// What may follow.
#[derive(Debug)]
enum Wanted {
    Success,
    Failed,
    Wait { least: Duration, most: Duration },
}

impl Wanted {
    fn after(
        came: &Came,
        send: &SendBook,
        ended: Duration,
        claim: &Claim,
        endpoint: &Endpoint,
    ) -> Self {
        let (policy, tries) = (&endpoint.retry, claim.progress.tries());
        match came {
            came if came.is_success() => Self::Success,
            Came::Status { status: 410, .. } | Came::Fault(TransportErrorKind::BlockedLiteral) => {
                Self::Failed
            }
            Came::Fault(TransportErrorKind::Local) => Self::own_fault(claim.progress.forgiven),
            _ if tries >= policy.max_attempts() => Self::Failed,
            Came::Fault(TransportErrorKind::StaleConnection) => Self::policy(policy, 1, None),
            Came::Status { retry_after, .. } => {
                let now = send.clock.after(ended.saturating_sub(send.at));
                let asked = retry_after.as_deref().and_then(|text| asked(text, now));
                Self::policy(policy, tries, asked)
            }
            _ => Self::policy(policy, tries, None),
        }
    }

    fn policy(policy: &RetryPolicy, failures: u32, asked: Option<Duration>) -> Self {
        let plan = policy.plan();
        let next = plan.attempts.iter().find(|it| it.number == failures.saturating_add(1));
        let Some(base) = next.map(|it| it.wait) else { return Self::Failed };
        let jitter = base * u32::from(plan.jitter_percent) / 100;
        let asked = asked.unwrap_or_default().min(policy.max_retry_after());
        Self::Wait { least: (base - jitter).max(asked), most: (base + jitter).max(asked) }
    }

    /// 5 s, twice as long each time, an hour at most, give or take a fifth.
    fn own_fault(forgiven: u32) -> Self {
        let base = Duration::from_secs(5) * 2u32.saturating_pow(forgiven.min(20));
        let base = base.min(Duration::from_secs(3600));
        Self::Wait { least: base * 4 / 5, most: base * 6 / 5 }
    }

    fn allows(&self, settle: Settle) -> bool {
        // An HTTP date has no parts of a second.
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

/// What `Retry-After` asks for, read by other means than the engine's.
fn asked(text: &str, now: Timestamp) -> Option<Duration> {
    if text.chars().all(|it| it.is_ascii_digit()) {
        return Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)));
    }
    let date = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::from_unix_secs(i64::try_from(date.as_secs()).ok()?).since(now))
}
