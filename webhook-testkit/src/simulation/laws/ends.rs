use super::{Ending, Judgement, Law};
use crate::simulation::ledger::Ledger;

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
