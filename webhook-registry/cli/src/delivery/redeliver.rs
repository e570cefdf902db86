//! `webhook delivery redeliver`: some by their ids, or all that a query finds.

use clap::Args;
use serde::Serialize;
use webhook_registry::{
    DeliveryId, DeliveryStatus, EndpointId, EventFilter, TenantId, Timestamp, Webhooks,
    store::{Cursor, DeliveryQuery, Redelivered},
};

use super::outcome::{Outcome, show_outcomes};
use crate::{
    error::{End, Error},
    options::Options,
    output::{View, fields},
    store::open,
    values::moment,
};

#[derive(Args, Debug)]
pub(crate) struct RedeliverArgs {
    /// The deliveries
    #[arg(value_name = "ID", required_unless_present = "status")]
    ids: Vec<DeliveryId>,
    /// All that are failed, missed, cancelled or even success, instead
    #[arg(long, conflicts_with = "ids", value_parser = final_status)]
    status: Option<DeliveryStatus>,
    /// Of those only the ones to this endpoint
    #[arg(long, value_name = "ID", requires = "status")]
    endpoint: Option<EndpointId>,
    /// Of those only the ones of events of these types, such as invoice.paid or invoice.*
    #[arg(long = "type", value_name = "FILTER", requires = "status")]
    types: Vec<EventFilter>,
    /// Of those only this tenant's
    #[arg(long, requires = "status")]
    tenant: Option<TenantId>,
    /// Of those only the ones that came about since then: 2026-11-24T08:00:00Z, or 2h ago
    #[arg(long, value_name = "TIME|DURATION", requires = "status", value_parser = moment)]
    since: Option<Timestamp>,
    /// Of those only the ones that came about before
    #[arg(long, value_name = "TIME|DURATION", requires = "status", value_parser = moment)]
    until: Option<Timestamp>,
    /// Count them, and change nothing
    #[arg(long, requires = "status")]
    dry_run: bool,
}

fn final_status(text: &str) -> Result<DeliveryStatus, String> {
    let status = text.parse::<DeliveryStatus>().ok().filter(|status| status.is_final());
    status.ok_or_else(|| "expected failed, missed, cancelled or success".to_owned())
}

impl Outcome for Redelivered {
    fn name(&self) -> &'static str {
        match self {
            Self::Done => "redelivered",
            Self::Unchanged(_) => "unchanged",
            Self::EndpointGone => "endpoint_gone",
            Self::Tracked => "tracked",
            Self::NotFound => "not_found",
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Done => "due now".to_owned(),
            Self::Unchanged(status) => format!("left as it is: {status}"),
            Self::EndpointGone => "its endpoint was removed; publish the event anew".to_owned(),
            Self::Tracked => "it was sent within a call; send it again".to_owned(),
            Self::NotFound => "there is no such delivery".to_owned(),
        }
    }

    fn status(&self) -> Option<DeliveryStatus> {
        if let Self::Unchanged(status) = self { Some(*status) } else { None }
    }

    /// What is not final is tried anyway.
    fn is_as_wanted(&self) -> bool {
        matches!(self, Self::Done | Self::Unchanged(_))
    }
}

pub(super) async fn run(options: &Options, args: RedeliverArgs) -> Result<End, Error> {
    let webhooks = open(options).await?;
    if let Some(status) = args.status {
        let all = if args.dry_run {
            count(&webhooks, &args, status).await?
        } else {
            all(&webhooks, &args, status).await?
        };
        options.output().show(&all)?;
        return Ok(End::Done);
    }
    let answers = webhooks.operator().redeliver(&args.ids).await?;
    show_outcomes(options.output(), &args.ids, &answers)
}

/// What became of all that a query found.
#[derive(Debug, Default, Serialize)]
struct All {
    /// Those that are due again; with a dry run, those that would be.
    redelivered: usize,
    /// Those that were not in that status any more.
    unchanged: usize,
    /// Those that cannot be sent again.
    refused: usize,
    dry_run: bool,
}

impl All {
    fn add(&mut self, answer: Redelivered) {
        match answer {
            Redelivered::Done => self.redelivered += 1,
            Redelivered::Unchanged(_) => self.unchanged += 1,
            _ => self.refused += 1,
        }
    }
}

impl View for All {
    fn text(&self) -> String {
        if self.dry_run {
            return fields([("found", format!("{}, none of them changed", self.redelivered))]);
        }
        let mut pairs = vec![("due now", self.redelivered.to_string())];
        let rare = [
            ("unchanged", self.unchanged, "in another status by now"),
            (
                "refused",
                self.refused,
                "their endpoint was removed, or they were sent within a call",
            ),
        ];
        let rare = rare.into_iter().filter(|(_, count, _)| *count > 0);
        pairs.extend(rare.map(|(name, count, why)| (name, format!("{count}: {why}"))));
        fields(pairs)
    }
}

fn query(args: &RedeliverArgs, status: DeliveryStatus, cursor: Option<Cursor>) -> DeliveryQuery {
    let mut query = DeliveryQuery::new().status(status).limit(DELIVERIES_PER_PAGE);
    (query.endpoint, query.tenant, query.cursor) = (args.endpoint, args.tenant.clone(), cursor);
    (query.since, query.until) = (args.since, args.until);
    query.types.clone_from(&args.types);
    query
}

/// Deliveries in one transaction: few enough that no other transaction waits long.
const DELIVERIES_PER_PAGE: usize = 250;

/// A page at a time. Said again after an end on the way it goes on: what is due is not found again.
async fn all(
    webhooks: &Webhooks,
    args: &RedeliverArgs,
    status: DeliveryStatus,
) -> Result<All, Error> {
    let (mut all, mut cursor) = (All::default(), None);
    loop {
        let page = webhooks.operator().redeliver_page(query(args, status, cursor)).await?;
        page.answers.iter().for_each(|(_, answer)| all.add(*answer));
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}

async fn count(
    webhooks: &Webhooks,
    args: &RedeliverArgs,
    status: DeliveryStatus,
) -> Result<All, Error> {
    let (mut all, mut cursor) = (All { dry_run: true, ..All::default() }, None);
    loop {
        let page = webhooks.operator().deliveries(query(args, status, cursor)).await?;
        all.redelivered += page.items.len();
        cursor = page.next;
        if cursor.is_none() {
            return Ok(all);
        }
    }
}
