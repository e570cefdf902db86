//! Steps: run them, time them, sum up.

use std::time::{Duration, Instant};

use crate::run::Failure;

/// One check. It answers with a line for the summary.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// What it is asked for with; before what stands on the command line.
    pub(crate) args: &'static [&'static str],
    pub(crate) run: fn(&[&str]) -> Result<StepReport, Failure>,
}

impl Step {
    /// A step that is asked for by its name alone.
    pub(crate) const fn new(
        name: &'static str,
        run: fn(&[&str]) -> Result<StepReport, Failure>,
    ) -> Self {
        Self { name, args: &[], run }
    }

    /// The same, asked for with `args`.
    pub(crate) const fn with(self, args: &'static [&'static str]) -> Self {
        Self { args, ..self }
    }
}

/// What a step that passed has to say.
#[derive(Debug, Default)]
pub(crate) struct StepReport {
    /// What was looked at, in a few words.
    pub(crate) summary: String,
    /// What was not looked at, and how to change that; repeated before the summary, so that nothing
    /// is skipped in silence.
    pub(crate) left_out: Vec<String>,
}

impl StepReport {
    pub(crate) fn new(summary: impl Into<String>) -> Self {
        Self { summary: summary.into(), left_out: Vec::new() }
    }
}

struct Ran {
    name: &'static str,
    time: Duration,
    result: Result<StepReport, Failure>,
}

/// Runs every step, also after one has failed, so that one run names everything that is wrong.
/// Answers whether all passed. `asked` stands on the command line.
pub(crate) fn run_all(steps: &[Step], asked: &[&str]) -> bool {
    let begin = Instant::now();
    let ran: Vec<Ran> = steps.iter().map(|step| run_one(step, asked)).collect();
    print!("\n{}", report(&ran, begin.elapsed()));
    ran.iter().all(|step| step.result.is_ok())
}

fn run_one(step: &Step, asked: &[&str]) -> Ran {
    println!("\n== {}", step.name);
    let begin = Instant::now();
    let result = (step.run)(&[step.args, asked].concat());
    let time = begin.elapsed();
    if let Err(failure) = &result {
        println!("{failure}");
    }
    println!("== {}: {}", step.name, minutes(time));
    Ran { name: step.name, time, result }
}

/// What was left out, then a line for each step; the last line says it all.
fn report(ran: &[Ran], total: Duration) -> String {
    let left_out =
        ran.iter().filter_map(|step| step.result.as_ref().ok()).flat_map(|done| &done.left_out);
    let mut lines: Vec<String> = left_out.map(|text| format!("left out: {text}")).collect();
    lines.extend(ran.iter().map(line));
    if ran.len() > 1 {
        let failed: Vec<_> = ran.iter().filter(|step| step.result.is_err()).collect();
        let names: Vec<_> = failed.iter().map(|step| step.name).collect();
        lines.push(match names.len() {
            0 => format!("all {} steps passed in {}", ran.len(), minutes(total)),
            count => format!("{count} of {} steps failed: {}", ran.len(), names.join(", ")),
        });
    }
    lines.join("\n") + "\n"
}

fn line(step: &Ran) -> String {
    let (word, summary) = match &step.result {
        Ok(done) => ("ok", done.summary.clone()),
        Err(failure) => ("FAILED", failure.headline()),
    };
    let line = format!("{word:<6} {:>8}  {:<11} {summary}", minutes(step.time), step.name);
    line.trim_end().to_owned()
}

/// Minutes with two decimals, so that a step of a second still shows.
fn minutes(time: Duration) -> String {
    format!("{:.2} min", time.as_secs_f64() / 60.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(name: &'static str, result: Result<StepReport, Failure>) -> Ran {
        Ran { name, time: Duration::from_millis(1500), result }
    }

    #[test]
    fn the_last_line_of_a_single_step_is_its_own() {
        let done =
            StepReport { summary: "3 suites passed".into(), left_out: vec!["PostgreSQL".into()] };
        assert_eq!(
            report(&[ran("test", Ok(done))], Duration::ZERO),
            "left out: PostgreSQL\nok     0.03 min  test        3 suites passed\n"
        );
    }

    #[test]
    fn a_failed_step_is_named_in_the_last_line() {
        let found = Failure::Found("1 wall broken\n  here".into());
        let steps = [ran("fmt", Ok(StepReport::default())), ran("layers", Err(found))];
        let report = report(&steps, Duration::from_secs(3));
        assert!(report.contains("FAILED 0.03 min  layers      1 wall broken\n"), "{report}");
        assert!(report.ends_with("\n1 of 2 steps failed: layers\n"), "{report}");
    }
}
