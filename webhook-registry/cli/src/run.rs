//! `webhook run`: deliver what is stored.

use std::{str::FromStr, time::Duration};

use clap::Args;
use serde::Serialize;
use webhook_registry::{
    Report, SettingsBuilder, TenantId, WorkerName,
    error::InvalidDuration,
    store::Backlog,
    view::{format_duration, parse_duration},
};

use crate::{
    error::{End, Error},
    options::Options,
    output::{View, fields},
    signals::shutdown,
    store::{connect, open_with},
    values::{duration, period, whole},
};

#[derive(Args, Debug)]
pub(crate) struct RunArgs {
    /// End when nothing is left to do
    #[arg(long)]
    until_idle: bool,
    /// What counts as left: what is due within this time, or all
    #[arg(long, value_name = "DURATION|all", default_value = "60s", requires = "until_idle")]
    horizon: Horizon,
    /// Create the tables first, or bring them up to date
    #[arg(long)]
    migrate: bool,
    /// Attempts in flight at once [default: 256]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    concurrency: Option<u32>,
    /// How long a claim is ours [default: 45s]
    #[arg(long, value_name = "DURATION", value_parser = period)]
    lease: Option<Duration>,
    /// The longest attempt; a shorter one permits a shorter lease [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = period)]
    max_timeout: Option<Duration>,
    /// The longest wait between two looks at the database [default: 1s]
    #[arg(long, value_name = "DURATION", value_parser = period)]
    poll: Option<Duration>,
    /// How long a shutdown waits for attempts in flight [default: 30s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    drain: Option<Duration>,
    /// Attempts one tenant may have in flight while another has work [default: half]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    tenant_share: Option<u32>,
    /// How long nothing but failures disables an endpoint, or never [default: 5d]
    #[arg(long, value_name = "DURATION")]
    disable_after: Option<DisableAfter>,
    /// Publish notices as events of this tenant; see `webhook notice`
    #[arg(long, value_name = "TENANT")]
    notices_to: Option<TenantId>,
    /// What stands with the deliveries that this process has claimed [default: host and process]
    #[arg(long, value_name = "NAME")]
    worker_name: Option<WorkerName>,
}

impl RunArgs {
    /// Sets the values that take the place of variables.
    fn set(&self, mut settings: SettingsBuilder) -> SettingsBuilder {
        if let Some(most) = self.concurrency {
            settings = settings.concurrency(whole(most));
        }
        if let Some(lease) = self.lease {
            settings = settings.lease(lease);
        }
        if let Some(most) = self.max_timeout {
            settings = settings.max_timeout(most);
        }
        if let Some(poll) = self.poll {
            settings = settings.poll(poll);
        }
        if let Some(drain) = self.drain {
            settings = settings.drain(drain);
        }
        if let Some(most) = self.tenant_share {
            settings = settings.tenant_share(whole(most));
        }
        if let Some(DisableAfter(after)) = self.disable_after {
            settings = settings.disable_after(after);
        }
        if let Some(tenant) = &self.notices_to {
            settings = settings.notices_to(tenant.clone());
        }
        if let Some(name) = &self.worker_name {
            settings = settings.worker_name(name.clone());
        }
        settings
    }
}

/// Time without a success after which an endpoint is disabled; None for `never`.
#[derive(Clone, Copy, Debug)]
struct DisableAfter(Option<Duration>);

impl FromStr for DisableAfter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        if text == "never" {
            return Ok(Self(None));
        }
        let after = parse_duration(text);
        after.map(|after| Self(Some(after))).map_err(|_| "expected a duration such as 5d, or never")
    }
}

/// How far ahead work counts; without an end, when nothing is given.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Horizon(Option<Duration>);

impl FromStr for Horizon {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        Ok(Self(if text == "all" { None } else { Some(parse_duration(text)?) }))
    }
}

/// What a run came to.
#[derive(Debug, Serialize)]
struct RunView {
    #[serde(flatten)]
    report: Report,
    /// What is left, where it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    left: Option<Left>,
}

#[derive(Debug, Serialize)]
struct Left {
    unrouted: u64,
    in_flight: u64,
    pending: u64,
    /// Those of paused and disabled endpoints.
    waiting: u64,
    next_due_in_ms: Option<u128>,
}

impl From<Backlog> for Left {
    fn from(backlog: Backlog) -> Self {
        Self {
            unrouted: backlog.unrouted,
            in_flight: backlog.in_flight,
            pending: backlog.pending,
            waiting: backlog.waiting,
            next_due_in_ms: backlog.next_due.map(|wait| wait.as_millis()),
        }
    }
}

impl Left {
    const fn is_nothing(&self) -> bool {
        self.unrouted == 0 && self.in_flight == 0 && self.pending == 0
    }

    fn text(&self) -> String {
        let Self { unrouted, in_flight, pending, waiting, next_due_in_ms } = self;
        let due = next_due_in_ms.map(|millis| {
            let wait = Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX));
            format!(" (the next one due in {})", format_duration(wait))
        });
        let due = due.unwrap_or_default();
        let mut text =
            format!("{pending} pending{due}, {in_flight} in flight, {unrouted} unrouted");
        if *waiting > 0 {
            text.push_str(&format!("; {waiting} waiting for paused or disabled endpoints"));
        }
        text
    }
}

impl View for RunView {
    fn text(&self) -> String {
        let Report { delivered, retried, failed, routed, released, leases_lost, cut, .. } =
            self.report;
        let mut pairs = vec![
            ("delivered", delivered.to_string()),
            ("to retry", format!("{retried} failed attempts")),
            ("failed", failed.to_string()),
        ];
        let rare = [
            ("routed", routed),
            ("released", released),
            ("leases lost", leases_lost),
            ("cut", cut),
        ];
        let rare = rare.into_iter().filter(|(_, count)| *count > 0);
        pairs.extend(rare.map(|(name, count)| (name, count.to_string())));
        pairs.extend(self.left.as_ref().map(|left| ("left", left.text())));
        fields(pairs)
    }
}

pub(crate) async fn run(options: &Options, args: &RunArgs) -> Result<End, Error> {
    let settings = args.set(options.settings_builder()).from_env()?;
    if !settings.mode().delivers() {
        return Err(Error::Mode(settings.mode()));
    }
    let shutdown = shutdown()?;
    if args.migrate {
        connect(settings.store()?).await?.migrate().await?;
    }
    let webhooks = open_with(options, &settings).await?;
    let (report, left) = if args.until_idle {
        let (report, backlog) = webhooks.run_until_idle(args.horizon.0, shutdown).await?;
        (report, Some(Left::from(backlog)))
    } else {
        (webhooks.run(shutdown).await, None)
    };
    let end = end(args.until_idle && report.failed > 0, left.as_ref());
    options.output().show(&RunView { report, left })?;
    Ok(end)
}

/// A delivery that failed is worse than work that is left. Who runs on and on learns of neither.
const fn end(failed: bool, left: Option<&Left>) -> End {
    match left {
        _ if failed => End::Failed,
        Some(left) if !left.is_nothing() => End::WorkLeft,
        _ => End::Done,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_decides_how_it_ends() {
        let left = |backlog| Left::from(backlog);
        let nothing = left(Backlog::new(0, 0, 0, 7, None));
        let later = left(Backlog::new(0, 0, 1, 0, Some(Duration::from_secs(90))));
        assert_eq!(end(false, Some(&nothing)), End::Done);
        assert_eq!(end(false, Some(&later)), End::WorkLeft);
        assert_eq!(end(true, Some(&later)), End::Failed);
        assert_eq!(end(false, None), End::Done);
        assert_eq!(later.text(), "1 pending (the next one due in 1m30s), 0 in flight, 0 unrouted");
    }

    /// The arguments of `webhook run`.
    #[derive(clap::Parser)]
    struct RunCommand {
        #[command(flatten)]
        args: RunArgs,
    }

    fn settings(words: &[&str], variable: Option<(&str, &str)>) -> String {
        let RunCommand { args } = clap::Parser::parse_from([&["run"], words].concat());
        let lookup = |name: &str| {
            let (_, value) = variable.filter(|(known, _)| *known == name)?;
            Some(value.into())
        };
        let settings = args.set(webhook_registry::Settings::builder()).from_lookup(lookup).unwrap();
        format!("{settings:?} {:?}", settings.notices_to())
    }

    #[test]
    fn an_option_overrides_its_variable() {
        for (option, value, variable, other) in [
            ("--concurrency", "3", "WEBHOOK_CONCURRENCY", "4"),
            ("--lease", "50s", "WEBHOOK_LEASE", "60s"),
            ("--max-timeout", "3s", "WEBHOOK_MAX_TIMEOUT", "4s"),
            ("--poll", "3s", "WEBHOOK_POLL", "4s"),
            ("--drain", "0s", "WEBHOOK_DRAIN", "4s"),
            ("--tenant-share", "3", "WEBHOOK_TENANT_SHARE", "4"),
            ("--disable-after", "never", "WEBHOOK_DISABLE_AFTER", "4d"),
            ("--notices-to", "ops", "WEBHOOK_NOTICES_TO", "others"),
            ("--worker-name", "blue", "WEBHOOK_WORKER_NAME", "green"),
        ] {
            let set = settings(&[option, value], None);
            assert_eq!(set, settings(&[], Some((variable, value))), "{option}");
            assert_ne!(set, settings(&[], Some((variable, other))), "{option}");
            for other in [other, "not valid", ""] {
                let both = settings(&[option, value], Some((variable, other)));
                assert_eq!(both, set, "{option} over {variable}={other}");
            }
        }
    }

    #[test]
    fn a_horizon_may_have_no_end() {
        assert_eq!("all".parse(), Ok(Horizon(None)));
        assert_eq!("5m".parse(), Ok(Horizon(Some(Duration::from_secs(300)))));
        assert!("soon".parse::<Horizon>().is_err());
    }
}
