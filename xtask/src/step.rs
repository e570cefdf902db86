//! Runs steps, measures their time and prints a summary.

use std::time::{Duration, Instant};

use crate::run::Failure;

/// Check that returns a line for the summary.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// Arguments that precede those of the command line.
    pub(crate) args: &'static [&'static str],
    pub(crate) run: fn(&[&str]) -> Result<StepReport, Failure>,
}

impl Step {
    /// Returns a step without arguments of its own.
    pub(crate) const fn new(
        name: &'static str,
        run: fn(&[&str]) -> Result<StepReport, Failure>,
    ) -> Self {
        Self { name, args: &[], run }
    }

    /// Returns this step with `args`.
    pub(crate) const fn with(self, args: &'static [&'static str]) -> Self {
        Self { args, ..self }
    }
}

/// Report of a step that passed.
#[derive(Debug, Default)]
pub(crate) struct StepReport {
    /// Extent of the check, in a few words.
    pub(crate) summary: String,
    /// Skipped checks, with a way to run them. They are repeated before the summary, so that no
    /// check is skipped silently.
    pub(crate) left_out: Vec<String>,
}

impl StepReport {
    pub(crate) fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), left_out: Vec::new() }
    }
}

struct FinishedStep {
    name: &'static str,
    time: Duration,
    result: Result<StepReport, Failure>,
}

/// Runs every step with the arguments of the command line, and returns true if all passed.
///
/// Later steps run after a failure too, so that one run reports all faults.
pub(crate) fn run_all(steps: &[Step], command_line: &[&str]) -> bool {
    let begin = Instant::now();
    let finished: Vec<FinishedStep> =
        steps.iter().map(|step| run_one(step, command_line)).collect();
    print!("\n{}", report(&finished, begin.elapsed()));
    finished.iter().all(|step| step.result.is_ok())
}

fn run_one(step: &Step, command_line: &[&str]) -> FinishedStep {
    println!("\n== {}", step.name);
    let begin = Instant::now();
    let result = (step.run)(&[step.args, command_line].concat());
    let time = begin.elapsed();
    if let Err(failure) = &result {
        println!("{failure}");
    }
    println!("== {}: {}", step.name, minutes(time));
    FinishedStep { name: step.name, time, result }
}

/// Skipped checks, then a line for each step, the failed ones last, because often only the end of
/// a long output is shown. The last line is a verdict on all of them.
fn report(finished: &[FinishedStep], total: Duration) -> String {
    let left_out = finished
        .iter()
        .filter_map(|step| step.result.as_ref().ok())
        .flat_map(|done| &done.left_out);
    let mut lines: Vec<String> = left_out.map(|text| format!("left out: {text}")).collect();
    let (passed, failed): (Vec<_>, Vec<_>) = finished.iter().partition(|step| step.result.is_ok());
    lines.extend(passed.into_iter().chain(failed.iter().copied()).map(line));
    if finished.len() > 1 {
        let names: Vec<_> = failed.iter().map(|step| step.name).collect();
        lines.push(match names.len() {
            0 => format!("all {} steps passed in {}", finished.len(), minutes(total)),
            count => format!("{count} of {} steps failed: {}", finished.len(), names.join(", ")),
        });
    }
    lines.join("\n") + "\n"
}

fn line(step: &FinishedStep) -> String {
    let (word, summary) = match &step.result {
        Ok(done) => ("ok", done.summary.clone()),
        Err(failure) => ("FAILED", failure.headline()),
    };
    let line = format!("{word:<6} {:>8}  {:<11} {summary}", minutes(step.time), step.name);
    line.trim_end().to_owned()
}

/// Minutes with two decimals, so that a step of one second is not zero.
fn minutes(time: Duration) -> String {
    format!("{:.2} min", time.as_secs_f64() / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(name: &'static str, result: Result<StepReport, Failure>) -> FinishedStep {
        FinishedStep { name, time: Duration::from_millis(1500), result }
    }

    #[test]
    fn a_single_step_needs_no_verdict_on_all() {
        let done =
            StepReport { summary: "3 suites passed".into(), left_out: vec!["PostgreSQL".into()] };
        assert_eq!(
            report(&[finished("test", Ok(done))], Duration::ZERO),
            "left out: PostgreSQL\nok     0.03 min  test        3 suites passed\n"
        );
    }

    #[test]
    fn a_failed_step_is_named_in_the_last_lines() {
        let found = Failure::Found("1 wall broken\n  here".into());
        let steps = [finished("layers", Err(found)), finished("fmt", Ok(StepReport::default()))];
        let report = report(&steps, Duration::from_secs(3));
        let end = "\nFAILED 0.03 min  layers      1 wall broken\n1 of 2 steps failed: layers\n";
        assert!(report.ends_with(end), "{report}");
    }
}
