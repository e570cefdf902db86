//! Results of changing deliveries by their ids.

use serde::Serialize;
use webhook_registry::{DeliveryId, DeliveryStatus};

use crate::{
    error::{End, Error},
    output::{Output, Row},
};

/// What became of a delivery that was asked for by its id.
pub(super) trait Outcome {
    /// For programs.
    fn name(&self) -> &'static str;

    /// For people.
    fn text(&self) -> String;

    /// Its status, where that is the reason.
    fn status(&self) -> Option<DeliveryStatus>;

    /// Whether it is now what was asked for.
    fn is_as_wanted(&self) -> bool;
}

#[derive(Serialize)]
struct OutcomeView {
    delivery: DeliveryId,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<DeliveryStatus>,
    #[serde(skip)]
    text: String,
}

impl Row for OutcomeView {
    const HEAD: &'static [&'static str] = &["ID", "RESULT"];

    fn cells(&self) -> Vec<String> {
        vec![self.delivery.to_string(), self.text.clone()]
    }
}

/// Shows each, and fails when one of them is not as it was asked for.
pub(super) fn show_outcomes(
    output: Output,
    ids: &[DeliveryId],
    outcomes: &[impl Outcome],
) -> Result<End, Error> {
    let view = |(id, outcome): (&DeliveryId, &_)| view(*id, outcome);
    output.list(&ids.iter().zip(outcomes).map(view).collect::<Vec<_>>())?;
    let all = outcomes.iter().all(Outcome::is_as_wanted);
    Ok(if all { End::Done } else { End::Failed })
}

fn view(delivery: DeliveryId, outcome: &impl Outcome) -> OutcomeView {
    let (result, status) = (outcome.name(), outcome.status());
    OutcomeView { delivery, result, status, text: outcome.text() }
}
