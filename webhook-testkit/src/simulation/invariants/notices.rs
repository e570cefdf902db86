use std::collections::{BTreeMap, BTreeSet};

use webhook_core::{
    Delivery, DeliveryStatus, EndpointId, Finish, Finished, Notice, NoticeId, NoticeKind,
};

use super::{Ending, Judgement, Law};
use crate::{
    observed::{Change, Effect},
    simulation::{
        model::{Ledger, is_given_up},
        trace::{Happening, What},
    },
};

// Catches `nobody is told of what is given up` in webhook-core/src/engine/dispatcher/attempt.rs:
// - (finish.settle == Settle::Failed).then(|| {
// + (finish.settle == Settle::Failed && claim.recorded > 99).then(|| {
/// What is given up, or disabled by the engine, is told once; nothing is told without a cause on record.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Told or to be told: deliveries that were given up.
    exhausted: BTreeSet<NoticeId>,
    /// How often each endpoint was disabled by the engine.
    disabled: BTreeMap<EndpointId, usize>,
    /// `<delivery>.<epoch>` of each outcome on record.
    recorded: BTreeSet<String>,
    told: BTreeMap<NoticeId, Notice>,
}

impl Law for Notices {
    fn text(&self) -> (&'static str, &'static str) {
        (
            "notices",
            "what is given up or disabled by the engine is told once, and nothing without a cause",
        )
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        match &it.what {
            What::Effect(Effect::Finished { finish, answer: Finished::Recorded, change }) => {
                self.note_finish(finish, change, before);
            }
            What::Effect(Effect::Turned(endpoint)) => {
                let was = before.endpoints.get(&endpoint.id).map(|it| it.now.state);
                if is_given_up(endpoint.state) && was.is_some_and(|it| !is_given_up(it)) {
                    *self.disabled.entry(endpoint.id).or_default() += 1;
                }
            }
            What::Effect(Effect::Notices(notices)) => self.tell(notices),
            _ => {}
        }
        Judgement::Silent
    }

    fn judge(&mut self, ending: &Ending, _: &Ledger) -> Judgement {
        self.tell(&ending.notices);
        let missing = self.exhausted.iter().map(|id| {
            let told = self.told.contains_key(id);
            if told {
                Judgement::Held(1)
            } else {
                Judgement::Broken(None, format!("{id} was not told"))
            }
        });
        let causes = self.told.values().map(|notice| self.has_cause(notice));
        let disabled = self.disabled.iter().map(|(id, times)| {
            let told = self.told.values().filter(|it| is_disabled(it, *id)).count();
            if told == *times {
                return Judgement::Held(1);
            }
            Judgement::Broken(
                None,
                format!("{id} was disabled {times} times, and told {told} times"),
            )
        });
        Judgement::all(missing.chain(causes).chain(disabled))
    }
}

impl Notices {
    fn note_finish(&mut self, finish: &Finish, change: &Change, before: &Ledger) {
        let status = |it: &Option<Delivery>| it.as_ref().map(|it| it.status);
        self.recorded.insert(format!("{}.{}", finish.lease.delivery, finish.lease.epoch));
        let given_up = status(&change.before) == Some(DeliveryStatus::InFlight)
            && status(&change.after) == Some(DeliveryStatus::Failed);
        let endpoint = before.endpoint(finish.lease.delivery);
        let present = endpoint.is_some_and(|it| !it.removed);
        if given_up && present && finish.disable_endpoint.is_none() {
            let id = format!("{}.{}.delivery_exhausted", finish.lease.delivery, finish.lease.epoch);
            self.exhausted.insert(NoticeId::new(id));
        }
    }

    fn tell(&mut self, notices: &[Notice]) {
        self.told.extend(notices.iter().map(|it| (it.id.clone(), it.clone())));
    }

    fn has_cause(&self, notice: &Notice) -> Judgement {
        let cause = notice.id.as_str().rsplit_once('.').map(|(cause, _)| cause);
        let known = cause.is_some_and(|cause| self.recorded.contains(cause));
        let fits = match &notice.kind {
            NoticeKind::DeliveryExhausted { .. } => self.exhausted.contains(&notice.id),
            _ => true,
        };
        if known && fits {
            return Judgement::Held(1);
        }
        Judgement::Broken(None, format!("{} has no cause", notice.id))
    }
}

fn is_disabled(notice: &Notice, endpoint: EndpointId) -> bool {
    notice.endpoint == endpoint && matches!(notice.kind, NoticeKind::EndpointDisabled { .. })
}
