//! Is anything lost when processes, databases and networks die at the worst moment?
//!
//! A publisher, workers and a receiver are processes of their own, and each keeps a ledger: a file that
//! is flushed before the process goes on. The harness starts them, hurts them, lets the rest be
//! delivered and compares the ledgers. Lost is what was acknowledged to the publisher and never came to
//! the receiver; the store's own tables are not asked. What came twice needs a reason: a fault between
//! the two receipts that is allowed to repeat.
//!
//! A loss, or a repetition without a reason, fails at the first play. A limit of time that is missed
//! fails at the third one, because a busy machine may be the cause.
//!
//! `cargo xtask crash` runs it; `scenario` says what is done to whom.

mod child;
mod crash;
mod fixture;
mod flags;
mod ledger;
mod options;
mod point;
mod publisher;
mod receiver;
mod relay;
mod run;
mod scenario;
mod stalls;
mod syns;
mod verdict;
mod worker;

use std::{env, process::ExitCode};

use flags::Flags;
use options::Options;

/// What may go wrong in a tool that only has to say so.
pub(crate) type Outcome<T = ()> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Runs the harness, or the child that the first argument names.
pub fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(run(&args)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("crash: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: &[String]) -> Outcome<ExitCode> {
    let done = |(): ()| ExitCode::SUCCESS;
    match args.split_first() {
        Some((role, rest)) if role == publisher::ROLE => {
            publisher::run(&Flags::parse(rest)?).await.map(done)
        }
        Some((role, rest)) if role == worker::ROLE => {
            worker::run(&Flags::parse(rest)?).await.map(done)
        }
        Some((role, rest)) if role == receiver::ROLE => {
            receiver::run(&Flags::parse(rest)?).await.map(done)
        }
        _ => run::run(Options::parse(args)?).await,
    }
}
