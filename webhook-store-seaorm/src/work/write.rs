//! What publishers and workers have written down all the time, in shared commits.

use std::sync::Arc;

use async_trait::async_trait;
use webhook_core::{Enqueue, Enqueued, Finish, Finished, StoreError};

use crate::{
    db::{database::Database, fault::Fault, group_commit::Gather, tx::Tx, unit::Unit},
    work::{enqueue::EnqueueEvents, finish::FinishDeliveries},
};

/// Something to write down.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Enqueue(Enqueue),
    Finish(Finish),
}

/// What came of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Written {
    Enqueued(Enqueued),
    Finished(Finished),
}

/// Work in line.
pub(crate) type InLine = Gather<Work, Written>;

/// Writes a batch of both kinds in one transaction, and notifies other processes of events that
/// they have to route or deliver.
pub(crate) async fn write(
    database: &Arc<Database>,
    batch: Vec<Work>,
) -> Result<Vec<Written>, StoreError> {
    let waits = |work: &Work| matches!(work, Work::Enqueue(item) if item.waits());
    let is_for_others = batch.iter().any(waits);
    let written = database.perform(Write::of(batch)).await?.in_order();
    if is_for_others {
        database.hints.say(database.pools.writer());
    }
    Ok(written)
}

/// Writes down work of both kinds in one transaction.
struct Write {
    enqueue: EnqueueEvents,
    finish: FinishDeliveries,
    /// Which item is of which kind: whether it is one to enqueue.
    order: Vec<bool>,
}

impl Write {
    fn of(batch: Vec<Work>) -> Self {
        let (mut events, mut deliveries, mut order) = (Vec::new(), Vec::new(), Vec::new());
        for work in batch {
            order.push(matches!(work, Work::Enqueue(_)));
            match work {
                Work::Enqueue(item) => events.push(item),
                Work::Finish(item) => deliveries.push(item),
            }
        }
        Self { enqueue: EnqueueEvents(events), finish: FinishDeliveries(deliveries), order }
    }
}

/// What came of work of both kinds.
struct Both {
    enqueued: Vec<Enqueued>,
    finished: Vec<Finished>,
    order: Vec<bool>,
}

impl Both {
    fn in_order(self) -> Vec<Written> {
        let mut enqueued = self.enqueued.into_iter().map(Written::Enqueued);
        let mut finished = self.finished.into_iter().map(Written::Finished);
        let next = |is_event: bool| if is_event { enqueued.next() } else { finished.next() };
        self.order.into_iter().filter_map(next).collect()
    }
}

#[async_trait]
impl Unit for Write {
    type Answer = Both;
    const WRITES: bool = true;
    const KEEPS_PLANS: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Both, Fault> {
        let enqueued = self.enqueue.run(tx).await?;
        let finished = self.finish.run(tx).await?;
        Ok(Both { enqueued, finished, order: self.order.clone() })
    }

    #[cfg(feature = "crash-points")]
    fn parts(answer: &Both) -> Vec<&dyn std::any::Any> {
        let enqueued = (!answer.enqueued.is_empty()).then_some(&answer.enqueued as _);
        let finished = (!answer.finished.is_empty()).then_some(&answer.finished as _);
        enqueued.into_iter().chain(finished).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_its_own_answer_whatever_stands_between() {
        let both = Both {
            enqueued: vec![Enqueued::Routed(1), Enqueued::Later],
            finished: vec![Finished::Recorded, Finished::LeaseLost],
            order: vec![false, true, true, false],
        };
        let expected = [
            Written::Finished(Finished::Recorded),
            Written::Enqueued(Enqueued::Routed(1)),
            Written::Enqueued(Enqueued::Later),
            Written::Finished(Finished::LeaseLost),
        ];
        assert_eq!(both.in_order(), expected);
    }
}
