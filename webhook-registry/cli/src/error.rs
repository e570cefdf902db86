//! How a command ends: the exit status, and one line that says what broke and what to do.

use std::{error::Error as StdError, fmt::Write as _, io, path::PathBuf, process::ExitCode};

use clap::error::{ContextKind, ErrorKind};
use webhook_registry::{
    DeliveryId, Mode, SendError, StoreError,
    error::{
        BindError, BuildError, ConnectError, EndpointError, InvalidEvent, InvalidHeader,
        InvalidSetting, PublishError, TestError, TransportBuildError,
    },
    signing::{SignerError, VerifyError},
    store::VaultError,
};

use crate::escape::harmless;

/// A command that did what it could.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum End {
    /// All is done.
    Done,
    /// Something failed, and was said.
    Failed,
    /// Work is left for later.
    WorkLeft,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Done => Self::SUCCESS,
            End::Failed => Self::FAILURE,
            End::WorkLeft => Self::from(3),
        }
    }
}

/// A command that could not do it. Each text says what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Bind(#[from] BindError),
    #[error("the body has more than {limit} bytes; send a link instead, or raise --max-body")]
    BodyTooLarge { limit: usize },
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("not a database URL; name the kind of database with --db-kind")]
    DatabaseKind,
    #[error("the demo did not go as it should: {0}")]
    Demo(String),
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    #[error(transparent)]
    Event(#[from] InvalidEvent),
    #[error(transparent)]
    Header(#[from] InvalidHeader),
    #[error("the data is not JSON: {0}; give JSON, or name another --content-type")]
    Json(String),
    #[error("the data is not JSON: it is not UTF-8; give JSON, or name another --content-type")]
    NotUtf8,
    #[error("cannot read {what}; check that it is there and readable")]
    Read { what: String, source: io::Error },
    #[error("cannot create {}; choose another folder", path.display())]
    Create { path: PathBuf, source: io::Error },
    #[error("cannot start; free some memory or threads")]
    Runtime(#[source] io::Error),
    #[error("WEBHOOK_MODE is {0}: nothing is to be delivered here; set worker or both")]
    Mode(Mode),
    #[error("name an --endpoint and what to --include, or the state to --resume")]
    NoReplay,
    #[error("{0}; run `webhook migrate`")]
    Migrate(&'static str),
    #[error("{0}")]
    Schema(&'static str),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("stopped at line {line}; publish from there on again")]
    Stopped { line: usize, source: PublishError },
    #[error(transparent)]
    Send(#[from] SendError),
    #[error(transparent)]
    Setting(#[from] InvalidSetting),
    #[error(transparent)]
    Signer(#[from] SignerError),
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot write to standard output")]
    Stdout(#[source] io::Error),
    #[error(transparent)]
    Test(#[from] TestError),
    #[error(transparent)]
    Transport(#[from] TransportBuildError),
    #[error("no delivery has the id {0}; list those there are with `webhook delivery list`")]
    UnknownDelivery(DeliveryId),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("not verified: {0}")]
    Verify(#[from] VerifyError),
}

impl Error {
    /// Prints the error in one line and returns the exit status.
    pub(crate) fn report(&self) -> ExitCode {
        print_error(&with_own_names(text(self)));
        match self {
            // As wrong as an option that is.
            Self::Setting(_) | Self::Mode(_) => ExitCode::from(2),
            _ => End::Failed.into(),
        }
    }
}

/// Replaces the setters that errors of the library name with variables and the option.
fn with_own_names(line: String) -> String {
    const SWITCHES: [(&str, &str); 4] = [
        ("allow_http()", "WEBHOOK_ALLOW_HTTP=true"),
        ("allow_name()", "WEBHOOK_ALLOW_NAMES"),
        ("allow_net()", "WEBHOOK_ALLOW_NETS"),
        // Ports are permitted all together.
        ("allow_port()", ""),
    ];
    const ALL: &str = "--dangerous-allow-private-addresses for development";
    let named = SWITCHES.into_iter().find(|(theirs, _)| line.contains(theirs));
    match named {
        Some((theirs, "")) => line.replace(theirs, ALL),
        Some((theirs, ours)) => line.replace(theirs, &format!("{ours}, or {ALL}")),
        None => line,
    }
}

/// Prints one line to standard error. A failed write has no other place to go, so it is ignored.
pub(crate) fn print_error(line: &str) {
    let _ = io::Write::write_all(&mut io::stderr(), format!("webhook: {line}\n").as_bytes());
}

/// What broke and why, in one line, each cause said once.
pub(crate) fn text(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {next}");
        }
        cause = error.source();
    }
    harmless(&text)
}

/// A command line that was not understood. A value that is not valid is told in one line, without
/// repeating it, as it may be a secret.
pub(crate) fn usage(error: &clap::Error) -> ExitCode {
    match (error.source(), error.get(ContextKind::InvalidArg)) {
        (Some(cause), Some(name)) => {
            print_error(&format!("{}: {}", bare(&name.to_string()), text(cause)));
        }
        // Help and version are errors to clap, too; so is a command without a word.
        _ if !error.use_stderr() || error.kind() == MISSING_SUBCOMMAND => {
            let _ = error.print();
        }
        _ => print_error(&one_line(&error.to_string())),
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

const MISSING_SUBCOMMAND: ErrorKind = ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;

/// The first paragraph of what clap says; the rest is advice that `--help` gives better.
fn one_line(text: &str) -> String {
    let lines = text.lines().map(str::trim).take_while(|line| !line.is_empty());
    let line = lines.collect::<Vec<_>>().join(" ");
    format!("{}; see `webhook --help`", line.trim_start_matches("error: "))
}

/// `--secret` of `--secret <whsec_...>`, and `URL` of `<URL>` and of `<URL>...`.
fn bare(name: &str) -> &str {
    name.split(' ').next().unwrap_or(name).trim_matches(['<', '>', '[', ']', '.'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_is_named_without_its_brackets() {
        for (name, bare_name) in
            [("--secret <whsec_...>", "--secret"), ("<URL>", "URL"), ("<ID>...", "ID")]
        {
            assert_eq!(bare(name), bare_name);
        }
    }

    #[test]
    fn a_usage_error_is_one_line_too() {
        let text =
            "error: the following required arguments were not provided:\n  <URL>\n\nUsage: x";
        assert_eq!(
            one_line(text),
            "the following required arguments were not provided: <URL>; see `webhook --help`"
        );
    }

    #[test]
    fn each_cause_is_said_once_and_all_in_one_line() {
        let source = io::Error::new(io::ErrorKind::NotFound, "no such\nfile");
        let error = Error::Read { what: "a.json".to_owned(), source };
        assert_eq!(
            text(&error),
            "cannot read a.json; check that it is there and readable: no such\\nfile"
        );
    }
}
