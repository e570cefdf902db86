//! A folder of its own for each test, and the program to run in it.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a panic here is the failed assertion"
)]

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use webhook_registry::Settings;

/// A secret that requests are signed and verified with.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Permits receivers on this machine.
pub(crate) const LOCAL: &str = "--dangerous-allow-private-addresses";

/// An empty folder where the program runs, and the variables it finds there.
pub(crate) struct Shell(TempDir, Vec<(&'static str, &'static str)>);

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// Its standard output, one JSON object per line.
    pub(crate) fn json(&self) -> Vec<Value> {
        self.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self::with_variables(&[])
    }

    pub(crate) fn with_variables(variables: &[(&'static str, &'static str)]) -> Self {
        Self(tempfile::tempdir().unwrap(), variables.to_vec())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(name), content).unwrap();
    }

    /// Runs `webhook` with these arguments to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        self.run_with(args, "")
    }

    /// The same, with something on standard input.
    pub(crate) fn run_with(&self, args: &[&str], input: &str) -> Ran {
        let mut child = self.command(args).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_owned();
        // It may end before it has read everything.
        let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Starts `webhook` with these arguments.
    fn spawn(&self, args: &[&str]) -> Running {
        Running(self.command(args).stderr(Stdio::null()).spawn().unwrap())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_webhook"));
        command.args(args).current_dir(self.0.path());
        for variable in Settings::VARIABLES {
            command.env_remove(variable);
        }
        command.env("RUST_LOG", "off").envs(self.1.iter().copied());
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command
    }

    /// A receiver that verifies with [`SECRET`].
    pub(crate) fn listen(&self, answer: &str) -> Listener {
        let args = ["--json", "listen", "--secret", SECRET, "--answer", answer];
        let mut running = self.spawn(&args);
        let lines = BufReader::new(running.0.stdout.take().unwrap());
        let mut listener = Listener { _running: running, lines, url: String::new() };
        listener.url = listener.next()["listening"].as_str().unwrap().to_owned();
        listener
    }

    /// Registers an endpoint at `url`, signed with [`SECRET`]; its id.
    pub(crate) fn add_endpoint(&self, url: &str, more: &[&str]) -> String {
        let mut args = vec!["--json", LOCAL, "endpoint", "add", url, "--secret", SECRET];
        args.extend(more);
        let ran = self.run(&args);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        ran.json()[0]["id"].as_str().unwrap().to_owned()
    }
}

/// A program that is running; killed in the end.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A receiver, and its ledger line by line.
pub(crate) struct Listener {
    _running: Running,
    lines: BufReader<ChildStdout>,
    pub(crate) url: String,
}

impl Listener {
    /// The next line of its ledger; waits for it.
    pub(crate) fn next(&mut self) -> Value {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap()
    }
}
