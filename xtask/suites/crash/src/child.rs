//! The children of the harness: this program again, in a role.

use std::{
    env,
    fs::File,
    io,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child as Process, ChildStdin, ChildStdout, Command},
    time::timeout,
};

use crate::Outcome;

/// How long a child may take to answer, or to end, once it has been told to.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A running child. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Child {
    name: String,
    pid: u32,
    process: Process,
    orders: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts one in `role`; what it complains about goes to the file `log`.
    pub(crate) fn start(name: &str, role: &str, args: &[String], log: &Path) -> Outcome<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut process = Command::new(env::current_exe()?)
            .arg(role)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let answers = process.stdout.take().ok_or("a child without output")?;
        Ok(Self {
            name: name.to_owned(),
            pid: process.id().ok_or("a child without a number")?,
            orders: process.stdin.take(),
            answers: BufReader::new(answers).lines(),
            process,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) const fn pid(&self) -> u32 {
        self.pid
    }

    /// Its next line.
    pub(crate) async fn hear(&mut self) -> Outcome<String> {
        let line = timeout(ANSWER_TIMEOUT, self.answers.next_line()).await;
        let line = line.map_err(|_| format!("{} says nothing", self.name))??;
        line.ok_or_else(|| format!("{} ended before it was asked to", self.name).into())
    }

    pub(crate) async fn send(&mut self, order: &str) -> Outcome {
        let orders = self.orders.as_mut().ok_or("a child without input")?;
        orders.write_all(format!("{order}\n").as_bytes()).await?;
        Ok(())
    }

    /// Says something and waits for the confirmation.
    pub(crate) async fn order(&mut self, order: &str) -> Outcome {
        self.send(order).await?;
        self.hear().await.map(drop)
    }

    pub(crate) fn signal(&self, name: &str) -> io::Result<()> {
        signal(self.pid, name)
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) -> Outcome {
        Ok(self.process.kill().await?)
    }

    /// How it ended.
    pub(crate) async fn ended(&mut self) -> Outcome<ExitStatus> {
        self.ended_within(ANSWER_TIMEOUT).await
    }

    pub(crate) async fn ended_within(&mut self, patience: Duration) -> Outcome<ExitStatus> {
        let ended = timeout(patience, self.process.wait()).await;
        Ok(ended.map_err(|_| format!("{} does not end", self.name))??)
    }

    /// Waits for an end as it should be.
    pub(crate) async fn ends_well(&mut self, patience: Duration) -> Outcome {
        let status = self.ended_within(patience).await?;
        if status.success() { Ok(()) } else { Err(format!("{}: {status}", self.name).into()) }
    }

    /// Whether it still runs.
    pub(crate) fn lives(&mut self) -> Outcome<bool> {
        Ok(self.process.try_wait()?.is_none())
    }
}

/// Sends a signal, as a shell does: the language has no words for it.
pub(crate) fn signal(pid: u32, name: &str) -> io::Result<()> {
    let command = format!("kill -{name} {pid}");
    let status = std::process::Command::new("sh").args(["-c", &command]).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("`{command}` failed"))) }
}
