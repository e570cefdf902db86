//! `webhook delivery`: deliveries and their attempts.

mod cancel;
mod delivery_view;
mod explain;
mod outcome;
mod redeliver;
mod skip;

use clap::{Args, Subcommand};
use webhook_registry::{
    DeliveryId, DeliveryStatus, EndpointId, EventFilter, EventId, TenantId, Timestamp, Webhooks,
    store::{Cursor, DeliveryQuery},
};

pub(crate) use self::delivery_view::{ShownAttempt, ShownDelivery, attempts, cut};
use self::{
    delivery_view::{Next, WholeDelivery},
    redeliver::RedeliverArgs,
};
use crate::{
    error::{End, Error},
    options::Options,
    store::open,
    values::moment,
};

#[derive(Debug, Subcommand)]
pub(crate) enum DeliveryCommand {
    /// List deliveries, the newest first
    List(ListArgs),
    /// Show a delivery with every attempt
    Show {
        /// The delivery
        #[arg(value_name = "ID")]
        id: DeliveryId,
    },
    /// Say why a delivery is where it is: what its attempts meant, what comes next, what is in the
    /// way
    Explain {
        /// The delivery
        #[arg(value_name = "ID")]
        id: DeliveryId,
    },
    /// Try final deliveries again, with a fresh budget of attempts
    ///
    /// With --status all that match, a page of them in one transaction. A run that was interrupted
    /// can be repeated as it is: those that are due again are not found any more. What has ended in
    /// that status once more meanwhile is tried once more; with success, that is what was delivered
    /// again.
    Redeliver(RedeliverArgs),
    /// Call deliveries off that are not final
    Cancel {
        /// The deliveries
        #[arg(value_name = "ID", required = true)]
        ids: Vec<DeliveryId>,
    },
    /// Let ordering keys go on that failed deliveries block, without these
    Skip {
        /// The deliveries
        #[arg(value_name = "ID", required = true)]
        ids: Vec<DeliveryId>,
    },
}

#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// Only those that are pending, in_flight, success, failed, cancelled or missed
    #[arg(long)]
    status: Option<DeliveryStatus>,
    /// Only those of events of these types, such as invoice.paid or invoice.*
    #[arg(long = "type", value_name = "FILTER")]
    types: Vec<EventFilter>,
    /// Only those of this event
    #[arg(long, value_name = "ID")]
    event: Option<EventId>,
    /// Only those to this endpoint
    #[arg(long, value_name = "ID")]
    endpoint: Option<EndpointId>,
    /// Only those of this tenant
    #[arg(long)]
    tenant: Option<TenantId>,
    /// Only those that came about since then: 2026-11-24T08:00:00Z, or 2h ago
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment)]
    since: Option<Timestamp>,
    /// Only those that came about before
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment)]
    until: Option<Timestamp>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Go on where an earlier list ended
    #[arg(long)]
    cursor: Option<Cursor>,
}

pub(crate) async fn run(options: &Options, command: DeliveryCommand) -> Result<End, Error> {
    match command {
        DeliveryCommand::List(args) => list(options, args).await,
        DeliveryCommand::Show { id } => show(options, id).await,
        DeliveryCommand::Explain { id } => explain::run(options, id).await,
        DeliveryCommand::Redeliver(args) => redeliver::run(options, args).await,
        DeliveryCommand::Cancel { ids } => cancel::run(options, &ids).await,
        DeliveryCommand::Skip { ids } => skip::run(options, &ids).await,
    }
}

async fn list(options: &Options, args: ListArgs) -> Result<End, Error> {
    let webhooks = open(options).await?;
    let (rows, next) = fetch(&webhooks, args).await?;
    options.output().list(&rows)?;
    if let Some(next) = next {
        options.output().show(&Next { next })?;
    }
    Ok(End::Done)
}

/// As many as were asked for, a page at a time.
async fn fetch(
    webhooks: &Webhooks,
    args: ListArgs,
) -> Result<(Vec<ShownDelivery>, Option<Cursor>), Error> {
    let (mut rows, mut next) = (Vec::new(), args.cursor);
    while rows.len() < args.limit {
        let mut query = DeliveryQuery::new().limit(args.limit - rows.len());
        (query.status, query.event, query.endpoint) = (args.status, args.event, args.endpoint);
        (query.tenant, query.cursor) = (args.tenant.clone(), next);
        (query.since, query.until) = (args.since, args.until);
        query.types.clone_from(&args.types);
        let page = webhooks.operator().deliveries(query).await?;
        rows.extend(page.items.into_iter().map(ShownDelivery::from));
        next = page.next;
        if next.is_none() {
            break;
        }
    }
    Ok((rows, next))
}

async fn show(options: &Options, id: DeliveryId) -> Result<End, Error> {
    let webhooks = open(options).await?;
    let found = webhooks.operator().delivery(id).await?;
    let delivery = found.ok_or(Error::UnknownDelivery(id))?.into();
    let log = attempts(&webhooks, id).await?;
    options.output().show(&WholeDelivery { delivery, log })?;
    Ok(End::Done)
}
