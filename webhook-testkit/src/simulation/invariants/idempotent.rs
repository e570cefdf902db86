use std::{collections::BTreeMap, sync::Arc};

use webhook_core::{Enqueued, Event, EventKey, TenantId};

use super::{Judgement, Law};
use crate::{
    observed::Effect,
    simulation::{
        model::Ledger,
        trace::{Happening, What},
    },
};

// Catches `keys are not looked up` in webhook-testkit/src/memory/enqueue.rs:
// - by_id(event.id).or_else(|| by_key().and_then(by_id))
// + by_id(event.id).or_else(|| by_key().and_then(|_| None))
/// One key of a tenant is one event: the same said again is the first, and anything else is refused.
#[derive(Debug, Default)]
pub(super) struct Idempotent(BTreeMap<(TenantId, EventKey), Arc<Event>>);

impl Law for Idempotent {
    fn text(&self) -> (&'static str, &'static str) {
        let law = "one key of a tenant is one event: the same said again is the first, anything else is refused";
        ("idempotent", law)
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let What::Effect(Effect::Enqueued { item, answer }) = &it.what else {
            return Judgement::Silent;
        };
        let event = &item.event;
        if before.events.get(&event.id).is_some_and(|it| it.stored) {
            let said_again = *answer == Enqueued::Duplicate(event.id);
            return judge(said_again, event, *answer);
        }
        let Some(key) = event.key.clone() else { return Judgement::Silent };
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

fn judge(holds: bool, event: &Event, answer: Enqueued) -> Judgement {
    if holds {
        return Judgement::Held(1);
    }
    Judgement::Broken(None, format!("event {} under key {:?}: {answer:?}", event.id, event.key))
}
