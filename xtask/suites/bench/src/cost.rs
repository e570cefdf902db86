//! What a process has used up, as Linux tells it.

use std::{
    fs,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::{count::Allocations, latency::Latency};

/// What CPU time is counted in: `sysconf(_SC_CLK_TCK)`, the same on every Linux.
const TICKS_A_SECOND: f64 = 100.0;

/// Seconds of CPU that this process has used, all threads together; 0 where nobody tells.
pub(crate) fn cpu_of_this_process() -> f64 {
    seconds(&fs::read_to_string("/proc/self/stat").unwrap_or_default(), 2)
}

/// The same of another process.
pub(crate) fn cpu_of(process: u32) -> f64 {
    seconds(&fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default(), 2)
}

/// Seconds of CPU that all servers of this kind on this machine have used so far, those of their
/// processes that have ended as well; 0 for a database that has no server.
pub(crate) fn cpu_of_servers(kind: &str) -> f64 {
    let names: &[&str] = match kind {
        "postgres" | "postgresql" => &["postgres"],
        "mysql" | "mariadb" => &["mariadbd", "mysqld"],
        _ => return 0.0,
    };
    let folders = fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let stats = folders.filter_map(|folder| fs::read_to_string(folder.path().join("stat")).ok());
    stats
        .filter(|stat| name_in(stat).is_some_and(|name| names.contains(&name)))
        .map(|stat| seconds(&stat, 4))
        .sum()
}

/// The name of the program, in parentheses.
fn name_in(stat: &str) -> Option<&str> {
    let from = stat.find('(')?.checked_add(1)?;
    stat.get(from..stat.rfind(')')?)
}

/// The seconds that the first `fields` counters of a process say: itself, in user and kernel mode, and
/// its children that have ended.
fn seconds(stat: &str, fields: usize) -> f64 {
    // The name of the program may hold anything.
    let rest = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
    let ticks: f64 = rest.skip(11).take(fields).filter_map(|it| it.parse::<f64>().ok()).sum();
    ticks / TICKS_A_SECOND
}

/// The most memory that this process has held, in MiB.
pub(crate) fn peak_memory() -> f64 {
    memory("self", "VmHWM:")
}

/// The memory that another process holds now, in MiB.
pub(crate) fn memory_of(process: u32) -> f64 {
    memory(&process.to_string(), "VmRSS:")
}

fn memory(process: &str, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// What so many requests or deliveries took, in one process.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Cost {
    pub(crate) count: usize,
    pub(crate) took: Duration,
    /// Seconds, all threads together.
    pub(crate) cpu: f64,
    /// Since the process began.
    pub(crate) peak_mib: f64,
    /// Nothing, where they are not counted.
    pub(crate) allocations: Allocations,
    /// Nothing, where it is not measured.
    pub(crate) latency: Latency,
}

impl Cost {
    pub(crate) fn per_second(&self) -> f64 {
        self.count as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }

    pub(crate) fn per_cpu_second(&self) -> f64 {
        // Less than what is counted in is none.
        self.count as f64 / self.cpu.max(1.0 / TICKS_A_SECOND)
    }

    /// How many allocations one takes, and of how many KiB together.
    pub(crate) fn allocations_each(&self) -> [f64; 2] {
        let count = self.count.max(1) as f64;
        [self.allocations.count / count, self.allocations.bytes / 1024.0 / count]
    }
}

/// What was used up when something began.
pub(crate) struct Meter {
    begun: Instant,
    cpu: f64,
    allocations: Allocations,
}

impl Meter {
    pub(crate) fn start() -> Self {
        let (cpu, allocations) = (cpu_of_this_process(), Allocations::so_far());
        Self { begun: Instant::now(), cpu, allocations }
    }

    /// What has been used up since, for so many.
    pub(crate) fn stop(self, count: usize) -> Cost {
        Cost {
            count,
            took: self.begun.elapsed(),
            cpu: cpu_of_this_process() - self.cpu,
            peak_mib: peak_memory(),
            allocations: Allocations::so_far().since(self.allocations),
            latency: Latency::default(),
        }
    }
}

/// The middle one, by what `key` says of each.
pub(crate) fn median<T: Copy>(mut all: Vec<T>, key: impl Fn(&T) -> f64) -> Option<T> {
    all.sort_by(|a, b| key(a).total_cmp(&key(b)));
    all.get(all.len().checked_sub(1)? / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_one_is_one_of_them() {
        assert_eq!(median(vec![3.0, 1.0, 2.0], |it| *it), Some(2.0));
        assert_eq!(median(vec![4.0, 1.0, 2.0, 3.0], |it| *it), Some(2.0));
        assert_eq!(median(Vec::<f64>::new(), |it| *it), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_that_works_has_used_something() {
        let (meter, begun) = (Meter::start(), Instant::now());
        let before = cpu_of(std::process::id());
        while cpu_of_this_process() <= before {
            assert!(begun.elapsed() < Duration::from_secs(20), "nothing is counted");
        }
        assert!(memory_of(std::process::id()) > 1.0);
        let cost = meter.stop(10);
        assert!(cost.cpu > 0.0 && cost.peak_mib > 1.0 && cost.per_second() > 0.0);
    }
}
