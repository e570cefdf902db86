//! `webhook prune`: remove what is over and old.

use std::time::Duration;

use clap::Args;
use serde::Serialize;
use webhook_registry::store::{Prune, Pruned};

use crate::{
    error::{End, Error},
    options::Options,
    output::{View, fields},
    store::open,
    values::duration,
};

#[derive(Args, Debug)]
pub(crate) struct PruneArgs {
    /// Remove what was over for longer than this, such as 30d
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    older_than: Duration,
    /// Count it, and remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// What was removed, or would be.
#[derive(Serialize)]
struct PrunedView {
    deliveries: u64,
    attempts: u64,
    events: u64,
    endpoints: u64,
    notices: u64,
    dry_run: bool,
}

impl PrunedView {
    const fn of(pruned: Pruned, dry_run: bool) -> Self {
        let Pruned { deliveries, attempts, events, endpoints, notices, .. } = pruned;
        Self { deliveries, attempts, events, endpoints, notices, dry_run }
    }
}

impl View for PrunedView {
    fn text(&self) -> String {
        let pairs = fields([
            ("deliveries", self.deliveries.to_string()),
            ("attempts", self.attempts.to_string()),
            ("events", self.events.to_string()),
            ("endpoints", format!("{} that were removed before", self.endpoints)),
            ("notices", format!("{} that nobody has acknowledged", self.notices)),
        ]);
        if self.dry_run { format!("{pairs}\n\nnothing is removed yet") } else { pairs }
    }
}

pub(crate) async fn run(options: &Options, args: &PruneArgs) -> Result<End, Error> {
    let prune = Prune::older_than(args.older_than);
    let prune = if args.dry_run { prune.dry_run() } else { prune };
    let pruned = open(options).await?.operator().prune(prune).await?;
    options.output().show(&PrunedView::of(pruned, args.dry_run))?;
    Ok(End::Done)
}
