//! Events of publishers and outcomes of workers, written in group commits.

use std::sync::Arc;

use async_trait::async_trait;
use webhook_core::{
    StoreError,
    store::{Enqueue, Enqueued, Finish, Finished},
};

use crate::{
    db::{database::Database, fault::Fault, group_commit::GroupCommit, tx::Tx, unit::Unit},
    work::{enqueue::EnqueueEvents, finish::FinishDeliveries},
};

/// One item of a group commit.
#[derive(Clone, Debug)]
pub(crate) enum WriteItem {
    Enqueue(Enqueue),
    Finish(Finish),
}

/// Result of a [`WriteItem`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Written {
    Enqueued(Enqueued),
    Finished(Finished),
}

/// Group commit of events and outcomes.
pub(crate) type WriteGroup = GroupCommit<WriteItem, Written>;

/// Writes a batch of both kinds in one transaction, and notifies other processes of events that
/// they have to route or deliver.
pub(crate) async fn write(
    database: &Arc<Database>,
    batch: Vec<WriteItem>,
) -> Result<Vec<Written>, StoreError> {
    let waits = |item: &WriteItem| matches!(item, WriteItem::Enqueue(item) if item.waits());
    let is_for_others = batch.iter().any(waits);
    let written = database.perform(WriteBatch::of(batch)).await?.in_order();
    if is_for_others {
        database.notifier.notify(database.pools.writer());
    }
    Ok(written)
}

/// Writes items of both kinds in one transaction.
struct WriteBatch {
    enqueue: EnqueueEvents,
    finish: FinishDeliveries,
    /// For each item, true if it is an event.
    order: Vec<bool>,
}

impl WriteBatch {
    fn of(batch: Vec<WriteItem>) -> Self {
        let (mut events, mut deliveries, mut order) = (Vec::new(), Vec::new(), Vec::new());
        for item in batch {
            order.push(matches!(item, WriteItem::Enqueue(_)));
            match item {
                WriteItem::Enqueue(item) => events.push(item),
                WriteItem::Finish(item) => deliveries.push(item),
            }
        }
        Self { enqueue: EnqueueEvents(events), finish: FinishDeliveries(deliveries), order }
    }
}

/// Results of both kinds.
struct BothKinds {
    enqueued: Vec<Enqueued>,
    finished: Vec<Finished>,
    order: Vec<bool>,
}

impl BothKinds {
    fn in_order(self) -> Vec<Written> {
        let mut enqueued = self.enqueued.into_iter().map(Written::Enqueued);
        let mut finished = self.finished.into_iter().map(Written::Finished);
        let next = |is_event: bool| if is_event { enqueued.next() } else { finished.next() };
        self.order.into_iter().filter_map(next).collect()
    }
}

#[async_trait]
impl Unit for WriteBatch {
    type Output = BothKinds;
    const WRITES: bool = true;
    const KEEPS_PLANS: bool = true;

    async fn run(&self, tx: &Tx) -> Result<BothKinds, Fault> {
        let enqueued = self.enqueue.run(tx).await?;
        let finished = self.finish.run(tx).await?;
        Ok(BothKinds { enqueued, finished, order: self.order.clone() })
    }

    #[cfg(feature = "__crash-points")]
    fn parts(answer: &BothKinds) -> Vec<&dyn std::any::Any> {
        let enqueued = (!answer.enqueued.is_empty()).then_some(&answer.enqueued as _);
        let finished = (!answer.finished.is_empty()).then_some(&answer.finished as _);
        enqueued.into_iter().chain(finished).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_returned_in_the_order_of_the_items() {
        let both = BothKinds {
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
