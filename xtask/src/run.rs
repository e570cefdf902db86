//! Runs other programs, and names the command in every error.

use std::{
    env, fmt,
    io::{self, BufRead, BufReader, PipeReader, pipe},
    process::{Child, Command, ExitStatus, Stdio},
};

/// Reason for which a step failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The program could not be started.
    NotStarted { command: String, source: io::Error },
    /// The program ended with this status.
    Ended { command: String, status: ExitStatus },
    /// A check found faults; the first line counts them.
    Found(String),
}

impl Failure {
    /// First line, for the summary.
    pub(crate) fn headline(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotStarted { command, source } => {
                write!(f, "`{command}` could not be started: {source}")
            }
            Self::Ended { command, status } => write!(f, "`{command}` failed: {status}"),
            Self::Found(text) => f.write_str(text),
        }
    }
}

/// Prefixes of variables that `cargo run` sets for this program.
///
/// Some build scripts, such as the one of `ring`, run again when these change. Without them a build
/// by this program and one by hand share their work.
const CARGO_RUN_PREFIXES: [&str; 4] =
    ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];

/// Command for the `cargo` that runs this program.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).env_remove("CARGO");
    for (name, _) in env::vars_os() {
        let is_set_by_cargo = name
            .to_str()
            .is_some_and(|name| CARGO_RUN_PREFIXES.iter().any(|p| name.starts_with(p)));
        if is_set_by_cargo {
            command.env_remove(name);
        }
    }
    command
}

/// Runs a command that shares the output of this program.
pub(crate) fn run(command: &mut Command) -> Result<(), Failure> {
    announce(command);
    let status = command.status().map_err(|source| not_started(command, source))?;
    ended(command, status)
}

/// Runs a command and returns its output. Its errors go to those of this program.
pub(crate) fn read(command: &mut Command) -> Result<String, Failure> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| not_started(command, source))?;
    ended(command, output.status)?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs a command, prints its output and errors, and passes each line to `show`.
pub(crate) fn watch(command: &mut Command, mut show: impl FnMut(&str)) -> Result<(), Failure> {
    announce(command);
    let (mut child, both) = spawn(command).map_err(|source| not_started(command, source))?;
    for line in BufReader::new(both).split(b'\n') {
        let line = line.map_err(|source| not_started(command, source))?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        show(&line);
    }
    let status = child.wait().map_err(|source| not_started(command, source))?;
    ended(command, status)
}

/// Starts a command that writes its output and errors to one pipe.
fn spawn(command: &mut Command) -> io::Result<(Child, PipeReader)> {
    let (reader, writer) = pipe()?;
    let child = command.stdout(writer.try_clone()?).stderr(writer).spawn();
    // The command would keep the pipe open after the process has ended.
    command.stdout(Stdio::inherit()).stderr(Stdio::inherit());
    Ok((child?, reader))
}

fn ended(command: &Command, status: ExitStatus) -> Result<(), Failure> {
    if status.success() {
        Ok(())
    } else {
        Err(Failure::Ended { command: spelled(command), status })
    }
}

fn not_started(command: &Command, source: io::Error) -> Failure {
    Failure::NotStarted { command: spelled(command), source }
}

fn announce(command: &Command) {
    println!("$ {}", spelled(command));
}

/// Command as typed in a shell, without the folder of the program.
fn spelled(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let program = program.file_stem().unwrap_or(command.get_program());
    std::iter::once(program)
        .chain(command.get_args())
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_the_command() {
        let failure = read(Command::new("/no/such/place/frobnicate").arg("--all")).unwrap_err();
        assert!(failure.to_string().starts_with("`frobnicate --all` could not be started: "));

        let failure = read(Command::new("false").arg("--all")).unwrap_err();
        assert!(failure.headline().starts_with("`false --all` failed: "), "{failure}");
    }

    #[test]
    fn every_line_is_shown() {
        let mut first = String::new();
        watch(&mut cargo(["--version"]), |line| first.push_str(line)).unwrap();
        assert!(first.starts_with("cargo "), "{first}");
    }
}
