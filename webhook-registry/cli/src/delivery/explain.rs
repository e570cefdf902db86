//! `webhook delivery explain`.

use serde::Serialize;
use webhook_registry::{DeliveryId, explain::Explanation};

use crate::{
    error::{End, Error},
    escape::harmless,
    options::Options,
    output::View,
    store::open,
};

/// A page for people, and its parts for programs.
#[derive(Serialize)]
struct ExplanationView {
    delivery: DeliveryId,
    wanted: String,
    attempts: Vec<AttemptView>,
    standing: String,
    #[serde(skip)]
    text: String,
}

#[derive(Serialize)]
struct AttemptView {
    attempt: u32,
    what: String,
    meaning: &'static str,
}

impl ExplanationView {
    fn of(delivery: DeliveryId, explanation: &Explanation) -> Self {
        let attempts = explanation.attempts.iter().map(|it| AttemptView {
            attempt: it.number,
            what: it.what.clone(),
            meaning: it.meaning,
        });
        Self {
            delivery,
            wanted: explanation.wanted.to_string(),
            attempts: attempts.collect(),
            standing: explanation.standing.to_string(),
            text: explanation.to_string(),
        }
    }
}

impl View for ExplanationView {
    fn text(&self) -> String {
        self.text.lines().map(harmless).collect::<Vec<_>>().join("\n")
    }
}

pub(super) async fn run(options: &Options, id: DeliveryId) -> Result<End, Error> {
    let webhooks = open(options).await?;
    let explanation = webhooks.operator().explain(id).await?;
    let explanation = explanation.ok_or(Error::UnknownDelivery(id))?;
    options.output().show(&ExplanationView::of(id, &explanation))?;
    Ok(End::Done)
}
