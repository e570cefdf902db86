use super::{EndState, Invariant, Model, Verdict};

// Catches `a cancelled delivery is listed as it was before` in webhook-testkit/src/memory/maintenance.rs:
// - let Transition { result, change } = row.state.cancelled(now);
// + let Transition { result, mut change } = row.state.cancelled(now);
// + let status = row.state.status;
// + change.iter_mut().for_each(|change| (change.state.status, change.state.finished_at) = (status, None));
/// At the end the store has each created delivery once, in its last known state.
#[derive(Debug, Default)]
pub(super) struct Counts;

impl Invariant for Counts {
    fn check_end(&mut self, end: &EndState, model: &Model) -> Verdict {
        if end.listed != model.deliveries.len() {
            let (listed, known) = (end.listed, model.deliveries.len());
            return Verdict::Violated(
                None,
                format!("{listed} deliveries listed, {known} were created"),
            );
        }
        Verdict::all(end.deliveries.iter().map(|(id, (delivery, _))| {
            let entry = model.deliveries.get(id);
            let holds = entry.is_some_and(|entry| entry.status == delivery.status);
            Verdict::of(holds, *id, || {
                format!(
                    "it is {}, and was left {:?}",
                    delivery.status,
                    entry.map(|entry| entry.status)
                )
            })
        }))
    }
}
