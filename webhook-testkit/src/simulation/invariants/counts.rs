use super::{Ending, Judgement, Law};
use crate::simulation::model::Ledger;

// Catches `a cancelled delivery is listed as it was before` in webhook-testkit/src/memory/upkeep.rs:
// - row.status = DeliveryStatus::Cancelled;
// + row.finished_at = None;
/// At the end the store has each delivery that came about, once, in the state it was left in.
#[derive(Debug)]
pub(super) struct Counts;

impl Law for Counts {
    fn text(&self) -> (&'static str, &'static str) {
        (
            "counts",
            "at the end the store has each delivery that came about, in the state it was left in",
        )
    }

    fn judge(&mut self, ending: &Ending, ledger: &Ledger) -> Judgement {
        if ending.listed != ledger.deliveries.len() {
            let (listed, known) = (ending.listed, ledger.deliveries.len());
            return Judgement::Broken(
                None,
                format!("{listed} deliveries listed, {known} came about"),
            );
        }
        Judgement::all(ending.deliveries.iter().map(|(id, (delivery, _))| {
            let book = ledger.deliveries.get(id);
            let holds = book.is_some_and(|book| book.status == delivery.status);
            Judgement::of(holds, *id, || {
                format!("it is {}, and was left {:?}", delivery.status, book.map(|it| it.status))
            })
        }))
    }
}
