//! Fixture of a scenario: a database, a receiver, one endpoint, and the ledgers of all processes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tempfile::TempDir;
use tokio::task::spawn_blocking;
use webhook_registry::{
    Endpoint, NewEndpoint, Webhooks,
    database::{
        SeaOrmStore,
        sea_orm::{ConnectionTrait as _, Database},
    },
};
use xtask_servers::{Room, Throwaway};

use crate::{
    Outcome,
    child::Child,
    ledger::{self, Ledger, word},
    options::Db,
    publisher, receiver,
    stalls::Stalls,
    verdict::{Evidence, Fault},
    worker,
};

/// A database that belongs to this run.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) db: Db,
    server: Option<Arc<Mutex<Throwaway>>>,
    /// Place of the ledgers and of SQLite's file. `None` if this user may not mount one.
    memory: Option<Room>,
}

/// Most that the ledgers of a run and SQLite's files take.
const MEMORY_MEGABYTES: u32 = 2_048;

impl Site {
    pub(crate) async fn start(db: Db) -> Outcome<Self> {
        let database = match db {
            Db::Sqlite => return Ok(Self { db, server: None, memory: memory() }),
            Db::Postgres => xtask_servers::Database::Postgres,
            Db::MySql => xtask_servers::Database::MySql,
        };
        let server = spawn_blocking(move || Throwaway::start(database)).await?;
        let server = server.map_err(|why| format!("{database}: {why}"))?;
        Ok(Self { db, server: Some(Arc::new(Mutex::new(server))), memory: memory() })
    }

    /// Ends the server without a chance to tidy up, and returns when it is back.
    pub(crate) async fn crash(&self) -> Outcome {
        let server = self.server.clone().ok_or("SQLite is no server")?;
        let crash = move || server.lock().unwrap_or_else(PoisonError::into_inner).crash();
        Ok(spawn_blocking(crash).await??)
    }

    /// The port of the server.
    pub(crate) fn port(&self) -> Outcome<u16> {
        let server = self.server.as_ref().ok_or("SQLite is no server")?;
        Ok(server.lock().unwrap_or_else(PoisonError::into_inner).port())
    }

    /// Whether the server is still there.
    pub(crate) fn answers(&self) -> Outcome<bool> {
        let server = self.server.as_ref().ok_or("SQLite is no server")?;
        Ok(server.lock().unwrap_or_else(PoisonError::into_inner).answers())
    }

    /// What the server has written down so far.
    pub(crate) fn log(&self) -> Outcome<String> {
        let server = self.server.as_ref().ok_or("SQLite is no server")?;
        Ok(server.lock().unwrap_or_else(PoisonError::into_inner).log())
    }

    /// Where a database is: in this folder, if it is a file.
    fn url(&self, folder: &Path) -> String {
        match &self.server {
            None => format!("sqlite://{}/webhooks.db?mode=rwc", folder.display()),
            Some(server) => server.lock().unwrap_or_else(PoisonError::into_inner).url().to_owned(),
        }
    }

    /// Folder of its own for a scenario.
    fn folder(&self) -> io::Result<TempDir> {
        let mut builder = tempfile::Builder::new();
        builder.prefix("webhook-crash-");
        match &self.memory {
            Some(memory) => builder.tempdir_in(memory.path()),
            None => builder.tempdir(),
        }
    }

    /// Where one of this name is that has this room and no more.
    async fn url_in(&self, room: &Room, name: &str) -> Outcome<String> {
        let url = self.url(room.path());
        let Some(server) = &self.server else { return Ok(url) };
        server.lock().unwrap_or_else(PoisonError::into_inner).take(room, name)?;
        if self.db == Db::Postgres {
            let path = room.path().display();
            run_sql(&url, &format!("CREATE TABLESPACE {name} LOCATION '{path}'")).await?;
            run_sql(&url, &format!("CREATE DATABASE {name} TABLESPACE {name}")).await?;
        }
        let (host, _) = url.rsplit_once('/').ok_or("a URL without a database")?;
        Ok(format!("{host}/{name}"))
    }

    /// Ends what [`url_in`](Self::url_in) began. PostgreSQL would look for the files at each of its
    /// checkpoints, and log an error for each that is gone.
    async fn leave_room(&self, name: &str) -> Outcome {
        if self.db == Db::Postgres {
            self.sql(&format!("DROP DATABASE {name} WITH (FORCE)")).await?;
            self.sql(&format!("DROP TABLESPACE {name}")).await?;
        }
        Ok(())
    }

    /// Runs a statement, as its administrator would.
    pub(crate) async fn sql(&self, sql: &str) -> Outcome {
        run_sql(&self.url(Path::new("")), sql).await
    }
}

/// Room in memory for the files of this process: a disk that is busy holds each flush up for seconds.
fn memory() -> Option<Room> {
    Room::new(MEMORY_MEGABYTES).ok()
}

async fn run_sql(url: &str, sql: &str) -> Outcome {
    let connection = Database::connect(url).await?;
    connection.execute_unprepared(sql).await?;
    Ok(connection.close().await?)
}

#[derive(Debug)]
pub(crate) struct Fixture {
    /// How much room the database has, where that matters.
    room: Option<Room>,
    folder: TempDir,
    url: String,
    prefix: String,
    receiver: Child,
    store: SeaOrmStore,
    webhooks: Webhooks,
    children: AtomicUsize,
    faults: Mutex<Vec<Fault>>,
    stalls: Stalls,
}

/// How long the rest of the deliveries may take: some leases, and the work itself.
const DRAIN: Duration = Duration::from_secs(4 * worker::LEASE.as_secs() + 60);

impl Fixture {
    /// Tables of its own on the site, a receiver that takes everything, and an endpoint for it.
    pub(crate) async fn on(site: &Site, name: &str, room: Option<Room>) -> Outcome<Self> {
        let folder = site.folder()?;
        let stalls = Stalls::measure(&folder.path().join("stalls"))?;
        let url = match &room {
            Some(room) => site.url_in(room, name).await?,
            None => site.url(folder.path()),
        };
        let prefix = format!("{name}_");
        let store = SeaOrmStore::builder(&url).table_prefix(&prefix).connect().await?;
        store.migrate().await?;
        let path = |kind: &str| folder.path().join(format!("receiver.{kind}"));
        let ledger = ["--ledger".to_owned(), path("ledger").display().to_string()];
        let mut receiver = Child::start("receiver", receiver::ROLE, &ledger, &path("log"))?;
        let port = receiver.hear().await?;
        let transport = webhook_registry::transport::HttpTransport::builder()
            .dangerous_allow_private_addresses();
        let webhooks =
            Webhooks::builder().store(store.clone()).transport(transport.build()?).build()?;
        let endpoint = NewEndpoint::new(format!("http://127.0.0.1:{port}/"))
            .unsigned()
            .retry(["1s"; 50].join(","))
            .timeout(worker::MAX_TIMEOUT)
            .max_in_flight(64);
        webhooks.add_endpoint(endpoint).await?;
        let (children, faults) = (AtomicUsize::default(), Mutex::default());
        Ok(Self { room, folder, url, prefix, receiver, store, webhooks, children, faults, stalls })
    }

    pub(crate) const fn receiver(&mut self) -> &mut Child {
        &mut self.receiver
    }

    pub(crate) const fn store(&self) -> &SeaOrmStore {
        &self.store
    }

    /// The writes that came too late, as the store has counted them.
    pub(crate) async fn leases_lost(&self) -> Outcome<u64> {
        Ok(self.webhooks.operator().status().await?.leases_lost)
    }

    /// What an operator would use.
    pub(crate) const fn webhooks(&self) -> &Webhooks {
        &self.webhooks
    }

    /// Changes the settings of the endpoint.
    pub(crate) async fn edit(&self, edit: impl FnOnce(Endpoint) -> Endpoint) -> Outcome {
        let operator = self.webhooks.operator();
        let endpoints = operator.endpoints(None).await?;
        let endpoint = endpoints.first().ok_or("there is no endpoint")?;
        operator.update_endpoint(edit(Endpoint::clone(endpoint))).await?;
        Ok(())
    }

    /// Where the database is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// What the names of the tables begin with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// All the room that the database has.
    pub(crate) fn room(&self) -> Outcome<&Room> {
        self.room.as_ref().ok_or_else(|| "there is room enough".into())
    }

    /// Where the database is, through another port than the server's own.
    pub(crate) fn url_at(&self, server: u16, port: u16) -> String {
        self.url.replace(&format!(":{server}/"), &format!(":{port}/"))
    }

    /// A name for one more child, and for its ledger.
    pub(crate) fn new_name(&self, role: &str) -> String {
        format!("{role}-{}", self.children.fetch_add(1, Ordering::Relaxed))
    }

    /// A worker that waits for its word to begin.
    pub(crate) async fn worker(&self, flags: &[(&str, &str)]) -> Outcome<Child> {
        let name = self.new_name(worker::ROLE);
        let mut worker = self.start(&name, worker::ROLE, flags)?;
        worker.hear().await?;
        Ok(worker)
    }

    /// A worker at work.
    pub(crate) async fn working(&self, flags: &[(&str, &str)]) -> Outcome<Child> {
        let mut worker = self.worker(flags).await?;
        worker.send("go").await?;
        Ok(worker)
    }

    /// A publisher of that name; under the same name it goes on where the last one ended.
    pub(crate) fn publisher(&self, name: &str, flags: &[(&str, &str)]) -> Outcome<Child> {
        self.start(name, publisher::ROLE, flags)
    }

    fn start(&self, name: &str, role: &str, flags: &[(&str, &str)]) -> Outcome<Child> {
        let path = |kind: &str| self.folder.path().join(format!("{name}.{kind}"));
        let ledger = path("ledger").display().to_string();
        let always =
            [("url", self.url.as_str()), ("prefix", &self.prefix), ("ledger", ledger.as_str())];
        // Of a flag given twice the later one counts.
        let args: Vec<_> = always
            .iter()
            .chain(flags)
            .flat_map(|(name, value)| [format!("--{name}"), (*value).to_owned()])
            .collect();
        Child::start(name, role, &args, &path("log"))
    }

    /// Notes what was done on purpose, and may make events come again.
    pub(crate) fn note(&self, cause: &str, from: u64, until: u64) {
        let fault = Fault { cause: cause.to_owned(), event: None, victim: None, from, until };
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
    }

    /// Kills it, once that is written down.
    pub(crate) async fn kill(&self, child: &mut Child) -> Outcome {
        let deaths = Ledger::open(&self.folder.path().join("harness.ledger"))?;
        deaths.note(word::KILL, &child.pid().to_string())?;
        child.kill().await
    }

    /// Lets the rest be delivered, and returns the name of the worker.
    pub(crate) async fn drain(&self) -> Outcome<String> {
        let mut worker = self.working(&[("until-idle", "yes")]).await?;
        worker.ends_well(DRAIN).await?;
        Ok(worker.name().to_owned())
    }

    /// The ledger of one who takes part.
    pub(crate) fn ledger(&self, name: &str) -> Outcome<Vec<ledger::Line>> {
        Ok(ledger::read(&self.folder.path().join(format!("{name}.ledger")))?)
    }

    /// The log of one who takes part.
    pub(crate) fn log(&self, name: &str) -> Outcome<String> {
        Ok(fs::read_to_string(self.folder.path().join(format!("{name}.log")))?)
    }

    /// All that was written down.
    pub(crate) fn evidence(&self) -> Outcome<Evidence> {
        let mut evidence = Evidence::default();
        for entry in self.folder.path().read_dir()? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "ledger") {
                evidence.read(&ledger::read(&path)?);
            }
        }
        evidence.faults(self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone());
        evidence.faults(self.stalls.faults());
        Ok(evidence)
    }

    /// Copies the ledgers and logs, for an analysis after the run, and returns the folder.
    pub(crate) fn keep(&self, site: &Site) -> Outcome<PathBuf> {
        let folder = tempfile::Builder::new().prefix("webhook-crash-").tempdir()?.keep();
        for entry in self.folder.path().read_dir()? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), folder.join(entry.file_name()))?;
            }
        }
        if let Ok(log) = site.log() {
            fs::write(folder.join("server.log"), log)?;
        }
        Ok(folder)
    }

    /// Ends the connections of the harness, and removes a database that has a room.
    pub(crate) async fn close(self, site: &Site) -> Outcome {
        self.store.close().await;
        match &self.room {
            Some(_) => site.leave_room(self.prefix.trim_end_matches('_')).await,
            None => Ok(()),
        }
    }
}
