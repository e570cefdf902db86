//! The table of all commands.

use clap::{Parser, Subcommand};

use crate::{
    delivery::DeliveryCommand, demo::DemoArgs, endpoint::EndpointCommand, listen::ListenArgs,
    migrate::MigrateArgs, notice::NoticeCommand, options::Options, plan::PlanArgs,
    prune::PruneArgs, publish::PublishArgs, replay::ReplayArgs, run::RunArgs, send::SendArgs,
    sign::SignArgs, vault::VaultCommand, verify::VerifyArgs,
};

/// Deliver events to other people's servers, and keep at it.
#[derive(Debug, Parser)]
#[command(name = "webhook", version, max_term_width = 100)]
#[command(after_help = "Exit status: 0 done, 1 failed, 2 wrong usage, 3 work is left.")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) options: Options,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See it work: local receivers, a dozen events, retries, a table of what happened
    Demo(DemoArgs),
    /// Register endpoints, look at them, pause, disable and test them
    Endpoint {
        #[command(subcommand)]
        command: EndpointCommand,
    },
    /// Store an event for delivery, or many
    Publish(PublishArgs),
    /// Deliver what is stored, until told to stop
    Run(RunArgs),
    /// Look at deliveries and their attempts, try them again, call them off
    Delivery {
        #[command(subcommand)]
        command: DeliveryCommand,
    },
    /// Send an endpoint's deliveries again: what it did not take, or missed while it was disabled
    ///
    /// Counts them first, then makes them due page by page, at a rate. What is still open is
    /// delivered anyway, and what has changed since the replay began is left alone: it is safe to
    /// interrupt and to repeat.
    Replay(ReplayArgs),
    /// Post one event to a URL now, without a database
    Send(SendArgs),
    /// Receive events and show whether their signatures verify, for development
    Listen(ListenArgs),
    /// Print the signature headers of a body
    Sign(SignArgs),
    /// Check the signature headers of a body
    Verify(VerifyArgs),
    /// Show when a retry policy tries again
    Plan(PlanArgs),
    /// Read what has to be told: endpoints that fail, are disabled or recover, deliveries given up
    Notice {
        #[command(subcommand)]
        command: NoticeCommand,
    },
    /// Remove what is over and old: deliveries with their attempts, then events, then endpoints
    Prune(PruneArgs),
    /// Tell how the store is doing: what is left, how far behind, which endpoints fail
    Status,
    /// Make keys that seal secrets at rest, see what is sealed, seal it anew
    Vault {
        #[command(subcommand)]
        command: VaultCommand,
    },
    /// Create the tables, or bring them up to date
    Migrate(MigrateArgs),
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
