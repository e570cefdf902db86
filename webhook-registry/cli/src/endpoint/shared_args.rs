//! Options of both `webhook endpoint add` and `webhook endpoint update`.

use clap::Args;
use webhook_registry::{
    Description, Endpoint, ExternalId, Metadata, NewEndpoint, OrderPolicy, RateLimit, RetryPolicy,
    Timeout, error::InvalidEndpoint,
};

use crate::values::{note, timeout};

/// Limits of an endpoint.
#[derive(Args, Debug)]
pub(super) struct LimitArgs {
    /// The deadline of one attempt, at most 30s
    #[arg(long, value_name = "DURATION", value_parser = timeout)]
    timeout: Option<Timeout>,
    /// When to try again, such as 5s,5m,30m; see `webhook plan`
    #[arg(long, value_name = "WAITS")]
    retry: Option<RetryPolicy>,
    /// Attempts a second, all workers together, such as 10/s or '10/s burst 50'
    #[arg(long, value_name = "RATE")]
    rate: Option<RateLimit>,
    /// Attempts in flight at once, in each worker process [default: 16]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    max_in_flight: Option<u32>,
    /// Deliver the events of one ordering key one at a time, in the order in which they were
    /// published; when one is given up, block the later ones until it is redelivered or skipped, or
    /// skip it
    #[arg(long, value_name = "block|skip", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "block")]
    ordered: Option<OrderPolicy>,
}

impl LimitArgs {
    pub(super) fn add_to(self, mut new: NewEndpoint) -> NewEndpoint {
        if let Some(timeout) = self.timeout {
            new = new.timeout(timeout.as_duration());
        }
        if let Some(retry) = self.retry {
            new = new.retry(retry);
        }
        if let Some(rate) = self.rate {
            new = new.rate(rate);
        }
        if let Some(max) = self.max_in_flight {
            new = new.max_in_flight(max);
        }
        if let Some(policy) = self.ordered {
            new = new.order(policy);
        }
        new
    }

    pub(super) fn apply_to(self, endpoint: &mut Endpoint) {
        endpoint.timeout = self.timeout.unwrap_or(endpoint.timeout);
        if let Some(retry) = self.retry {
            endpoint.retry = retry;
        }
        endpoint.rate = self.rate.or(endpoint.rate);
        endpoint.max_in_flight = self.max_in_flight.unwrap_or(endpoint.max_in_flight);
        endpoint.order = self.ordered.or(endpoint.order);
    }
}

/// Description, external id and metadata of an endpoint.
#[derive(Args, Debug)]
pub(super) struct MetadataArgs {
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<Description>,
    /// Its name in your own records; need not be unique
    #[arg(long, value_name = "ID")]
    external_id: Option<ExternalId>,
    /// A note to keep with it; no place for secrets
    #[arg(long, value_name = "NAME=VALUE", value_parser = note)]
    metadata: Vec<(String, String)>,
}

impl MetadataArgs {
    pub(super) fn add_to(self, mut new: NewEndpoint) -> NewEndpoint {
        for (name, value) in self.metadata {
            new = new.metadata(name, value);
        }
        if let Some(description) = self.description {
            new = new.description(description);
        }
        if let Some(id) = self.external_id {
            new = new.external_id(id);
        }
        new
    }

    /// Replaces the metadata if there is any among the options.
    pub(super) fn apply_to(self, endpoint: &mut Endpoint) -> Result<(), InvalidEndpoint> {
        if !self.metadata.is_empty() {
            endpoint.metadata = Metadata::new(self.metadata)?;
        }
        if self.description.is_some() {
            endpoint.description = self.description;
        }
        if self.external_id.is_some() {
            endpoint.external_id = self.external_id;
        }
        Ok(())
    }
}
