use super::{DeliveryEntry, EndState, Invariant, Model, POISON_MARKER, Verdict};

/// An event that kills its worker each time exhausts its attempts and fails like any other.
#[derive(Debug, Default)]
pub(super) struct Poison;

impl Invariant for Poison {
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
