use super::{Action, EndState, Invariant, Model, TraceEvent, Verdict};

/// An event whose transaction was rolled back is never stored and never sent.
#[derive(Debug, Default)]
pub(super) struct Joined;

impl Invariant for Joined {
    fn check(&mut self, traced: &TraceEvent, before: &Model) -> Verdict {
        let Action::SendStarted(start) = &traced.action else { return Verdict::NotApplicable };
        match before.events.get(&start.delivery.event) {
            Some(event) if event.stored && !event.rolled_back => Verdict::Held(1),
            _ => Verdict::Violated(Some(start.delivery), "it was never committed".to_owned()),
        }
    }

    fn check_end(&mut self, end: &EndState, model: &Model) -> Verdict {
        let rolled_back = model.events.iter().filter(|(_, entry)| entry.rolled_back);
        Verdict::all(rolled_back.map(|(id, _)| match end.events.contains(id) {
            false => Verdict::Held(1),
            true => Verdict::Violated(None, format!("event {id} was rolled back and is there")),
        }))
    }
}
