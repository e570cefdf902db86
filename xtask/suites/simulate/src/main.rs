//! Runs thousands of simulations and reports their faults and invariants.

mod options;
mod report;

use std::{
    process::ExitCode,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use webhook_testkit::{BrokenInvariant, Simulation, SimulationReport};

use options::Options;

/// Stores that replace the one in memory, by number.
const STORES: &[options::OnStore] = &[];

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1), STORES) {
        Ok(options) => options,
        Err(wrong) => {
            eprintln!("simulate: {wrong}\n\n{}", options::USAGE);
            return ExitCode::from(2);
        }
    };
    match &options.until {
        Some(invariant) => until_broken(&options, invariant),
        None => run_all(&options),
    }
}

/// Runs seeds until this invariant is violated, and prints the seed. For mutants.
fn until_broken(options: &Options, invariant: &str) -> ExitCode {
    for seed in options.seeds() {
        match options.simulation(seed).run_once() {
            Err(broken) if broken.invariant == invariant => {
                println!("{seed} {} {}", broken.invariant, broken.reason);
                return ExitCode::SUCCESS;
            }
            _ => {}
        }
    }
    ExitCode::FAILURE
}

/// Runs all seeds on all cores.
fn run_all(options: &Options) -> ExitCode {
    let began = Instant::now();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(usize::try_from(options.count).unwrap_or(1)).max(1);
    let results = Results::default();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| results.run_seeds(options));
        }
    });
    let took = began.elapsed();
    let report = results.report.into_inner().unwrap_or_else(PoisonError::into_inner);
    print!("{}", report::of(&report, took, threads));
    if let Some(broken) = results.broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        print!("\n{broken}");
        println!("  again: cargo xtask simulate --seed {} --faults {}", broken.seed, broken.faults);
        return ExitCode::FAILURE;
    }
    let untested = report::untested(&report, options.is_whole());
    if untested.is_empty() {
        println!("simulate: {} seeds, every invariant held", report.runs);
        return ExitCode::SUCCESS;
    }
    println!("never tested, or never occurred: {}", untested.join(", "));
    ExitCode::FAILURE
}

/// Results of all threads.
#[derive(Default)]
struct Results {
    next: AtomicU64,
    over: AtomicBool,
    report: Mutex<SimulationReport>,
    broken: Mutex<Option<Box<BrokenInvariant>>>,
}

impl Results {
    fn run_seeds(&self, options: &Options) {
        let mut mine = SimulationReport::default();
        while !self.over.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= options.count {
                break;
            }
            let simulation: Simulation = options.simulation(options.first.wrapping_add(index));
            match simulation.run() {
                Ok(report) => mine = mine.and(&report),
                Err(broken) => {
                    self.over.store(true, Ordering::Relaxed);
                    let mut first = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert(broken);
                }
            }
        }
        let mut all = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        *all = std::mem::take(&mut *all).and(&mine);
    }
}
