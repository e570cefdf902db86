//! Is each hostile input there is a name for refused, and would it do harm if it were not?
//!
//! `docs/security-cases.md` has a row for each: an input and its result. Here every row is played, on
//! real sockets if it needs one, and the result is compared with the table. Rows about addresses and
//! redirects are played without the guard as well: an equal result proves nothing, and fails.
//!
//! `cargo xtask security` runs it; `--write` writes what was seen into the table, to be looked at.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a panic here is a failed case"
)]

mod abuse;
mod answers;
mod attempt_report;
mod bounds;
mod canary;
mod case;
mod crowd;
mod decided;
mod dns;
mod environment;
mod fixture;
mod headers;
mod ids;
mod literal;
mod names;
mod public;
mod redirects;
mod run;
mod script;
mod secrets;
mod sending;
mod signatures;
mod table;
mod tls;
mod urls;

use std::{env, process::ExitCode};

/// Runs the cases that the arguments name, or all.
pub fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) if environment::is_asked(&args) => {
            runtime.block_on(environment::send(&args));
            ExitCode::SUCCESS
        }
        Ok(runtime) => runtime.block_on(run::run(&args)),
        Err(error) => {
            eprintln!("security: {error}");
            ExitCode::FAILURE
        }
    }
}
