//! `webhook endpoint`: register endpoints, look at them, change their state, test them.

mod check;
mod endpoint_view;
mod shared_args;
mod stats;
mod test;
mod tls;
mod update;

use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use webhook_registry::{
    EndpointId, EndpointUrl, EventFilter, ExternalId, Include, NewEndpoint, Profile, Replay,
    Rotation, Secret, TenantId, Webhooks,
    error::{EndpointError, InvalidEndpoint},
    transport::Transport as _,
    view::EndpointView,
};

use self::{
    check::CheckArgs,
    endpoint_view::RegisteredView,
    shared_args::{LimitArgs, MetadataArgs},
    stats::StatsArgs,
    test::TestArgs,
    tls::TlsArgs,
    update::UpdateArgs,
};
use crate::{
    error::{End, Error, text},
    options::Options,
    output::{Output, View},
    replay::resend,
    store::{open, transport},
    values::{duration, header},
};

#[derive(Debug, Subcommand)]
pub(crate) enum EndpointCommand {
    #[command(flatten)]
    Stored(Box<StoredCommand>),
    /// Look whether a request would get to a URL: name, addresses, connection, certificate
    ///
    /// Nothing is posted, and no database is opened. Addresses that are refused are not dialled.
    /// Ends with 1 when a step has failed.
    Check(CheckArgs),
}

/// What needs the database.
#[derive(Debug, Subcommand)]
pub(crate) enum StoredCommand {
    /// Register an endpoint; prints its id, and its secret this once
    Add(AddArgs),
    /// List endpoints
    List {
        /// Only those of this tenant
        #[arg(long)]
        tenant: Option<TenantId>,
        /// Only those of this name in your own records
        #[arg(long, value_name = "ID")]
        external_id: Option<ExternalId>,
    },
    /// Show an endpoint, all but its secret
    Show(OneEndpoint),
    /// Tell how it does: deliveries by status, failures by kind, how long attempts took
    Stats(StatsArgs),
    /// Change its settings; attempts that begin after this use them
    Update(UpdateArgs),
    /// Keep its deliveries waiting
    Pause(OneEndpoint),
    /// Deliver to it again, what waited first
    Resume(OneEndpoint),
    /// Route no more events to it, but put them on record as missed; keep its deliveries waiting
    Disable(OneEndpoint),
    /// Let a disabled one get events and deliveries again
    Enable(EnableArgs),
    /// Replace its secret; prints the new one this once
    #[command(
        after_help = "Both secrets sign until the overlap is over: bring the new one to the \
        receiver meanwhile. The signature headers of the profile body-hmac hold one signature, \
        which the new secret makes at once."
    )]
    Rotate(RotateArgs),
    /// Remove it and cancel its unfinished deliveries; their records stay
    Remove(OneEndpoint),
    /// Send it a signed test event now, once, and show its answer; or let a worker send it
    Test(TestArgs),
}

#[derive(Args, Debug)]
pub(crate) struct OneEndpoint {
    /// The endpoint
    #[arg(value_name = "ID")]
    id: EndpointId,
}

#[derive(Args, Debug)]
pub(crate) struct EnableArgs {
    /// The endpoint
    #[arg(value_name = "ID")]
    id: EndpointId,
    /// Send it what it has missed and nobody has sent since
    #[arg(long)]
    resend_missed: bool,
    /// Deliveries made due in a second
    #[arg(long, value_name = "N", default_value_t = 100, requires = "resend_missed")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
}

#[derive(Args, Debug)]
pub(crate) struct RotateArgs {
    /// The endpoint
    #[arg(value_name = "ID")]
    id: EndpointId,
    /// For how long the former secrets sign as well, at most 7d; 0s when one has leaked
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = duration)]
    overlap: Duration,
    /// What to sign with from now on; a new secret is made when absent
    #[arg(long, value_name = "whsec_...")]
    secret: Option<Secret>,
}

#[derive(Args)]
pub(crate) struct AddArgs {
    /// Where to post to
    #[arg(value_name = "URL")]
    url: EndpointUrl,
    /// Which events it wants, such as invoice.paid or invoice.*; all, when absent
    #[arg(long, value_name = "FILTER")]
    events: Vec<EventFilter>,
    /// Whose it is
    #[arg(long, default_value_t)]
    tenant: TenantId,
    /// What its requests are signed with; a new secret is made when absent
    #[arg(long, value_name = "whsec_...")]
    secret: Option<Secret>,
    /// A header to add to each request
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    metadata: MetadataArgs,
    #[command(flatten)]
    tls: TlsArgs,
    /// How to sign: standard, body-hmac; all that the secret serves, when absent
    #[arg(long, value_name = "NAME")]
    profile: Vec<Profile>,
}

impl std::fmt::Debug for AddArgs {
    /// Not the values of headers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddArgs").field("url", &self.url).finish_non_exhaustive()
    }
}

impl AddArgs {
    fn judge(&self, options: &Options) -> Result<(), Error> {
        let refused = |error| EndpointError::from(InvalidEndpoint::Refused(text(&error)));
        Ok(transport(options, &options.settings()?)?.accepts(&self.url).map_err(refused)?)
    }

    fn into_endpoint(self) -> Result<NewEndpoint, Error> {
        let mut new = NewEndpoint::new(self.url).tenant(self.tenant).profiles(self.profile);
        if !self.events.is_empty() {
            new = new.events(self.events);
        }
        for (name, value) in self.header {
            new = new.header(name, value);
        }
        if let Some(secret) = self.secret {
            new = new.secret(secret);
        }
        self.tls.add_to(self.metadata.add_to(self.limits.add_to(new)))
    }
}

pub(crate) async fn run(options: &Options, command: EndpointCommand) -> Result<End, Error> {
    match command {
        EndpointCommand::Check(args) => check::run(options, args).await,
        EndpointCommand::Stored(command) => run_stored(options, *command).await,
    }
}

async fn run_stored(options: &Options, command: StoredCommand) -> Result<End, Error> {
    if let StoredCommand::Add(args) = &command {
        // Before the database is opened: a refusal leaves nothing behind.
        args.judge(options)?;
    }
    let webhooks = open(options).await?;
    let (output, operator) = (options.output(), webhooks.operator());
    let endpoint = match command {
        StoredCommand::Add(args) => return add(output, &webhooks, args).await,
        StoredCommand::List { tenant, external_id } => {
            let mut endpoints = operator.endpoints(tenant.as_ref()).await?;
            endpoints.retain(|one| external_id.is_none() || one.external_id == external_id);
            let rows: Vec<_> = endpoints.iter().map(EndpointView::of).collect();
            output.list(&rows)?;
            return Ok(End::Done);
        }
        StoredCommand::Remove(one) => {
            operator.remove_endpoint(one.id).await?;
            output.show(&Removed { removed: one.id })?;
            return Ok(End::Done);
        }
        StoredCommand::Rotate(args) => return rotate(output, &webhooks, args).await,
        StoredCommand::Stats(args) => {
            output.show(&args.run(&webhooks).await?)?;
            return Ok(End::Done);
        }
        StoredCommand::Test(args) => return test::run(output, &webhooks, args).await,
        StoredCommand::Update(args) => args.run(&webhooks).await?,
        StoredCommand::Show(one) => operator.endpoint(one.id).await?,
        StoredCommand::Pause(one) => operator.pause_endpoint(one.id).await?,
        StoredCommand::Resume(one) => operator.resume_endpoint(one.id).await?,
        StoredCommand::Disable(one) => operator.disable_endpoint(one.id).await?,
        StoredCommand::Enable(args) => return enable(output, &webhooks, &args).await,
    };
    output.show(&EndpointView::of(&endpoint))?;
    Ok(End::Done)
}

async fn add(output: Output, webhooks: &Webhooks, args: AddArgs) -> Result<End, Error> {
    let was_given = args.secret.is_some();
    let registered = webhooks.add_endpoint(args.into_endpoint()?).await?;
    output.show(&RegisteredView::of(&registered, was_given))?;
    Ok(End::Done)
}

async fn enable(output: Output, webhooks: &Webhooks, args: &EnableArgs) -> Result<End, Error> {
    let endpoint = webhooks.operator().enable_endpoint(args.id).await?;
    output.show(&EndpointView::of(&endpoint))?;
    if args.resend_missed {
        let missed = Replay::new(args.id, Include::Missed);
        let mut replaying = webhooks.operator().replay(missed).await?.rate(args.rate);
        resend(output, &mut replaying).await?;
    }
    Ok(End::Done)
}

async fn rotate(output: Output, webhooks: &Webhooks, args: RotateArgs) -> Result<End, Error> {
    let was_given = args.secret.is_some();
    let mut rotation = Rotation::new().overlap(args.overlap);
    if let Some(secret) = args.secret {
        rotation = rotation.secret(secret);
    }
    let rotated = webhooks.operator().rotate_secret(args.id, rotation).await?;
    output.show(&RegisteredView::of(&rotated, was_given))?;
    Ok(End::Done)
}

#[derive(Serialize)]
struct Removed {
    removed: EndpointId,
}

impl View for Removed {
    fn text(&self) -> String {
        format!("removed endpoint {}; its unfinished deliveries are cancelled", self.removed)
    }
}
