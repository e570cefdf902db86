//! The result of publishing an event, as it is shown.

use serde::Serialize;
use webhook_registry::{Deliveries, EventId, Published};

use crate::output::{View, fields};

/// An event that is stored.
#[derive(Debug, Serialize)]
pub(crate) struct PublishedView {
    /// The line it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    event: EventId,
    deliveries: Deliveries,
}

impl PublishedView {
    pub(crate) const fn new(line: Option<usize>, published: Published) -> Self {
        Self { line, event: published.event, deliveries: published.deliveries }
    }
}

impl View for PublishedView {
    fn text(&self) -> String {
        let deliveries = match self.deliveries {
            Deliveries::Routed(count) => count.to_string(),
            Deliveries::Later => "to be routed by the next `webhook run`".to_owned(),
            Deliveries::AlreadyPublished => "none new: it was published before".to_owned(),
        };
        fields([("event", self.event.to_string()), ("deliveries", deliveries)])
    }
}
