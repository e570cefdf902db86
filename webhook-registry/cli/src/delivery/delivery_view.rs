//! Deliveries and attempts, as they are shown to operators.

use serde::Serialize;
use webhook_registry::{
    Attempt, Delivery, DeliveryId, Webhooks, WorkerName,
    store::Cursor,
    view::{AttemptView, DeliveryView},
};

use crate::{
    error::Error,
    escape::harmless,
    output::{Row, View, fields, or_dash, table},
};

/// A delivery, as it is shown to operators.
#[derive(Debug, Serialize)]
pub(crate) struct ShownDelivery {
    #[serde(flatten)]
    view: DeliveryView,
    last_error: Option<String>,
    claimed_by: Option<WorkerName>,
    leased_until: Option<String>,
}

impl From<Delivery> for ShownDelivery {
    fn from(delivery: Delivery) -> Self {
        Self {
            view: DeliveryView::of(&delivery),
            last_error: delivery.last_error,
            claimed_by: delivery.claimed_by,
            leased_until: delivery.leased_until.map(|until| until.to_string()),
        }
    }
}

impl Row for ShownDelivery {
    const HEAD: &'static [&'static str] =
        &["ID", "TYPE", "URL", "STATUS", "ATTEMPTS", "DUE AT", "LAST ERROR"];

    fn cells(&self) -> Vec<String> {
        let view = &self.view;
        vec![
            view.id.to_string(),
            view.event_type.to_string(),
            view.url.clone(),
            view.status.to_string(),
            view.attempts.to_string(),
            or_dash(view.due_at),
            or_dash(self.last_error.as_deref().map(|error| cut(error, 60))),
        ]
    }
}

/// An attempt, as it is shown to operators.
#[derive(Debug, Serialize)]
pub(crate) struct ShownAttempt {
    #[serde(flatten)]
    view: AttemptView,
    error: Option<String>,
}

impl From<Attempt> for ShownAttempt {
    fn from(attempt: Attempt) -> Self {
        let view = AttemptView::of(&attempt);
        Self { view, error: attempt.failure.map(|failure| failure.text) }
    }
}

impl Row for ShownAttempt {
    const HEAD: &'static [&'static str] =
        &["ATTEMPT", "TRIGGER", "TIME", "DURATION", "STATUS", "ERROR", "RESPONSE"];

    fn cells(&self) -> Vec<String> {
        let view = &self.view;
        vec![
            view.attempt.to_string(),
            view.trigger.to_string(),
            view.started_at.to_string(),
            format!("{} ms", view.duration_ms),
            or_dash(view.status),
            or_dash(self.error.as_deref().map(|error| cut(error, 200))),
            or_dash(Some(cut(&view.response, 1024)).filter(|text| !text.is_empty())),
        ]
    }
}

/// A delivery and all that was tried.
#[derive(Debug, Serialize)]
pub(super) struct WholeDelivery {
    #[serde(flatten)]
    pub(super) delivery: ShownDelivery,
    pub(super) log: Vec<ShownAttempt>,
}

impl View for WholeDelivery {
    fn text(&self) -> String {
        let delivery = &self.delivery.view;
        let head = fields([
            ("delivery", delivery.id.to_string()),
            ("type", delivery.event_type.to_string()),
            ("tenant", delivery.tenant.to_string()),
            ("url", delivery.url.clone()),
            ("status", delivery.status.to_string()),
            ("created", delivery.created_at.to_string()),
            ("due", or_dash(delivery.due_at)),
            ("claimed by", or_dash(self.delivery.claimed_by.as_ref())),
            ("leased until", or_dash(self.delivery.leased_until.as_ref())),
        ]);
        format!("{head}\n\n{}", table(&self.log).trim_end())
    }
}

/// Where a list that was cut goes on.
#[derive(Debug, Serialize)]
pub(super) struct Next {
    pub(super) next: Cursor,
}

impl View for Next {
    fn text(&self) -> String {
        format!("\nmore with --cursor {}", self.next)
    }
}

/// What was tried for a delivery.
pub(crate) async fn attempts(
    webhooks: &Webhooks,
    id: DeliveryId,
) -> Result<Vec<ShownAttempt>, Error> {
    let attempts = webhooks.operator().attempts(id).await?;
    Ok(attempts.into_iter().map(ShownAttempt::from).collect())
}

/// The beginning of a text that may be long.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let text = harmless(text);
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
