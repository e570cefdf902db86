//! What was played, as tables.

use std::{fmt::Write as _, time::Duration};

use webhook_testkit::{FaultKind, Simulation, Survey};

/// How much was played and how fast, each fault with how often it has happened, each law with how often it
/// was put to the test.
pub(crate) fn of(survey: &Survey, took: Duration, threads: usize) -> String {
    let days = survey.virtual_time.as_secs_f64() / 86_400.0;
    let cpu = cpu_time().unwrap_or(took.as_secs_f64() * threads as f64);
    // Each run is played twice, and counted once.
    let speed = 2.0 * days / cpu;
    let mut text = String::from("\nfault                   times\n");
    for kind in FaultKind::ALL {
        let times = survey.faults.get(kind).copied().unwrap_or_default();
        _ = writeln!(text, "{:<19} {times:>9}", kind.as_str());
    }
    text.push_str("\nlaw              put to the test  what it says\n");
    for (name, sentence) in Simulation::laws() {
        let times = survey.premises.get(name).copied().unwrap_or_default();
        _ = writeln!(text, "{name:<15} {times:>16}  {sentence}");
    }
    _ = writeln!(
        text,
        "\n{} runs, each twice, in {:.1} s on {threads} threads ({cpu:.1} CPU seconds): {days:.0} virtual days, \
         {speed:.0} played a CPU second; {} sends, {} happenings; trace {:016x}",
        survey.runs,
        took.as_secs_f64(),
        survey.sends,
        survey.happenings,
        survey.trace
    );
    text
}

/// The CPU time of this process so far, in seconds, where the system tells: user and system time, in ticks
/// of 10 ms, are the 14th and 15th field of `/proc/self/stat` (proc(5)).
fn cpu_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<f64>().ok());
    ticks.sum::<Option<f64>>().map(|ticks| ticks / 100.0).filter(|secs| *secs > 0.0)
}

/// What nothing was learnt of, in as many runs as ought to do.
pub(crate) fn untried(survey: &Survey, whole: bool) -> Vec<&'static str> {
    if !whole {
        return Vec::new();
    }
    let laws = Simulation::laws().into_iter().map(|(name, _)| name);
    let untried = laws.filter(|name| survey.premises.get(name).copied().unwrap_or_default() == 0);
    let kinds = FaultKind::ALL.iter();
    let unseen = kinds.filter(|kind| survey.faults.get(kind).copied().unwrap_or_default() == 0);
    untried.chain(unseen.map(|kind| kind.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_told_when_there_was_time_enough() {
        let nothing = Survey::default();
        let all = Simulation::laws().len() + FaultKind::ALL.len();
        assert_eq!(untried(&nothing, true).len(), all);
        assert!(untried(&nothing, false).is_empty());
    }

    #[test]
    fn every_fault_and_every_law_has_a_line() {
        let text = of(&Survey::default(), Duration::from_secs(1), 2);
        let lines = text.lines().count();
        assert!(lines >= Simulation::laws().len() + FaultKind::ALL.len(), "{text}");
    }
}
