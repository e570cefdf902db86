//! `webhook replay`: send an endpoint's deliveries again, page by page, at a rate.

use clap::Args;
use indicatif::ProgressBar;
use serde::Serialize;
use webhook_registry::{
    EndpointId, EventFilter, Include, Replay, Replaying, Timestamp, Webhooks, store::ReplayState,
};

use crate::{
    error::{End, Error},
    options::Options,
    output::{Output, View, fields},
    store::open,
    values::moment,
};

#[derive(Args, Debug)]
pub(crate) struct ReplayArgs {
    /// Whose deliveries
    #[arg(long, value_name = "ID", required_unless_present = "resume")]
    endpoint: Option<EndpointId>,
    /// What was failed, what was missed while the endpoint was disabled, or all: both, and what was
    /// delivered
    #[arg(long, value_name = "WHAT", required_unless_present = "resume")]
    include: Option<Include>,
    /// Of those only the ones that came about since then: 2026-11-24T08:00:00Z, or 2h ago
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment)]
    since: Option<Timestamp>,
    /// Of those only the ones that came about before
    #[arg(long, value_name = "TIME|DURATION", value_parser = moment)]
    until: Option<Timestamp>,
    /// Of those only events of this type, such as invoice.paid or invoice.*; may be repeated
    #[arg(long = "type", value_name = "FILTER")]
    types: Vec<EventFilter>,
    /// Deliveries made due in a second
    #[arg(long, value_name = "N", default_value_t = 100)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Count them, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Go on with a replay that was interrupted, from the state it has told
    #[arg(long, value_name = "STATE")]
    #[arg(conflicts_with_all = ["endpoint", "include", "since", "until", "types"])]
    resume: Option<ReplayState>,
}

/// What is to be sent again.
#[derive(Serialize)]
struct Estimate {
    estimate: u64,
    state: String,
    dry_run: bool,
}

impl View for Estimate {
    fn text(&self) -> String {
        let found = self.estimate.to_string();
        if self.dry_run {
            return fields([("found", format!("{found}, none of them changed"))]);
        }
        let resume = format!("webhook replay --resume {}", self.state);
        fields([("to send", found), ("to go on", format!("{resume} (after an interruption)"))])
    }
}

/// How far it is.
#[derive(Serialize)]
struct Progress {
    done: u64,
    state: String,
}

impl View for Progress {
    fn text(&self) -> String {
        fields([("due now", self.done.to_string())])
    }
}

/// What it came to.
#[derive(Serialize)]
struct Ended {
    replayed: u64,
}

impl View for Ended {
    fn text(&self) -> String {
        fields([("due now", format!("{}; a worker sends them", self.replayed))])
    }
}

pub(crate) async fn run(options: &Options, args: ReplayArgs) -> Result<End, Error> {
    let webhooks = open(options).await?;
    let mut replaying = begin(&webhooks, &args).await?.rate(args.rate);
    if args.dry_run {
        let (estimate, state) = (replaying.estimate().await?, replaying.state().to_string());
        options.output().show(&Estimate { estimate, state, dry_run: true })?;
        return Ok(End::Done);
    }
    resend(options.output(), &mut replaying).await?;
    Ok(End::Done)
}

async fn begin<'a>(webhooks: &'a Webhooks, args: &ReplayArgs) -> Result<Replaying<'a>, Error> {
    match (&args.resume, args.endpoint, args.include) {
        (Some(state), ..) => Ok(webhooks.operator().resume_replay(state.clone())),
        (None, Some(endpoint), Some(include)) => {
            let mut replay = Replay::new(endpoint, include).types(args.types.clone());
            (replay.since, replay.until) = (args.since, args.until);
            Ok(webhooks.operator().replay(replay).await?)
        }
        (None, ..) => Err(Error::NoReplay),
    }
}

/// Goes on to the end, and tells how far it is.
pub(crate) async fn resend(output: Output, replaying: &mut Replaying<'_>) -> Result<(), Error> {
    let estimate = replaying.estimate().await?;
    let state = replaying.state().to_string();
    output.show(&Estimate { estimate, state, dry_run: false })?;
    let bar = ProgressBar::new(estimate);
    while let Some(count) = replaying.next_page().await? {
        bar.inc(count);
        if output.json {
            let (done, state) = (replaying.state().done, replaying.state().to_string());
            output.show(&Progress { done, state })?;
        }
    }
    bar.finish_and_clear();
    output.show(&Ended { replayed: replaying.state().done })
}
