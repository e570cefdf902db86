//! `webhook endpoint update`: other settings for an endpoint, all else as it was.

use clap::{Args, ValueEnum};
use webhook_registry::{
    Description, Endpoint, EndpointError, EndpointId, EndpointUrl, EventFilter, ExternalId,
    InvalidEndpoint, Metadata, OrderPolicy, RetryPolicy, Timeout, Webhooks,
};

use crate::args::{note, timeout};

#[derive(Args)]
pub(crate) struct UpdateArgs {
    /// The endpoint
    #[arg(value_name = "ID")]
    id: EndpointId,
    /// Where to post to
    #[arg(long, value_name = "URL")]
    url: Option<EndpointUrl>,
    /// Which events it wants, in place of those it wanted
    #[arg(long, value_name = "FILTER")]
    events: Vec<EventFilter>,
    /// The deadline of one attempt, at most 30s
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    timeout: Option<Timeout>,
    /// When to try again, such as 5s,5m,30m; see `webhook plan`
    #[arg(long, value_name = "WAITS")]
    retry: Option<RetryPolicy>,
    /// Deliver the events of one ordering key one at a time, in the order in which they were published;
    /// when one is given up, block the later ones until it is redelivered or skipped, or skip it
    #[arg(long, value_name = "block|skip", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "block")]
    ordered: Option<OrderPolicy>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<Description>,
    /// Its name in your own records
    #[arg(long, value_name = "ID")]
    external_id: Option<ExternalId>,
    /// A note to keep with it, in place of those there are
    #[arg(long, value_name = "NAME=VALUE", value_parser = note)]
    metadata: Vec<(String, String)>,
    /// Forget this
    #[arg(long, value_name = "WHAT")]
    clear: Vec<Clear>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Clear {
    Description,
    ExternalId,
    Metadata,
    Ordered,
}

impl std::fmt::Debug for UpdateArgs {
    /// Not the URL: its query may hold a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpdateArgs").field("id", &self.id).finish_non_exhaustive()
    }
}

impl UpdateArgs {
    pub(super) async fn run(self, webhooks: &Webhooks) -> Result<Endpoint, EndpointError> {
        let endpoint = webhooks.operator().endpoint(self.id).await?;
        webhooks.operator().update_endpoint(self.apply(endpoint)?).await
    }

    fn apply(self, mut endpoint: Endpoint) -> Result<Endpoint, InvalidEndpoint> {
        for what in &self.clear {
            match what {
                Clear::Description => endpoint.description = None,
                Clear::ExternalId => endpoint.external_id = None,
                Clear::Metadata => endpoint.metadata = Metadata::default(),
                Clear::Ordered => endpoint.order = None,
            }
        }
        endpoint.url = self.url.unwrap_or(endpoint.url);
        endpoint.timeout = self.timeout.unwrap_or(endpoint.timeout);
        endpoint.retry = self.retry.unwrap_or(endpoint.retry);
        endpoint.order = self.ordered.or(endpoint.order);
        endpoint.description = self.description.or(endpoint.description);
        endpoint.external_id = self.external_id.or(endpoint.external_id);
        if !self.events.is_empty() {
            endpoint.filters = self.events;
        }
        if !self.metadata.is_empty() {
            endpoint.metadata = Metadata::new(self.metadata)?;
        }
        Ok(endpoint)
    }
}
