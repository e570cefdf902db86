use super::{EndState, Invariant, Verdict};
use crate::simulation::{
    model::{DeliveryEntry, Model},
    receivers::POISON_MARKER,
};

/// An event that kills its worker each time exhausts its attempts and fails like any other.
#[derive(Debug)]
pub(super) struct Poison;

impl Invariant for Poison {
    fn describe(&self) -> (&'static str, &'static str) {
        ("poison", "an event that kills its worker each time exhausts its attempts and fails")
    }

    fn check_end(&mut self, _: &EndState, model: &Model) -> Verdict {
        let poisoned = model.deliveries.iter().filter(|(id, _)| {
            let event = model.events.get(&id.event).and_then(|entry| entry.event.as_ref());
            event.is_some_and(|entry| String::from_utf8_lossy(&entry.body).contains(POISON_MARKER))
        });
        let sent = poisoned.filter(|(_, entry)| !entry.sends.is_empty());
        Verdict::all(sent.map(|(id, entry)| {
            let over = |entry: &DeliveryEntry| entry.status.is_final();
            Verdict::of(over(entry), *id, || {
                format!("it is {} after {} sends", entry.status, entry.sends.len())
            })
        }))
    }
}
