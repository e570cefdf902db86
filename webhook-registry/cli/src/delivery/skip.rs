//! `webhook delivery skip`.

use webhook_registry::{DeliveryId, DeliveryStatus, store::Skipped};

use super::outcome::{Outcome, show_outcomes};
use crate::{
    error::{End, Error},
    options::Options,
    store::open,
};

impl Outcome for Skipped {
    fn name(&self) -> &'static str {
        match self {
            Self::Done => "skipped",
            Self::Unchanged(_) => "unchanged",
            Self::NotFound => "not_found",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Done => "its ordering key goes on without it".to_owned(),
            Self::Unchanged(status) => format!("left as it is: {status}, and blocks nothing"),
            Self::NotFound => "there is no such delivery".to_owned(),
        }
    }

    fn status(&self) -> Option<DeliveryStatus> {
        if let Self::Unchanged(status) = self { Some(*status) } else { None }
    }

    /// What is over and blocks nothing was skipped before, or need not be.
    fn is_as_wanted(&self) -> bool {
        match self {
            Self::Done => true,
            Self::Unchanged(status) => status.is_final(),
            Self::NotFound => false,
        }
    }
}

pub(super) async fn run(options: &Options, ids: &[DeliveryId]) -> Result<End, Error> {
    let answers = open(options).await?.operator().skip(ids).await?;
    show_outcomes(options.output(), ids, &answers)
}
