//! The report as tables.

use std::{fmt::Write as _, time::Duration};

use webhook_testkit::{FaultKind, Simulation, SimulationReport};

/// Returns the amount and speed of the runs, the count of each fault, and how often the premise of
/// each invariant was true.
pub(crate) fn of(report: &SimulationReport, took: Duration, threads: usize) -> String {
    let days = report.virtual_time.as_secs_f64() / 86_400.0;
    let cpu = cpu_time().unwrap_or(took.as_secs_f64() * threads as f64);
    // Each seed runs twice and counts once.
    let speed = 2.0 * days / cpu;
    let mut text = String::from("\nfault                   times\n");
    for kind in FaultKind::ALL {
        let times = report.faults.get(kind).copied().unwrap_or_default();
        _ = writeln!(text, "{:<19} {times:>9}", kind.as_str());
    }
    text.push_str("\ninvariant                 tested  sentence\n");
    for (name, sentence) in Simulation::invariants() {
        let times = report.premises.get(name).copied().unwrap_or_default();
        _ = writeln!(text, "{name:<15} {times:>16}  {sentence}");
    }
    _ = writeln!(
        text,
        "\n{} runs, each twice, in {:.1} s on {threads} threads ({cpu:.1} CPU seconds): {days:.0} virtual days, \
         {speed:.0} for each CPU second; {} sends, {} trace events; trace {:016x}",
        report.runs,
        took.as_secs_f64(),
        report.sends,
        report.trace_events,
        report.trace
    );
    text
}

/// CPU time of this process in seconds, if the system reports it: user and system time, in ticks
/// of 10 ms, are the 14th and 15th field of `/proc/self/stat` (proc(5)).
fn cpu_time() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<f64>().ok());
    ticks.sum::<Option<f64>>().map(|ticks| ticks / 100.0).filter(|secs| *secs > 0.0)
}

/// Returns the invariants that were never tested and the faults that never occurred. Empty if the
/// runs are too few to show all of them.
pub(crate) fn untested(report: &SimulationReport, whole: bool) -> Vec<&'static str> {
    if !whole {
        return Vec::new();
    }
    let invariants = Simulation::invariants().into_iter().map(|(name, _)| name);
    let untested =
        invariants.filter(|name| report.premises.get(name).copied().unwrap_or_default() == 0);
    let kinds = FaultKind::ALL.iter();
    let unseen = kinds.filter(|kind| report.faults.get(kind).copied().unwrap_or_default() == 0);
    untested.chain(unseen.map(|kind| kind.as_str())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untested_invariants_and_faults_are_listed() {
        let nothing = SimulationReport::default();
        let all = Simulation::invariants().len() + FaultKind::ALL.len();
        assert_eq!(untested(&nothing, true).len(), all);
        assert!(untested(&nothing, false).is_empty());
    }

    #[test]
    fn every_fault_and_invariant_has_a_line() {
        let text = of(&SimulationReport::default(), Duration::from_secs(1), 2);
        let lines = text.lines().count();
        assert!(lines >= Simulation::invariants().len() + FaultKind::ALL.len(), "{text}");
    }
}
