//! Measurements: receiver, sender and database in processes of their own, on loopback.
//!
//! `xtask-bench VERB [--db sqlite|URL] [--seconds N] [--runs N] [--requests N] [--deliveries N] [--json FILE] [--short]`.
//! What is judged is a ratio of figures of one call, on one machine and within minutes of each other;
//! absolute figures are shown beside it. A short call measures as little as it can and judges nothing: it
//! shows that measuring still works.

mod cost;
mod durable;
mod fairness;
mod flood;
mod latency;
mod load;
mod place;
mod prompt;
mod receiver;
mod report;
mod send;
mod sender;
mod stage;

use std::{env, error::Error, path::PathBuf, process::ExitCode, time::Duration};

use report::Report;

/// A step that could not be measured.
type Failure = Box<dyn Error + Send + Sync>;

/// Runs the measurement that the first argument names, or the child process of one.
pub fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(run(&words)),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask-bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// Answers whether everything is as it should be.
async fn run(words: &[&str]) -> Result<bool, Failure> {
    match *words {
        [receiver::ROLE, ref options @ ..] => receiver::listen(options).await.map(|()| true),
        [durable::hand::ROLE, task] => durable::hand::run(task).await.map(|()| true),
        [durable::ours::ROLE, task] => durable::ours::run(task).await.map(|()| true),
        [sender::ROLE, task] => sender::run(task).await.map(|()| true),
        [verb, ref options @ ..] => measure(verb, &Options::read(options)?).await,
        [] => Err(USAGE.into()),
    }
}

const USAGE: &str = "usage: xtask-bench all|send|durable|latency|fairness|flood [--db sqlite|URL] [--seconds N] [--runs N] [--requests N] [--deliveries N] [--json FILE] [--short]";

async fn measure(verb: &str, options: &Options) -> Result<bool, Failure> {
    let mut report = Report::new(options.short);
    let fair = match verb {
        "all" => all(options, &mut report).await.map(|()| true),
        "send" => send::measure(options, &mut report).await.map(|()| true),
        "durable" => durable::measure(options, &mut report).await.map(|()| true),
        "latency" => prompt::measure(options, &mut report).await.map(|()| true),
        "fairness" => fairness::measure(options).await,
        "flood" => flood::measure(options).await,
        _ => Err(USAGE.into()),
    }?;
    if let Some(path) = &options.json {
        report.write(path)?;
    }
    Ok(options.short || (fair && report.all_hold()))
}

/// Everything whose goals are ratios within one call.
async fn all(options: &Options, report: &mut Report) -> Result<(), Failure> {
    send::measure(options, report).await?;
    durable::measure(options, report).await?;
    prompt::measure(options, report).await
}

/// What to measure on, and for how long.
struct Options {
    /// `sqlite`, or the URL of a server on which databases may be created.
    db: String,
    /// How long each run lasts, of those that last a time.
    run: Duration,
    /// How often each is measured; medians count.
    runs: usize,
    /// How many requests each run sends, of those that count.
    requests: usize,
    /// How many deliveries each run makes.
    deliveries: usize,
    /// Where the figures go, for programs.
    json: Option<PathBuf>,
    /// Whether it is only to be seen that measuring works.
    short: bool,
}

impl Options {
    /// Each database to measure on: `--db` may name several, separated by commas.
    fn databases(&self) -> Vec<String> {
        self.db.split(',').map(str::to_owned).collect()
    }

    fn read(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self {
            db: "sqlite".into(),
            run: Duration::from_secs(60),
            runs: 3,
            requests: 200_000,
            deliveries: 50_000,
            json: None,
            short: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if *word == "--short" {
                let run = Duration::from_secs(1);
                options =
                    Self { run, runs: 1, requests: 200, deliveries: 200, short: true, ..options };
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            match *word {
                "--db" => options.db = (*value).to_owned(),
                "--runs" => options.runs = value.parse()?,
                "--requests" => options.requests = value.parse()?,
                "--deliveries" => options.deliveries = value.parse()?,
                "--json" => options.json = Some(value.into()),
                "--seconds" => options.run = Duration::from_secs(value.parse()?),
                _ => return Err(format!("unknown option {word}").into()),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_or_refused() {
        let options = Options::read(&["--db", "postgres://x", "--seconds", "5"]).unwrap();
        assert_eq!((options.db.as_str(), options.run.as_secs()), ("postgres://x", 5));
        for bad in [&["--db"][..], &["--seconds", "x"], &["--what", "1"]] {
            assert!(Options::read(bad).is_err(), "{bad:?}");
        }
    }
}
