use super::{Ending, Judgement, Law};
use crate::simulation::{
    model::Ledger,
    trace::{Happening, What},
};

/// An event of a transaction that was rolled back is never seen, and never sent.
#[derive(Debug)]
pub(super) struct Joined;

impl Law for Joined {
    fn text(&self) -> (&'static str, &'static str) {
        ("joined", "an event of a transaction that was rolled back is never seen, and never sent")
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let What::SendStarted(start) = &it.what else { return Judgement::Silent };
        match before.events.get(&start.delivery.event) {
            Some(event) if event.stored && !event.rolled_back => Judgement::Held(1),
            _ => Judgement::Broken(Some(start.delivery), "it was never committed".to_owned()),
        }
    }

    fn judge(&mut self, ending: &Ending, ledger: &Ledger) -> Judgement {
        let rolled_back = ledger.events.iter().filter(|(_, it)| it.rolled_back);
        Judgement::all(rolled_back.map(|(id, _)| match ending.events.contains(id) {
            false => Judgement::Held(1),
            true => Judgement::Broken(None, format!("event {id} was rolled back and is there")),
        }))
    }
}
