//! The command as it is: how large, how soon at work, and what it takes while there is nothing to do.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{process::Command, time::sleep};
use webhook_registry::{NewEvent, Webhooks};

use crate::{
    Failure,
    child::beside_us,
    cost::{cpu_of, median, memory_of},
    fixture::{Fixture, TO_ALL, transport},
    latency::now,
    options::Options,
    report::{Report, Table},
};

/// What a start to the first delivery may take at most, in milliseconds.
const MOST_START: f64 = 150.0;

/// How large the program may be, in millions of bytes.
const MOST_SIZE: f64 = 15.0;

/// The memory, in MiB, and the part of a core that it may take while idle, in percent.
const MOST_IDLE_MIB: f64 = 15.0;
const MOST_IDLE_CPU: f64 = 0.5;

/// How long it is let alone before it counts as idle, and how long that is measured, in seconds.
const SETTLE: Duration = Duration::from_secs(2);
const IDLE: u64 = 10;

/// How often the receiver is asked whether the first delivery has come; the time is its own.
const LOOK: Duration = Duration::from_millis(5);

/// What one start came to.
#[derive(Clone, Copy, Debug)]
struct Started {
    /// To the first delivery, in milliseconds.
    took: f64,
    /// MiB, and percent of a core, if it was left idle.
    idle: Option<(f64, f64)>,
}

/// Measures on SQLite, whatever databases were asked for.
pub(crate) async fn measure(options: &Options, report: &mut Report) -> Result<(), Failure> {
    let program = match beside_us("webhook") {
        Ok(program) => program,
        Err(error) => {
            report.leave_out(format!("start: {error}"));
            return Ok(());
        }
    };
    let size = std::fs::metadata(&program)?.len() as f64 / 1e6;
    let idle = Some(Duration::from_secs(options.size(IDLE as usize, 1) as u64));
    let first = start(&program, idle).await?;
    let mut starts = vec![first];
    // A run is short, and another program at the wrong moment tells in it.
    for _ in 1..options.runs * 3 {
        starts.push(start(&program, None).await?);
    }
    let count = starts.len();
    let took = median(starts, |it| it.took).ok_or("no run")?.took;
    let (mib, percent) = first.idle.unwrap_or_default();

    let title = format!("webhook run, sqlite, {count} starts");
    let mut table = Table::new(title, &["MB", "start ms", "idle MiB", "idle CPU %"]);
    table.row("webhook", &[size, took, mib, percent]);
    report.add(table);
    report.at_most("webhook: MB", size, MOST_SIZE);
    report.at_most("webhook run: start to first delivery, ms", took, MOST_START);
    report.at_most("webhook run, idle: MiB", mib, MOST_IDLE_MIB);
    report.at_most("webhook run, idle: CPU, %", percent, MOST_IDLE_CPU);
    Ok(())
}

async fn start(program: &Path, idle: Option<Duration>) -> Result<Started, Failure> {
    let mut fixture = Fixture::make("sqlite", "start", 1).await?;
    let started = start_over(&mut fixture, program.to_owned(), idle).await;
    fixture.clear().await?;
    started
}

async fn start_over(
    fixture: &mut Fixture,
    program: PathBuf,
    idle: Option<Duration>,
) -> Result<Started, Failure> {
    let builder = Webhooks::builder().store(fixture.place.store().await?).transport(transport()?);
    builder.build()?.publish(NewEvent::new(TO_ALL, "{}")?).await?;
    let mut command = Command::new(program);
    command.args(["--dangerous-allow-private-addresses", "--db", &fixture.place.url(), "run"]);
    command.env_remove("RUST_LOG").stdout(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    let begun = now();
    let mut child = command.spawn()?;
    let seen = fixture.receiver.wait_for(1, LOOK).await?;
    let took = seen.latest.saturating_sub(begun) as f64 / 1e6;
    let idle = match (idle, child.id()) {
        (Some(time), Some(process)) => {
            sleep(SETTLE.min(time)).await;
            let before = cpu_of(process);
            sleep(time).await;
            let used = cpu_of(process) - before;
            Some((memory_of(process), used * 100.0 / time.as_secs_f64()))
        }
        _ => None,
    };
    child.kill().await?;
    Ok(Started { took, idle })
}
