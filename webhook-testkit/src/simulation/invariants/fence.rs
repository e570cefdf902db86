use webhook_core::{Finished, Lease};

use super::{Ending, Judgement, Law};
use crate::{
    observed::{Change, Effect},
    simulation::{
        model::Ledger,
        trace::{Happening, What},
    },
};

// Catches `no fencing` in webhook-testkit/src/memory/finish.rs:
// - self.deliveries.get_mut(&lease.delivery).filter(|row| row.epoch == lease.epoch)
// + self.deliveries.get_mut(&lease.delivery)
/// A write that names an older epoch changes nothing, is answered so, and counted.
#[derive(Debug, Default)]
pub(super) struct Fence {
    late: u64,
}

impl Law for Fence {
    fn text(&self) -> (&'static str, &'static str) {
        ("fence", "a write that names an older epoch changes nothing, is answered so, and counted")
    }

    fn see(&mut self, it: &Happening, before: &Ledger) -> Judgement {
        let (lease, answer, change) = match &it.what {
            What::Effect(Effect::Finished { finish, answer, change }) => {
                (finish.lease, *answer, change)
            }
            What::Effect(Effect::Released { lease, answer, change }) => (*lease, *answer, change),
            _ => return Judgement::Silent,
        };
        self.late += u64::from(answer == Finished::LeaseLost);
        judge(lease, answer, change, before)
    }

    fn judge(&mut self, ending: &Ending, _: &Ledger) -> Judgement {
        if ending.leases_lost == self.late {
            return Judgement::Silent;
        }
        let (told, counted) = (self.late, ending.leases_lost);
        Judgement::Broken(None, format!("{told} leases were lost, and {counted} are counted"))
    }
}

fn judge(lease: Lease, answer: Finished, change: &Change, before: &Ledger) -> Judgement {
    let book = before.deliveries.get(&lease.delivery);
    if book.is_none_or(|book| lease.epoch >= book.epoch) {
        return Judgement::Silent;
    }
    let unchanged = change.before == change.after;
    Judgement::of(unchanged && answer == Finished::LeaseLost, lease.delivery, || {
        format!("epoch {} is over, but the answer was {answer:?}", lease.epoch)
    })
}
