//! `webhook plan`: when a retry policy tries again.

use std::time::{Duration, SystemTime};

use clap::Args;
use serde::Serialize;
use webhook_registry::{
    RetryPolicy, Timestamp,
    policy::{Plan, PlannedAttempt},
    view::format_duration,
};

use crate::{
    error::{End, Error},
    options::Options,
    output::{Row, View},
};

#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    /// The policy: waits such as 5s,5m,30m, or none; the default one when absent
    #[arg(long, value_name = "WAITS")]
    retry: Option<RetryPolicy>,
}

/// One attempt, if the first one began now.
#[derive(Serialize)]
struct PlannedView {
    attempt: u32,
    wait: String,
    /// The shortest and the longest wait that the jitter makes of it.
    wait_min: String,
    wait_max: String,
    after: String,
    at: String,
}

impl Row for PlannedView {
    const HEAD: &'static [&'static str] =
        &["ATTEMPT", "WAIT", "WITH JITTER", "AFTER THE FIRST", "AT, IF STARTED NOW"];

    fn cells(&self) -> Vec<String> {
        let range = if self.wait_min == self.wait_max {
            "-".to_owned()
        } else {
            format!("{} to {}", self.wait_min, self.wait_max)
        };
        let (number, wait) = (self.attempt.to_string(), self.wait.clone());
        vec![number, wait, range, self.after.clone(), self.at.clone()]
    }
}

#[derive(Serialize)]
struct WindowView {
    attempts: usize,
    window: String,
    window_min: String,
    window_max: String,
    jitter_percent: u8,
}

impl View for WindowView {
    fn text(&self) -> String {
        let Self { attempts, window, window_min, window_max, jitter_percent } = self;
        let plural = if *attempts == 1 { "" } else { "s" };
        let jitter = match jitter_percent {
            0 => "without jitter".to_owned(),
            percent => format!("{window_min} to {window_max} with {percent} % jitter"),
        };
        format!("\n{attempts} attempt{plural} within {window}; {jitter}")
    }
}

pub(crate) fn run(options: &Options, args: &PlanArgs) -> Result<End, Error> {
    let plan = args.retry.clone().unwrap_or_else(RetryPolicy::durable).plan();
    let now = Timestamp::from(SystemTime::now());
    let attempts = plan.attempts.iter();
    let rows: Vec<_> = attempts.map(|attempt| row(attempt, plan.jitter_percent, now)).collect();
    options.output().list(&rows)?;
    options.output().show(&window(&plan))?;
    Ok(End::Done)
}

fn row(attempt: &PlannedAttempt, percent: u8, now: Timestamp) -> PlannedView {
    let (shortest, longest) = range(attempt.wait, percent);
    PlannedView {
        attempt: attempt.number,
        wait: format_duration(attempt.wait),
        wait_min: format_duration(shortest),
        wait_max: format_duration(longest),
        after: format_duration(attempt.at),
        at: now.after(attempt.at).to_string(),
    }
}

fn window(plan: &Plan) -> WindowView {
    let (shortest, longest) = range(plan.window(), plan.jitter_percent);
    WindowView {
        attempts: plan.attempts.len(),
        window: format_duration(plan.window()),
        window_min: format_duration(shortest),
        window_max: format_duration(longest),
        jitter_percent: plan.jitter_percent,
    }
}

/// What jitter makes of a wait, at the least and at the most.
fn range(wait: Duration, percent: u8) -> (Duration, Duration) {
    let spread = wait.saturating_mul(u32::from(percent)) / 100;
    (wait.saturating_sub(spread), wait.saturating_add(spread))
}
