use std::{collections::BTreeMap, sync::Arc};

use webhook_core::{Event, EventKey, TenantId, store::Enqueued};

use super::{Action, Effect, Invariant, Model, TraceEvent, Verdict};

// Catches `keys are not looked up` in webhook-testkit/src/memory/enqueue.rs:
// - by_id(event.id).or_else(|| by_key().and_then(by_id))
// + by_id(event.id).or_else(|| by_key().and_then(|_| None))
/// A key identifies one event of a tenant. Repeating that event returns the first one; another
/// event under the key is refused.
#[derive(Debug, Default)]
pub(super) struct Idempotent(BTreeMap<(TenantId, EventKey), Arc<Event>>);

impl Invariant for Idempotent {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Action::Effect(Effect::Enqueued { item, answer }) = &traced.action else {
            return Verdict::NotApplicable;
        };
        let event = &item.event;
        if before.events.get(&event.id).is_some_and(|entry| entry.stored) {
            let said_again = *answer == Enqueued::Duplicate(event.id);
            return judge(said_again, event, *answer);
        }
        let Some(key) = event.key.clone() else { return Verdict::NotApplicable };
        match self.0.get(&(event.tenant.clone(), key.clone())) {
            None => {
                self.0.insert((event.tenant.clone(), key), Arc::new(event.clone()));
                judge(matches!(answer, Enqueued::Routed(_) | Enqueued::Later), event, *answer)
            }
            Some(first) => {
                let same = first.event_type == event.event_type && first.body == event.body;
                let wanted =
                    if same { Enqueued::Duplicate(first.id) } else { Enqueued::Conflict(first.id) };
                judge(*answer == wanted, event, *answer)
            }
        }
    }
}

fn judge(holds: bool, event: &Event, answer: Enqueued) -> Verdict {
    if holds {
        return Verdict::Held(1);
    }
    Verdict::Violated(None, format!("event {} under key {:?}: {answer:?}", event.id, event.key))
}
