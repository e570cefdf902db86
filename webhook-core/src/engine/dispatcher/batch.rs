//! Batches with items that the store cannot read or write: the other items go through.
//!
//! An outcome that cannot be written fails the whole call. Then the outcomes are recorded one by
//! one, so that a single damaged row does not stop the others.

use crate::{
    model::{endpoint::Endpoint, id::EndpointId},
    port::{
        Store, StoreError,
        store::work::{Finish, Finished},
    },
};

/// Result of recording a batch of outcomes.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    pub(super) answered: Vec<(Finish, Finished)>,
    /// Outcomes that the store rejects permanently.
    pub(super) refused: Vec<(Finish, StoreError)>,
    /// Outcomes that have to be recorded again, because of `failure`.
    pub(super) retry: Vec<Finish>,
    pub(super) failure: Option<StoreError>,
}

/// Records a batch of outcomes.
pub(super) async fn record(store: &dyn Store, finishes: Vec<Finish>) -> Recorded {
    match store.finish(finishes.clone()).await {
        Ok(answers) => Recorded {
            answered: finishes.into_iter().zip(answers).collect(),
            ..Recorded::default()
        },
        Err(error) if error.kind().may_concern_one_item() => record_each(store, finishes).await,
        Err(error) => Recorded { retry: finishes, failure: Some(error), ..Recorded::default() },
    }
}

async fn record_each(store: &dyn Store, finishes: Vec<Finish>) -> Recorded {
    let mut recorded = Recorded::default();
    for finish in finishes {
        if recorded.failure.is_some() {
            recorded.retry.push(finish);
            continue;
        }
        match store.finish(vec![finish.clone()]).await {
            Ok(answers) => {
                recorded
                    .answered
                    .extend(answers.into_iter().map(|answer| (finish.clone(), answer)));
            }
            Err(error) if error.kind().may_concern_one_item() => {
                recorded.refused.push((finish, error));
            }
            Err(error) => {
                recorded.retry.push(finish);
                recorded.failure = Some(error);
            }
        }
    }
    recorded
}

/// Endpoints, as far as they can be read.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) unreadable: Vec<(EndpointId, StoreError)>,
    pub(super) failure: Option<StoreError>,
}

/// Loads endpoints. Those that were removed are missing from the result.
pub(super) async fn load(store: &dyn Store, ids: &[EndpointId]) -> Loaded {
    let answers = match store.endpoints(ids).await {
        Ok(answers) => answers,
        Err(error) => return Loaded { failure: Some(error), ..Loaded::default() },
    };
    let mut loaded = Loaded::default();
    for (id, answer) in ids.iter().zip(answers) {
        match answer {
            Ok(endpoint) => loaded.endpoints.extend(endpoint),
            Err(error) => loaded.unreadable.push((*id, error)),
        }
    }
    loaded
}
