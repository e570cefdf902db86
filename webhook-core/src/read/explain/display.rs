//! The page of an explanation, for people.

use std::{fmt, time::Duration};

use super::{ExplainedAttempt, Explanation, NextAttempt, Standing, WaitRule, Wanted};
use crate::model::{duration::format_duration, trigger::Trigger, worker::WorkerName};

impl Explanation {
    /// All but where it stands.
    pub(super) fn fmt_head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.subject)?;
        writeln!(f, "  {}", self.wanted)?;
        if self.attempts.is_empty() {
            writeln!(f, "  no attempt is on record")?;
        }
        self.attempts.iter().try_for_each(|attempt| write!(f, "{attempt}"))
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_head(f)?;
        write!(f, "  {}", self.standing)
    }
}

impl fmt::Display for ExplainedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, trigger, ago, what, meaning } = self;
        let why = match trigger {
            Trigger::First | Trigger::Retry => "",
            Trigger::Manual => ", redelivered by hand",
            Trigger::Replay => ", by a replay",
            Trigger::Test => ", as a test",
        };
        writeln!(f, "  attempt {number}, {} ago{why}: {what}", seconds(*ago))?;
        writeln!(f, "    {meaning}")
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(filter) => write!(f, "the endpoint wants {filter}"),
            Self::NotAnyMore => f.write_str(
                "the endpoint wants such events no more; what came about before is delivered",
            ),
            Self::NoEndpoint => f.write_str("the endpoint was removed, or it was sent without one"),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delivered => f.write_str("now: delivered; nothing is left to do"),
            Self::Failed(why) => write!(f, "now: given up, as {why}; redeliver it to try again"),
            Self::Blocks(why) => write!(
                f,
                "now: given up, as {why}; the later ones of its ordering key wait: redeliver it, or skip it"
            ),
            Self::Cancelled => f.write_str(
                "now: called off, by hand or with its endpoint; redeliver it to try again",
            ),
            Self::Missed => f.write_str(
                "now: missed, as the endpoint was disabled when the event came; enable it and replay",
            ),
            Self::InFlight { worker, since, left } => {
                fmt_in_flight(f, worker.as_ref(), *since, *left)
            }
            Self::Lost(worker, since) => {
                let whose = worker.as_ref().map_or("its worker", WorkerName::as_str);
                write!(
                    f,
                    "now: the lease of {whose} ended {} ago, and it has not said what came of it; another worker takes over (does one run?)",
                    seconds(*since)
                )
            }
            Self::Scheduled { wait, attempt, rule } => fmt_scheduled(f, *wait, *attempt, *rule),
            Self::Due(since) => write!(
                f,
                "next: due for {}; it waits for a worker with a free slot for this endpoint (does one run?)",
                seconds(*since)
            ),
            Self::CoolingDown(wait, Some(failures)) => write!(
                f,
                "next: an attempt in {} or later, as the endpoint has failed {failures} times in a row and cools down until then; one delivery is the probe, and no attempt is used up meanwhile",
                seconds(*wait)
            ),
            Self::CoolingDown(wait, None) => write!(
                f,
                "next: an attempt in {} or later, as the receiver asked for a pause (429 or 503 with Retry-After)",
                seconds(*wait)
            ),
            Self::RateLimited(rate) => write!(
                f,
                "next: due; the endpoint gets {rate}, and others of it are before this one (does a worker run?)"
            ),
            Self::Behind(first) => {
                write!(f, "next: waits for an earlier delivery of its ordering key: {first}")
            }
            Self::Blocked(first, since) => write!(
                f,
                "next: nothing, blocked since an earlier delivery of its ordering key failed, {} ago: skip or redeliver {first}",
                seconds(*since)
            ),
            Self::Paused => f.write_str("next: nothing, as the endpoint is paused; resume it"),
            Self::Disabled(why) => {
                write!(f, "next: nothing, as the endpoint is disabled ({why}); enable it")
            }
        }
    }
}

fn fmt_in_flight(
    f: &mut fmt::Formatter<'_>,
    worker: Option<&WorkerName>,
    since: Duration,
    left: Option<Duration>,
) -> fmt::Result {
    f.write_str("now: a worker has it")?;
    if let Some(worker) = worker {
        write!(f, ": {worker}")?;
    }
    write!(f, ", for {}", seconds(since))?;
    match left {
        Some(left) => write!(f, "; if it is lost another takes over in {}", seconds(left)),
        None => Ok(()),
    }
}

fn fmt_scheduled(
    f: &mut fmt::Formatter<'_>,
    wait: Duration,
    attempt: Option<NextAttempt>,
    rule: Option<WaitRule>,
) -> fmt::Result {
    let wait = seconds(wait);
    match attempt {
        Some(attempt) if !attempt.is_allowed() => {
            let NextAttempt { of, .. } = attempt;
            return write!(
                f,
                "next: it is given up in {wait}, as its retry policy allows no more than {of} attempts by now"
            );
        }
        Some(attempt) => write!(f, "next: {attempt} in {wait}")?,
        None => write!(f, "next: an attempt in {wait}")?,
    }
    rule.map_or(Ok(()), |rule| write!(f, ", {rule}"))
}

/// In whole seconds: nobody asks for more.
pub(super) fn seconds(time: Duration) -> String {
    format_duration(Duration::from_secs(time.as_secs()))
}
