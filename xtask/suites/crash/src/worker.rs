//! The child that delivers.

use std::time::Duration;

use async_trait::async_trait;
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, stdin},
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use webhook_registry::{
    DispatcherConfig, EndpointTls, EndpointUrl, HealthPolicy, Mode, Report, Webhooks,
    database::SeaOrmStore,
    transport::{HttpTransport, Request, Response, Transport, TransportError},
};

use crate::{
    Outcome,
    crash::{handles, plan, reach},
    flags::Flags,
    ledger::{Ledger, word},
    point::Point,
};

pub(crate) const ROLE: &str = "worker";

/// The longest attempt: far longer than any receiver here takes, however busy the machine.
pub(crate) const MAX_TIMEOUT: Duration = Duration::from_secs(3);

/// For a claim, and for writing down an attempt.
const BUDGET: Duration = Duration::from_secs(1);

/// How long a claim is a worker's own: as short as it may be, since the dead are waited for.
pub(crate) const LEASE: Duration = Duration::from_secs(5);

/// How often it looks for work.
pub(crate) const POLL: Duration = Duration::from_millis(250);

/// The header with the number of the process that sends.
pub(crate) const SENDER: &str = "crash-sender";

/// Delivers until SIGTERM, or until nothing is left with `--until-idle`. Begins when its input says
/// so, so that whoever wants to kill it is ready.
pub(crate) async fn run(flags: &Flags) -> Outcome {
    log();
    let path = flags.path("ledger")?;
    let ledger = Ledger::open(&path)?;
    if let Some(point) = flags.get("crash") {
        plan(point.parse()?, Ledger::open(&path)?);
    }
    let webhooks = webhooks(flags, Mode::Worker).await?;
    let mut asked_to_end = signal(SignalKind::terminate())?;
    println!("ready");
    BufReader::new(stdin()).read_line(&mut String::new()).await?;
    let shutdown = async {
        asked_to_end.recv().await;
    };
    let report = if flags.has("until-idle") {
        webhooks.run_until_idle(None, shutdown).await?.0
    } else {
        webhooks.run(shutdown).await
    };
    ledger.note(word::REPORT, &text(&report)?)?;
    Ok(())
}

fn text(report: &Report) -> Outcome<String> {
    Ok(serde_json::to_string(report)?)
}

/// What the flags ask for, on the store that they name.
pub(crate) async fn webhooks(flags: &Flags, mode: Mode) -> Outcome<Webhooks> {
    let mut config = DispatcherConfig::new()
        .concurrency(flags.number("concurrency", 16)?)
        .max_timeout(MAX_TIMEOUT)
        .claim_budget(BUDGET)
        .recording_budget(BUDGET)
        .lease(LEASE)
        .poll(POLL);
    if flags.has("never-cools-down") {
        config =
            config.health(HealthPolicy::new().with_cool_after(u32::MAX).with_disable_after(None));
    }
    let inner = HttpTransport::builder().dangerous_allow_private_addresses().build()?;
    let builder =
        Webhooks::builder().store(open_store(flags).await?).transport(ReportingTransport { inner });
    Ok(builder.mode(mode).dispatcher(config).build()?)
}

/// The store that the flags name. A database that is just coming back is waited for.
async fn open_store(flags: &Flags) -> Outcome<SeaOrmStore> {
    loop {
        let builder = SeaOrmStore::builder(flags.text("url")?);
        let mut builder = builder.table_prefix(flags.text("prefix")?);
        if flags.has("poll-only") {
            builder = builder.poll_only();
        }
        if flags.has("unit-limit-ms") {
            builder = builder.unit_limit(Duration::from_millis(flags.number("unit-limit-ms", 0)?));
        }
        match builder.connect().await {
            Ok(store) => return Ok(store),
            Err(error) => eprintln!("not yet: {error}: {:?}", std::error::Error::source(&error)),
        }
        sleep(Duration::from_millis(200)).await;
    }
}

/// The log of a child goes to a file of its own.
pub(crate) fn log() {
    let filter = tracing_subscriber::EnvFilter::new("warn,webhook_core=debug");
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

/// A transport that reports each delivery, and may end the process once it has the response.
#[derive(Debug)]
struct ReportingTransport {
    inner: HttpTransport,
}

#[async_trait]
impl Transport for ReportingTransport {
    async fn send(&self, mut request: Request) -> Result<Response, TransportError> {
        let event = request.headers.get("webhook-id").and_then(|id| id.to_str().ok());
        handles(event.unwrap_or("-"));
        request.headers.insert(SENDER, std::process::id().into());
        let response = self.inner.send(request).await?;
        if response.status.is_success() {
            reach(Point::Answered);
        }
        Ok(response)
    }

    fn accepts(&self, url: &EndpointUrl) -> Result<(), TransportError> {
        self.inner.accepts(url)
    }

    fn accepts_tls(&self, tls: &EndpointTls) -> Result<(), TransportError> {
        self.inner.accepts_tls(tls)
    }
}
