//! Runs every case of the suite on its mutant and on the correct store.
//!
//! `cargo xtask conformance --mutants` writes this program and appends the list of cases.
#![allow(warnings)]

use std::{
    cell::Cell,
    panic,
    process::ExitCode,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use webhook_core::{Clock, store::Store};
// The mutants import it from their own crate.
use webhook_testkit::ManualClock;
use webhook_testkit::{MemoryStore, StoreHarness, conformance};

/// Paths by which the transitions import types of their own crate.
macro_rules! core_modules {
    ($($module:ident)*) => { $(pub mod $module {
            pub use webhook_core::{error::*, policy::*, store::*, *};
        })* };
}

mod model {
    core_modules!(attempt delivery endpoint endpoint_state event health id notice order);
    core_modules!(ordering_key replay time trigger url worker);
}

mod port {
    pub mod store {
        core_modules!(edit intake operations query replay_page work);
    }
}

type NewStore = fn(Arc<dyn Clock>) -> Arc<dyn Store>;

struct MutantCase {
    name: &'static str,
    run: fn(),
    mutant: NewStore,
    /// File that the mutant breaks.
    file: &'static str,
}

macro_rules! case {
    ($file:ident :: $name:ident, $module:ident, $path:literal) => {
        MutantCase {
            name: concat!(stringify!($file), "::", stringify!($name)),
            run: || conformance::run(conformance::store::$file::$name::<Harness>()),
            mutant: |clock| Arc::new($module::MemoryStore::new(clock)),
            file: $path,
        }
    };
}

thread_local! {
    /// Constructor of the store of this thread.
    static STORE: Cell<NewStore> = const { Cell::new(correct) };
}

fn correct(clock: Arc<dyn Clock>) -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(clock))
}

struct Harness {
    store: Arc<dyn Store>,
    clock: ManualClock,
}

impl StoreHarness for Harness {
    async fn fresh() -> Self {
        let clock = ManualClock::new();
        Self { store: STORE.get()(Arc::new(clock.clone())), clock }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    async fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }
}

/// Maximum duration of a case. All take far less.
const MAX_CASE_TIME: Duration = Duration::from_secs(20);

#[derive(PartialEq)]
enum Outcome {
    Passed,
    Failed,
    /// Not finished in time. This does not count as caught, because it does not name the fault.
    Hangs,
}

fn run(case: fn(), store: NewStore) -> Outcome {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        STORE.set(store);
        sender.send(panic::catch_unwind(case).is_ok())
    });
    match receiver.recv_timeout(MAX_CASE_TIME) {
        Ok(true) => Outcome::Passed,
        Ok(false) => Outcome::Failed,
        Err(_) => Outcome::Hangs,
    }
}

fn main() -> ExitCode {
    panic::set_hook(Box::new(|_| {}));
    let mut wrong = 0;
    for case in CASES {
        let fault = match (run(case.run, case.mutant), run(case.run, correct)) {
            (Outcome::Failed, Outcome::Passed) => continue,
            (_, Outcome::Failed) => "fails on the correct store",
            (_, Outcome::Hangs) => "hangs on the correct store",
            (Outcome::Passed, _) => "does not catch its mutant",
            (Outcome::Hangs, _) => "hangs instead of failing",
        };
        println!("{} {fault} (in {})", case.name, case.file);
        wrong += 1;
    }
    println!("{} cases, {} of them catch their mutant", CASES.len(), CASES.len() - wrong);
    // The thread of a case that hangs still runs.
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

