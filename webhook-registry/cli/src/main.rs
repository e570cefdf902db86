//! The command `webhook`: publish, deliver, look up and try out webhooks from a shell.

mod args;
mod body;
mod delivery;
mod demo;
mod endpoint;
mod error;
mod escape;
mod listen;
mod log;
mod migrate;
mod ndjson;
mod notice;
mod options;
mod output;
mod plan;
mod prune;
mod publish;
mod replay;
mod run;
mod send;
mod sign;
mod signals;
mod status;
mod store;
mod values;
mod vault;
mod verify;

use std::process::ExitCode;

use clap::Parser as _;

use crate::{
    args::{Cli, Command},
    error::{End, Error},
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return error::usage(&error),
    };
    log::start(&cli.command);
    match start(cli) {
        Ok(end) => end.into(),
        Err(error) => error.report(),
    }
}

fn start(cli: Cli) -> Result<End, Error> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Error::Runtime)?;
    let end = runtime.block_on(async {
        let end = run(cli).await;
        store::close().await;
        end
    });
    // A thread that reads standard input may wait for ever.
    runtime.shutdown_background();
    end
}

async fn run(cli: Cli) -> Result<End, Error> {
    let options = cli.options;
    match cli.command {
        Command::Demo(args) => demo::run(&options, args).await,
        Command::Endpoint { command } => endpoint::run(&options, command).await,
        Command::Publish(args) => publish::run(&options, args).await,
        Command::Run(args) => run::run(&options, &args).await,
        Command::Delivery { command } => delivery::run(&options, command).await,
        Command::Replay(args) => replay::run(&options, args).await,
        Command::Send(args) => send::run(&options, args).await,
        Command::Listen(args) => listen::run(&options, args).await,
        Command::Sign(args) => sign::run(&options, &args),
        Command::Verify(args) => verify::run(&options, args),
        Command::Plan(args) => plan::run(&options, &args),
        Command::Prune(args) => prune::run(&options, &args).await,
        Command::Notice { command } => notice::run(&options, command).await,
        Command::Status => status::run(&options).await,
        Command::Vault { command } => vault::run(&options, command).await,
        Command::Migrate(args) => migrate::run(&options, args).await,
    }
}
