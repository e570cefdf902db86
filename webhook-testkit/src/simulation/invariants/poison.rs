use super::{Ending, Judgement, Law};
use crate::simulation::{
    model::{DeliveryBook, Ledger},
    receivers::POISON,
};

/// An event that kills its worker each time uses up its attempts, and is given up like any other.
#[derive(Debug)]
pub(super) struct Poison;

impl Law for Poison {
    fn text(&self) -> (&'static str, &'static str) {
        ("poison", "an event that kills its worker each time uses up its attempts, and is given up")
    }

    fn judge(&mut self, _: &Ending, ledger: &Ledger) -> Judgement {
        let poisoned = ledger.deliveries.iter().filter(|(id, _)| {
            let event = ledger.events.get(&id.event).and_then(|it| it.event.as_ref());
            event.is_some_and(|it| String::from_utf8_lossy(&it.body).contains(POISON))
        });
        let sent = poisoned.filter(|(_, book)| !book.sends.is_empty());
        Judgement::all(sent.map(|(id, book)| {
            let over = |book: &DeliveryBook| book.status.is_final();
            Judgement::of(over(book), *id, || {
                format!("it is {} after {} sends", book.status, book.sends.len())
            })
        }))
    }
}
