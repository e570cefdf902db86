//! `webhook endpoint update`: other settings for an endpoint, all else as it was.

use clap::{Args, ValueEnum};
use webhook_registry::{
    Endpoint, EndpointId, EndpointUrl, EventFilter, Metadata, Webhooks, error::EndpointError,
};

use super::{
    shared_args::{LimitArgs, MetadataArgs},
    tls::TlsArgs,
};
use crate::error::Error;

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
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    metadata: MetadataArgs,
    #[command(flatten)]
    tls: TlsArgs,
    /// Forget this
    #[arg(long, value_name = "WHAT")]
    clear: Vec<Clear>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Clear {
    ClientCertificate,
    Description,
    ExternalId,
    Metadata,
    Ordered,
    Rate,
    RootCertificates,
}

impl std::fmt::Debug for UpdateArgs {
    /// Not the URL: its query may hold a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpdateArgs").field("id", &self.id).finish_non_exhaustive()
    }
}

impl UpdateArgs {
    pub(super) async fn run(self, webhooks: &Webhooks) -> Result<Endpoint, Error> {
        let endpoint = webhooks.operator().endpoint(self.id).await?;
        Ok(webhooks.operator().update_endpoint(self.apply(endpoint)?).await?)
    }

    fn apply(self, mut endpoint: Endpoint) -> Result<Endpoint, Error> {
        let mut tls = endpoint.tls.as_deref().cloned().unwrap_or_default();
        for what in &self.clear {
            match what {
                Clear::ClientCertificate => tls = tls.without_identity(),
                Clear::Description => endpoint.description = None,
                Clear::ExternalId => endpoint.external_id = None,
                Clear::Metadata => endpoint.metadata = Metadata::default(),
                Clear::Ordered => endpoint.order = None,
                Clear::Rate => endpoint.rate = None,
                Clear::RootCertificates => tls = tls.without_roots(),
            }
        }
        endpoint.url = self.url.unwrap_or(endpoint.url);
        if !self.events.is_empty() {
            endpoint.filters = self.events;
        }
        self.limits.apply_to(&mut endpoint);
        let invalid = |error| Error::from(EndpointError::from(error));
        self.metadata.apply_to(&mut endpoint).map_err(invalid)?;
        Ok(endpoint.with_tls(Some(self.tls.apply_to(tls)?)))
    }
}
