//! Logs: to standard error, so that standard output is the result alone.

use std::io;

use tracing_subscriber::EnvFilter;

use crate::args::Command;

/// Begins to log: warnings, and from a command that runs on also what it does; of the demo, which
/// tells everything itself, only errors. `RUST_LOG` says otherwise.
pub(crate) fn start(command: &Command) {
    let default = match command {
        Command::Run(_) => "info",
        Command::Demo(_) => "error",
        _ => "warn",
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(default));
    // Without colours on a terminal too: what is logged may come from anybody.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(false)
        .init();
}
