//! `webhook notice`: what has to be told of endpoints and deliveries.

use clap::{Args, Subcommand};
use serde::Serialize;
use webhook_registry::{Notice, NoticeId};

use crate::{
    error::{End, Error},
    options::Options,
    output::{Row, View},
    store::open,
};

#[derive(Debug, Subcommand)]
pub(crate) enum NoticeCommand {
    /// List what nobody has acknowledged, the oldest first
    List {
        /// At most this many
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
    },
    /// Take note of some: they are listed no more
    Ack(AckArgs),
}

#[derive(Args, Debug)]
pub(crate) struct AckArgs {
    /// Which ones
    #[arg(value_name = "ID", required_unless_present = "all")]
    ids: Vec<String>,
    /// All there are
    #[arg(long, conflicts_with = "ids")]
    all: bool,
}

#[derive(Serialize)]
#[serde(transparent)]
struct NoticeRow(Notice);

impl Row for NoticeRow {
    const HEAD: &'static [&'static str] = &["AT", "TENANT", "ENDPOINT", "WHAT", "ID"];

    fn cells(&self) -> Vec<String> {
        let Notice { id, at, tenant, endpoint, kind, .. } = &self.0;
        vec![
            at.to_string(),
            tenant.to_string(),
            endpoint.to_string(),
            kind.to_string(),
            id.to_string(),
        ]
    }
}

#[derive(Serialize)]
struct Acknowledged {
    acknowledged: usize,
}

impl View for Acknowledged {
    fn text(&self) -> String {
        format!("acknowledged {}", self.acknowledged)
    }
}

/// Notices acknowledged in one call.
const NOTICES_PER_PAGE: usize = 1000;

pub(crate) async fn run(options: &Options, command: NoticeCommand) -> Result<End, Error> {
    let webhooks = open(options).await?;
    let notices = webhooks.notices();
    match command {
        NoticeCommand::List { limit } => {
            let rows: Vec<_> = notices.read(limit).await?.into_iter().map(NoticeRow).collect();
            options.output().list(&rows)?;
        }
        NoticeCommand::Ack(AckArgs { ids, all: false }) => {
            let acknowledged = ids.len();
            notices.acknowledge(ids.into_iter().map(NoticeId::new)).await?;
            options.output().show(&Acknowledged { acknowledged })?;
        }
        NoticeCommand::Ack(AckArgs { all: true, .. }) => {
            let mut acknowledged = 0;
            loop {
                let page = notices.read(NOTICES_PER_PAGE).await?;
                acknowledged += page.len();
                if page.is_empty() {
                    break;
                }
                notices.acknowledge(page.into_iter().map(|notice| notice.id)).await?;
            }
            options.output().show(&Acknowledged { acknowledged })?;
        }
    }
    Ok(End::Done)
}
