//! `webhook endpoint check`: would a request get there?

use std::time::{Duration, SystemTime};

use clap::Args;
use webhook_registry::{EndpointTls, transport::EndpointCheck};

use super::tls::TlsArgs;
use crate::{
    error::{End, Error},
    escape::harmless,
    options::Options,
    output::View,
    store::transport,
    values::duration,
};

#[derive(Args)]
pub(crate) struct CheckArgs {
    /// Where a request would go; needs not be registered
    #[arg(value_name = "URL")]
    url: String,
    /// How long all of it may take
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = duration)]
    timeout: Duration,
    #[command(flatten)]
    tls: TlsArgs,
}

impl std::fmt::Debug for CheckArgs {
    /// Not the URL: its query may hold a token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CheckArgs").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl View for EndpointCheck {
    fn text(&self) -> String {
        self.to_string().lines().map(harmless).collect::<Vec<_>>().join("\n")
    }
}

pub(super) async fn run(options: &Options, args: CheckArgs) -> Result<End, Error> {
    let now = SystemTime::now().into();
    let tls = args.tls.apply_to(EndpointTls::new())?;
    let transport = transport(options, &options.settings()?)?;
    let check = transport.check_with_tls(&args.url, &tls, args.timeout, now).await;
    options.output().show(&check)?;
    Ok(if check.is_ok() { End::Done } else { End::Failed })
}
