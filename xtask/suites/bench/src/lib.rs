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
    if let Some(verbs) = Verb::named(first) {
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

/// Something to measure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    Send,
    Durable,
    Latency,
    Fairness,
    Growth,
    FanOut,
    Workers,
    Start,
    Verify,
    Flood,
}

/// Everything that there are goals for.
const ALL: &str = "all";

impl Verb {
    const EACH: [Self; 10] = [
        Self::Send,
        Self::Durable,
        Self::Latency,
        Self::Fairness,
        Self::FanOut,
        Self::Workers,
        Self::Growth,
        Self::Start,
        Self::Verify,
        Self::Flood,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Send => "send",
            Self::Durable => "durable",
            Self::Latency => "latency",
            Self::Fairness => "fairness",
            Self::Growth => "growth",
            Self::FanOut => "fan-out",
            Self::Workers => "workers",
            Self::Start => "start",
            Self::Verify => "verify",
            Self::Flood => "flood",
        }
    }

    /// What a word asks for.
    fn named(word: &str) -> Option<Vec<Self>> {
        match word {
            // It takes long, and has no goal of its own beside `fairness`.
            ALL => Some(Self::EACH.into_iter().filter(|verb| *verb != Self::Flood).collect()),
            _ => Self::EACH.into_iter().find(|verb| verb.name() == word).map(|verb| vec![verb]),
        }
    }

    /// Whether one database is enough, where everything is asked for at once.
    const fn wants_one(self) -> bool {
        matches!(self, Self::Fairness | Self::Growth | Self::FanOut | Self::Workers)
    }

    async fn measure(self, options: &Options, report: &mut Report) -> Result<(), Failure> {
        match self {
            Self::Send => send::measure(options, report).await,
            Self::Durable => durable::measure(options, report).await,
            Self::Latency => prompt::measure(options, report).await,
            Self::Fairness => fairness::measure(options, report).await,
            Self::Growth => growth::measure(options, report).await,
            Self::FanOut => fan_out::measure(options, report).await,
            Self::Workers => workers::measure(options, report).await,
            Self::Start => start::measure(options, report).await,
            Self::Verify => verify::measure(options, report).await,
            Self::Flood => flood::measure(options, report).await,
        }
    }
}

fn usage() -> String {
    let names: Vec<_> = Verb::EACH.into_iter().map(Verb::name).collect();
    format!("usage: xtask-bench {ALL}|{} {}", names.join("|"), Options::USAGE)
}

/// Measures, and answers whether what was judged holds.
async fn measure(verbs: &[Verb], is_all: bool, options: &Options) -> Result<bool, Failure> {
    let mut report = Report::new(Machine::here(options).await?, options.short);
    for verb in verbs {
        let begun = Instant::now();
        let one = if is_all && verb.wants_one() { options.on_one() } else { options.clone() };
        if let Err(error) = verb.measure(&one, &mut report).await {
            report.broke(format!("{}: {error}", verb.name()));
        }
        report.part(verb.name(), begun.elapsed());
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
        assert_eq!(Verb::named("send"), Some(vec![Verb::Send]));
        assert_eq!(Verb::named("what"), None);
        assert_eq!(Verb::named(ALL).map(|verbs| verbs.len()), Some(Verb::EACH.len() - 1));
        for role in [sender::ROLE, receiver::ROLE, fan_out::ROLE, workers::ROLE] {
            assert_eq!(Verb::named(role), None, "a role is no verb");
        }
    }
}
