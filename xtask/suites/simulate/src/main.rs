//! Plays simulations by the thousand, and tells what went wrong in them and what held.

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

use webhook_testkit::{Broken, Simulation, Survey};

use options::Options;

/// Stores to play on instead of the one in memory, by their number.
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
        Some(law) => until_broken(&options, law),
        None => play_all(&options),
    }
}

/// Plays until a law is broken, and tells which with which seed. For an engine that is broken on purpose.
fn until_broken(options: &Options, law: &str) -> ExitCode {
    for seed in options.seeds() {
        match options.simulation(seed).run_once() {
            Err(broken) if broken.law == law => {
                println!("{seed} {} {}", broken.law, broken.why);
                return ExitCode::SUCCESS;
            }
            _ => {}
        }
    }
    ExitCode::FAILURE
}

/// Plays all seeds, on all cores.
fn play_all(options: &Options) -> ExitCode {
    let began = Instant::now();
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let threads = threads.min(usize::try_from(options.count).unwrap_or(1)).max(1);
    let played = Played::default();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| played.play(options));
        }
    });
    let took = began.elapsed();
    let survey = played.survey.into_inner().unwrap_or_else(PoisonError::into_inner);
    print!("{}", report::of(&survey, took, threads));
    if let Some(broken) = played.broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        print!("\n{broken}");
        println!("  again: cargo xtask simulate --seed {} --faults {}", broken.seed, broken.faults);
        return ExitCode::FAILURE;
    }
    let untried = report::untried(&survey, options.is_whole());
    if untried.is_empty() {
        println!("simulate: {} seeds, every law held", survey.runs);
        return ExitCode::SUCCESS;
    }
    println!("never put to the test, or never happened: {}", untried.join(", "));
    ExitCode::FAILURE
}

/// What all threads have found.
#[derive(Default)]
struct Played {
    next: AtomicU64,
    over: AtomicBool,
    survey: Mutex<Survey>,
    broken: Mutex<Option<Box<Broken>>>,
}

impl Played {
    fn play(&self, options: &Options) {
        let mut mine = Survey::default();
        while !self.over.load(Ordering::Relaxed) {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            if index >= options.count {
                break;
            }
            let simulation: Simulation = options.simulation(options.first.wrapping_add(index));
            match simulation.run() {
                Ok(survey) => mine = mine.and(&survey),
                Err(broken) => {
                    self.over.store(true, Ordering::Relaxed);
                    let mut first = self.broken.lock().unwrap_or_else(PoisonError::into_inner);
                    first.get_or_insert(broken);
                }
            }
        }
        let mut all = self.survey.lock().unwrap_or_else(PoisonError::into_inner);
        *all = std::mem::take(&mut *all).and(&mine);
    }
}
