use std::collections::{BTreeMap, BTreeSet};

use webhook_core::{
    Delivery, DeliveryStatus, EndpointId, Notice, NoticeId, NoticeKind,
    store::{Finish, Finished},
};

use super::{Action, Change, Effect, EndState, Invariant, Model, TraceEvent, Verdict, is_given_up};

// Catches `nobody is told of what is given up` in webhook-core/src/engine/dispatcher/make_attempt.rs:
// - (finish.settle == Settle::Failed).then(|| {
// + (finish.settle == Settle::Failed && claim.recorded > 99).then(|| {
/// Each failed delivery and each endpoint disabled by the engine has one notice. No notice lacks a
/// recorded cause.
#[derive(Debug, Default)]
pub(super) struct Notices {
    /// Expected notices of failed deliveries.
    exhausted: BTreeSet<NoticeId>,
    /// How often each endpoint was disabled by the engine.
    disabled: BTreeMap<EndpointId, usize>,
    /// `<delivery>.<epoch>` of each recorded outcome.
    recorded: BTreeSet<String>,
    seen: BTreeMap<NoticeId, Notice>,
}

impl Invariant for Notices {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        match &traced.action {
            Action::Effect(Effect::Finished { finish, answer: Finished::Recorded, change }) => {
                self.note_finish(finish, change, before);
            }
            Action::Effect(Effect::Refreshed(endpoint)) => {
                let was = before.endpoints.get(&endpoint.id).map(|entry| entry.now.state);
                if is_given_up(endpoint.state) && was.is_some_and(|state| !is_given_up(state)) {
                    *self.disabled.entry(endpoint.id).or_default() += 1;
                }
            }
            Action::Effect(Effect::Notices(notices)) => self.record(notices),
            _ => {}
        }
        Verdict::NotApplicable
    }

    fn check_end(&mut self, end: &EndState, _: &Model) -> Verdict {
        self.record(&end.notices);
        let missing = self.exhausted.iter().map(|id| {
            let is_there = self.seen.contains_key(id);
            if is_there {
                Verdict::Held(1)
            } else {
                Verdict::Violated(None, format!("{id} has no notice"))
            }
        });
        let causes = self.seen.values().map(|notice| self.has_cause(notice));
        let disabled = self.disabled.iter().map(|(id, times)| {
            let count = self.seen.values().filter(|notice| is_disabled(notice, *id)).count();
            if count == *times {
                return Verdict::Held(1);
            }
            Verdict::Violated(
                None,
                format!("{id} was disabled {times} times, and has {count} notices"),
            )
        });
        Verdict::all(missing.chain(causes).chain(disabled))
    }
}

impl Notices {
    fn note_finish(&mut self, finish: &Finish, change: &Change, before: &Model) {
        let status = |state: &Option<Delivery>| state.as_ref().map(|delivery| delivery.status);
        self.recorded.insert(format!("{}.{}", finish.lease.delivery, finish.lease.epoch));
        let given_up = status(&change.before) == Some(DeliveryStatus::InFlight)
            && status(&change.after) == Some(DeliveryStatus::Failed);
        let endpoint = before.endpoint(finish.lease.delivery);
        let present = endpoint.is_some_and(|endpoint| !endpoint.removed);
        if given_up && present && finish.disable_endpoint.is_none() {
            let id = format!("{}.{}.delivery_exhausted", finish.lease.delivery, finish.lease.epoch);
            self.exhausted.insert(NoticeId::new(id));
        }
    }

    fn record(&mut self, notices: &[Notice]) {
        self.seen.extend(notices.iter().map(|notice| (notice.id.clone(), notice.clone())));
    }

    fn has_cause(&self, notice: &Notice) -> Verdict {
        let cause = notice.id.as_str().rsplit_once('.').map(|(cause, _)| cause);
        let known = cause.is_some_and(|cause| self.recorded.contains(cause));
        let fits = match &notice.kind {
            NoticeKind::DeliveryExhausted { .. } => self.exhausted.contains(&notice.id),
            _ => true,
        };
        if known && fits {
            return Verdict::Held(1);
        }
        Verdict::Violated(None, format!("{} has no cause", notice.id))
    }
}

fn is_disabled(notice: &Notice, endpoint: EndpointId) -> bool {
    notice.endpoint == endpoint && matches!(notice.kind, NoticeKind::EndpointDisabled { .. })
}
