use super::{Ending, Judgement, Law};
use crate::simulation::model::Ledger;

// Catches `unrouted events claimed by a cursor of ids` in webhook-testkit/src/memory/enqueue.rs:
// - self.events.values().filter_map(unrouted).collect()
// + let routed = self.events.values().filter(|row| row.unrouted_from.is_none());
// + let last = routed.map(EventRow::id).max();
// + let events = self.events.values().filter(|row| last.is_none_or(|last| row.id() > last));
// + events.filter_map(unrouted).collect()
// Catches `what is in flight is never claimed again` in webhook-testkit/src/memory/row.rs:
// - (self.is_open() && !self.parked).then_some(self.due_at)
// + (self.status == DeliveryStatus::Pending && !self.parked).then_some(self.due_at)
// Catches `the line does not go on after a success` in webhook-testkit/src/memory/finish.rs:
// - self.move_up(item.lease.delivery, now);
// + let _ = Self::move_up;
/// Once nothing goes wrong any more, every delivery comes to its end.
#[derive(Debug)]
pub(super) struct Ends;

impl Law for Ends {
    fn text(&self) -> (&'static str, &'static str) {
        ("ends", "once nothing goes wrong any more, every delivery comes to its end")
    }

    fn judge(&mut self, ending: &Ending, ledger: &Ledger) -> Judgement {
        if ending.settled {
            return Judgement::Held(ledger.deliveries.len() as u64);
        }
        let unrouted = ledger.events.values().filter(|it| it.unrouted).count();
        let open: Vec<_> = ledger.open().map(|(id, book)| (*id, book.status)).collect();
        let first = open.first().map(|(id, _)| *id);
        Judgement::Broken(
            first,
            format!("{unrouted} events unrouted, {} open: {open:?}", open.len()),
        )
    }
}
