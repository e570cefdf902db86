use super::{EndState, Invariant, Model, Verdict};

// Catches `unrouted events claimed by a cursor of ids` in webhook-testkit/src/memory/enqueue.rs:
// - self.events.values().filter_map(unrouted).collect()
// + let routed = self.events.values().filter(|row| row.unrouted_from.is_none());
// + let last = routed.map(EventRow::id).max();
// + let events = self.events.values().filter(|row| last.is_none_or(|last| row.id() > last));
// + events.filter_map(unrouted).collect()
// Catches `what is in flight is never claimed again` in webhook-testkit/src/memory/claim.rs:
// - if let Some(due_at) = row.state.claimable_at() {
// + if let Some(due_at) = row.state.claimable_at().filter(|_| !row.state.held) {
// Catches `the line does not go on after a success` in webhook-testkit/src/memory/finish.rs:
// - self.unblock_line(item.lease.delivery, change.next_due_at);
// + let _ = Self::unblock_line;
/// After the faults have ended, every delivery becomes final.
#[derive(Debug, Default)]
pub(super) struct Ends;

impl Invariant for Ends {
    fn check_end(&mut self, end: &EndState, model: &Model) -> Verdict {
        if end.settled {
            return Verdict::Held(model.deliveries.len() as u64);
        }
        let unrouted = model.events.values().filter(|entry| entry.unrouted).count();
        let open: Vec<_> = model.open().map(|(id, entry)| (*id, entry.status)).collect();
        let first = open.first().map(|(id, _)| *id);
        Verdict::Violated(
            first,
            format!("{unrouted} events unrouted, {} open: {open:?}", open.len()),
        )
    }
}
