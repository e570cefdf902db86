//! `webhook delivery cancel`.

use webhook_registry::{DeliveryId, DeliveryStatus, store::Cancelled};

use super::outcome::{Outcome, show_outcomes};
use crate::{
    error::{End, Error},
    options::Options,
    store::open,
};

impl Outcome for Cancelled {
    fn name(&self) -> &'static str {
        match self {
            Self::Done => "cancelled",
            Self::InFlight => "cancelled_in_flight",
            Self::Unchanged(_) => "unchanged",
            Self::Tracked => "tracked",
            Self::NotFound => "not_found",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Done => "cancelled".to_owned(),
            Self::InFlight => "cancelled; an attempt was in flight and may still arrive".to_owned(),
            Self::Unchanged(status) => format!("left as it is: {status}"),
            Self::Tracked => "it is sent within a call; stop that call".to_owned(),
            Self::NotFound => "there is no such delivery".to_owned(),
        }
    }

    fn status(&self) -> Option<DeliveryStatus> {
        if let Self::Unchanged(status) = self { Some(*status) } else { None }
    }

    fn is_as_wanted(&self) -> bool {
        matches!(self, Self::Done | Self::InFlight | Self::Unchanged(DeliveryStatus::Cancelled))
    }
}

pub(super) async fn run(options: &Options, ids: &[DeliveryId]) -> Result<End, Error> {
    let answers = open(options).await?.operator().cancel(ids).await?;
    show_outcomes(options.output(), ids, &answers)
}
