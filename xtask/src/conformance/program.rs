//! Runs every case of the suite on a store that is broken for it, and on the whole one.
//!
//! Written by `cargo xtask conformance --sabotage`, which has put the list of cases at the end.
#![allow(warnings)]

use std::{
    cell::Cell,
    panic,
    process::ExitCode,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

use webhook_core::{Clock, Store};
// The broken stores look for it in their own crate.
use webhook_testkit::ManualClock;
use webhook_testkit::{MemoryStore, StoreHarness, conformance};

type NewStore = fn(Arc<dyn Clock>) -> Arc<dyn Store>;

struct Case {
    name: &'static str,
    run: fn(),
    broken: NewStore,
    /// Where it is broken.
    file: &'static str,
}

macro_rules! case {
    ($file:ident :: $name:ident, $module:ident, $broken:literal) => {
        Case {
            name: concat!(stringify!($file), "::", stringify!($name)),
            run: || conformance::run(conformance::store::$file::$name::<Stage>()),
            broken: |clock| Arc::new($module::MemoryStore::new(clock)),
            file: $broken,
        }
    };
}

thread_local! {
    /// The store on which this thread runs a case.
    static STORE: Cell<NewStore> = const { Cell::new(whole) };
}

fn whole(clock: Arc<dyn Clock>) -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(clock))
}

struct Stage {
    store: Arc<dyn Store>,
    clock: ManualClock,
}

impl StoreHarness for Stage {
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

/// Far more than any case takes.
const LIMIT: Duration = Duration::from_secs(20);

#[derive(PartialEq)]
enum End {
    Passed,
    Failed,
    /// Not over in time. A suite that hangs tells nobody what is wrong, so this is not enough.
    Hangs,
}

fn run(case: fn(), store: NewStore) -> End {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        STORE.set(store);
        tell.send(panic::catch_unwind(case).is_ok())
    });
    match told.recv_timeout(LIMIT) {
        Ok(true) => End::Passed,
        Ok(false) => End::Failed,
        Err(_) => End::Hangs,
    }
}

fn main() -> ExitCode {
    panic::set_hook(Box::new(|_| {}));
    let mut wrong = 0;
    for case in CASES {
        let told = match (run(case.run, case.broken), run(case.run, whole)) {
            (End::Failed, End::Passed) => continue,
            (_, End::Failed) => "fails on the whole store",
            (_, End::Hangs) => "hangs on the whole store",
            (End::Passed, _) => "does not notice what is broken",
            (End::Hangs, _) => "hangs instead of failing",
        };
        println!("{} {told} (in {})", case.name, case.file);
        wrong += 1;
    }
    println!("{} cases, {} of them catch what they name", CASES.len(), CASES.len() - wrong);
    // A case that hangs still has its thread.
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

