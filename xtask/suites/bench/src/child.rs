//! The processes of a measurement. Each is this program in a role that its first argument names, or another
//! program; all say what they have to say in lines of JSON.

use std::{env, path::PathBuf, process::Stdio};

use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
};

use crate::Failure;

/// Which build of this program plays the role.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Build {
    /// The one that measures.
    Plain,
    /// The one that counts allocations as well, and is slower for it.
    Counting,
}

/// The name of the program that counts allocations.
const COUNTING: &str = "xtask-bench-counting";

impl Build {
    /// Whether it can play.
    pub(crate) fn is_there(self) -> bool {
        self.path().is_ok()
    }

    fn path(self) -> Result<PathBuf, Failure> {
        match self {
            Self::Plain => Ok(env::current_exe()?),
            Self::Counting => beside_us(COUNTING),
        }
    }
}

/// Where another program of this workspace is; `cargo xtask bench` has built it.
pub(crate) fn beside_us(name: &str) -> Result<PathBuf, Failure> {
    let here = env::current_exe()?;
    // Programs of tests are one folder down.
    let folder = here.ancestors().skip(1).find(|folder| !folder.ends_with("deps"));
    let path = folder.ok_or("a program is in a folder")?.join(name);
    if path.exists() { Ok(path) } else { Err(format!("{name} is not built").into()) }
}

/// Has a process do a task, and answers what came of it.
pub(crate) async fn ask<A: DeserializeOwned>(
    build: Build,
    role: &str,
    task: &impl Serialize,
) -> Result<A, Failure> {
    Talk::begin(build, role, task)?.end().await
}

/// A process that goes on until it is told to stop.
#[derive(Debug)]
pub(crate) struct Talk {
    role: String,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Talk {
    /// Starts a process in this role.
    pub(crate) fn begin(build: Build, role: &str, task: &impl Serialize) -> Result<Self, Failure> {
        let mut command = Command::new(build.path()?);
        command.args([role, &serde_json::to_string(task)?]);
        Self::with(command, role)
    }

    /// Starts any program.
    pub(crate) fn with(mut command: Command, role: &str) -> Result<Self, Failure> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take().ok_or("no standard input")?;
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        Ok(Self { role: role.to_owned(), child, input, output })
    }

    /// Waits for its next line.
    pub(crate) async fn hear<A: DeserializeOwned>(&mut self) -> Result<A, Failure> {
        let mut line = String::new();
        self.output.read_line(&mut line).await?;
        serde_json::from_str(&line)
            .map_err(|error| format!("the process `{}` said {line:?}: {error}", self.role).into())
    }

    /// Asks for a line, by an empty one.
    pub(crate) async fn ask<A: DeserializeOwned>(&mut self) -> Result<A, Failure> {
        self.input.write_all(b"\n").await?;
        self.hear().await
    }

    /// Lets it go on, by an empty line.
    pub(crate) async fn go(&mut self) -> Result<(), Failure> {
        Ok(self.input.write_all(b"\n").await?)
    }

    /// Says that it is enough, and answers what came of it.
    pub(crate) async fn end<A: DeserializeOwned>(self) -> Result<A, Failure> {
        let Self { role, mut child, input, mut output } = self;
        drop(input);
        let mut line = String::new();
        output.read_line(&mut line).await?;
        let status = child.wait().await?;
        if !status.success() {
            return Err(format!("the process `{role}` ended with {status}").into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}
