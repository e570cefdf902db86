//! Measurements: receiver, sender and database in processes of their own, on loopback.
//!
//! `xtask-bench VERB [--db sqlite|URL[,URL]] [--seconds N] [--runs N] [--requests N] [--deliveries N]
//! [--json FILE] [--markdown FILE] [--short]`. What is judged is a figure beside its limit of the same call,
//! on one machine and within minutes of it; ratios are of the median of several runs, or the table says how
//! many there were; for senders, the median of the ratios of three rounds a run. A short call measures as little as it can and judges nothing: it shows that measuring
//! still works.

mod child;
mod cost;
mod count;
mod durable;
mod fairness;
mod fan_out;
mod fixture;
mod flood;
mod growth;
mod latency;
mod latency_fixture;
mod load;
mod machine;
mod options;
mod place;
mod prompt;
mod receiver;
mod report;
mod send;
mod sender;
mod start;
mod verify;
mod workers;

use std::{env, error::Error, process::ExitCode, time::Instant};

use machine::Machine;
use options::Options;
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

/// The same in a program that counts its allocations: `counter` answers how many there were, and of how
/// many bytes.
pub fn main_counting(counter: fn() -> (f64, f64)) -> ExitCode {
    count::count_with(counter);
    main()
}

/// Answers whether everything is as it should be.
async fn run(words: &[&str]) -> Result<bool, Failure> {
    let [first, rest @ ..] = words else { return Err(usage().into()) };
    if let Some(verbs) = named(first) {
        return measure(&verbs, *first == ALL, &Options::read(rest)?).await;
    }
    let [task] = rest else { return Err(usage().into()) };
    match *first {
        receiver::ROLE => receiver::listen(task).await,
        sender::ROLE => sender::run(task).await,
        durable::hand_tuned::ROLE => durable::hand_tuned::run(task).await,
        durable::ours::ROLE => durable::ours::run(task).await,
        fan_out::ROLE => fan_out::run(task).await,
        workers::ROLE => workers::run(task).await,
        _ => Err(usage().into()),
    }?;
    Ok(true)
}

/// Everything that there are goals for.
const ALL: &str = "all";

/// Something to measure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    Send,
    Durable,
    Latency,
    Fairness,
    FanOut,
    Workers,
    Growth,
    Start,
    Verify,
    Flood,
}

/// Each with its name.
const VERBS: [(&str, Verb); 10] = [
    ("send", Verb::Send),
    ("durable", Verb::Durable),
    ("latency", Verb::Latency),
    ("fairness", Verb::Fairness),
    ("fan-out", Verb::FanOut),
    ("workers", Verb::Workers),
    ("growth", Verb::Growth),
    ("start", Verb::Start),
    ("verify", Verb::Verify),
    ("flood", Verb::Flood),
];

/// Verbs that a word asks for.
fn named(word: &str) -> Option<Vec<(&'static str, Verb)>> {
    // A flood takes long, and has no goal of its own beside `fairness`.
    let is_asked = |(name, verb): &(&str, Verb)| {
        if word == ALL { *verb != Verb::Flood } else { *name == word }
    };
    let verbs: Vec<_> = VERBS.into_iter().filter(is_asked).collect();
    (!verbs.is_empty()).then_some(verbs)
}

impl Verb {
    /// Returns true if one database is enough for `all`.
    const fn wants_one(self) -> bool {
        matches!(self, Self::Fairness | Self::Growth | Self::FanOut | Self::Workers)
    }

    async fn measure(self, options: &Options, report: &mut Report) -> Result<(), Failure> {
        match self {
            Self::Send => return send::measure(options, report).await,
            Self::Start => return start::measure(options, report).await,
            Self::Verify => return verify::measure(options, report).await,
            _ => {}
        }
        for db in options.databases() {
            match self {
                Self::Durable => durable::measure(&db, options, report).await,
                Self::Latency => prompt::measure(&db, options, report).await,
                Self::Fairness => fairness::measure(&db, options, report).await,
                Self::FanOut => fan_out::measure(&db, options, report).await,
                Self::Workers => workers::measure(&db, options, report).await,
                Self::Growth => growth::measure(&db, options, report).await,
                _ => flood::measure(&db, options, report).await,
            }?;
        }
        Ok(())
    }
}

fn usage() -> String {
    let names = VERBS.map(|(name, _)| name);
    format!("usage: xtask-bench {ALL}|{} {}", names.join("|"), Options::USAGE)
}

/// Measures, and answers whether what was judged holds.
async fn measure(verbs: &[(&str, Verb)], is_all: bool, options: &Options) -> Result<bool, Failure> {
    let mut report = Report::new(Machine::here(options).await?, options.short);
    for (name, verb) in verbs {
        let begun = Instant::now();
        let one = if is_all && verb.wants_one() { options.on_one() } else { options.clone() };
        if let Err(error) = verb.measure(&one, &mut report).await {
            report.broke(format!("{name}: {error}"));
        }
        report.part(name, begun.elapsed());
    }
    report.sum_up();
    if let Some(path) = &options.json {
        report.write_json(path)?;
    }
    if let Some(path) = &options.markdown {
        report.write_markdown(path)?;
    }
    Ok(report.is_whole() && (options.short || report.all_hold()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_asks_for_one_thing_or_for_all_that_has_goals() {
        assert_eq!(named("send"), Some(vec![("send", Verb::Send)]));
        assert_eq!(named("what"), None);
        assert_eq!(named(ALL).map(|verbs| verbs.len()), Some(VERBS.len() - 1));
        for role in [sender::ROLE, receiver::ROLE, fan_out::ROLE, workers::ROLE] {
            assert_eq!(named(role), None, "a role is no verb");
        }
    }
}
