//! `webhook delivery`: deliveries and their attempts.

mod cancel;
mod explain;
mod redeliver;
mod skip;

use clap::{Args, Subcommand};
use serde::Serialize;
use webhook_registry::{
    Attempt, AttemptView, Cursor, Delivery, DeliveryId, DeliveryQuery, DeliveryStatus,
    DeliveryView, EndpointId, EventFilter, EventId, TenantId, Timestamp, Webhooks, WorkerName,
};

use self::redeliver::RedeliverArgs;
use crate::{
    args::{Options, moment},
    error::{End, Error},
    output::{Output, Row, View, fields, harmless, or_dash, table},
    store::open,
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
    /// Say why a delivery is where it is: what its attempts meant, what comes next, what is in the way
    Explain {
        /// The delivery
        #[arg(value_name = "ID")]
        id: DeliveryId,
    },
    /// Try final deliveries again, with a fresh budget of attempts
    ///
    /// With --status all that match, a page of them in one transaction. A run that was interrupted can
    /// be repeated as it is: those that are due again are not found any more. What has ended in that
    /// status once more meanwhile is tried once more; with success, that is what was delivered again.
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
struct WholeDelivery {
    #[serde(flatten)]
    delivery: ShownDelivery,
    log: Vec<ShownAttempt>,
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
struct Next {
    next: Cursor,
}

impl View for Next {
    fn text(&self) -> String {
        format!("\nmore with --cursor {}", self.next)
    }
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

/// What became of a delivery that was asked for by its id.
trait Outcome {
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
fn show_outcomes(
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
