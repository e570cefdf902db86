//! A server that vanishes: started from installed programs, in a folder and on a port of its own.

mod leash;
mod pooler;
mod room;
mod user;

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use leash::Leash;
pub use pooler::Pooler;
use room::mount_memory;
pub use room::{Protected, Room};
use user::User;

use crate::{Database, ReservedPort, programs};

/// How long a server may take to let us in.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// The same limit for `pg_ctl`, in seconds.
const PG_CTL_TIMEOUT: &str = "120";

/// Who has to say a password, and how, on PostgreSQL.
const WITH_PASSWORDS: &str = "host all with_scram 127.0.0.1/32 scram-sha-256\n\
                              host all with_md5 127.0.0.1/32 md5\n";

/// A running server that nobody else knows. Dropping it ends it and removes its folder; so does the
/// end of this process, whatever brings it.
#[derive(Debug)]
pub struct Throwaway {
    url: String,
    port: ReservedPort,
    place: Place,
    kind: Kind,
    // Dropped last: it cleans up behind the others.
    _leash: Leash,
}

/// Where a server lives, and as whom.
#[derive(Debug)]
struct Place {
    folder: PathBuf,
    user: User,
}

#[derive(Debug)]
enum Kind {
    Postgres { programs: PathBuf },
    MariaDb { program: PathBuf, child: Child },
}

impl Throwaway {
    /// Starts one. Takes some seconds.
    ///
    /// # Errors
    ///
    /// [`NotStarted`] when it is not installed, or does not run.
    pub fn start(database: Database) -> Result<Self, NotStarted> {
        let port = ReservedPort::new()?;
        let started = match database {
            Database::Postgres => {
                let programs = programs::postgres().ok_or(NotStarted::NotInstalled)?;
                let (place, leash) = Place::in_memory("postgres", "data/postmaster.pid", "QUIT")?;
                place.init_postgres(&programs)?;
                place.start_postgres(&programs, port.number())?;
                Self::new(database, port, place, Kind::Postgres { programs }, leash)
            }
            Database::MySql => {
                let (program, install) = programs::mariadb().ok_or(NotStarted::NotInstalled)?;
                let (place, leash) = Place::in_memory("mysql", "server.pid", "KILL")?;
                place.init_mariadb(&install)?;
                let child = place.start_mariadb(&program, port.number())?;
                Self::new(database, port, place, Kind::MariaDb { program, child }, leash)
            }
        };
        started.wait_until_it_lets_us_in(database)?;
        Ok(started)
    }

    fn new(database: Database, port: ReservedPort, place: Place, kind: Kind, leash: Leash) -> Self {
        Self { url: database.url(port.number()), port, place, kind, _leash: leash }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port.number()
    }

    /// Whether it lets us in at present.
    pub fn answers(&self) -> bool {
        match self.kind {
            Kind::Postgres { .. } => Database::Postgres.lets_in(self.port()),
            Kind::MariaDb { .. } => Database::MySql.lets_in(self.port()),
        }
    }

    /// What it has written down so far: the errors of statements among it.
    pub fn log(&self) -> String {
        self.place.log_text()
    }

    /// Lets it keep a database of this name in this room: MariaDB has it then, PostgreSQL can have it as a
    /// tablespace.
    ///
    /// # Errors
    ///
    /// What hinders it.
    #[cfg(unix)]
    pub fn take(&self, room: &Room, name: &str) -> io::Result<()> {
        self.place.user.give(room.path())?;
        match self.kind {
            Kind::Postgres { .. } => Ok(()),
            Kind::MariaDb { .. } => {
                std::os::unix::fs::symlink(room.path(), self.place.folder.join("data").join(name))
            }
        }
    }

    /// Ends it without a chance to tidy up, and starts it again: `pg_ctl restart -m immediate`, or
    /// `kill -9`. Returns when it lets us in.
    ///
    /// # Errors
    ///
    /// [`NotStarted`] when it does not come back.
    pub fn crash(&mut self) -> Result<(), NotStarted> {
        let database = match &mut self.kind {
            Kind::Postgres { programs } => {
                let mut restart = self.place.command(&programs.join("pg_ctl"));
                restart.args(["restart", "--silent", "-m", "immediate", "-t", PG_CTL_TIMEOUT]);
                run(restart.args(["-D", "data", "-l", "server.log"]))?;
                Database::Postgres
            }
            Kind::MariaDb { program, child } => {
                child.kill()?;
                child.wait()?;
                *child = self.place.start_mariadb(program, self.port.number())?;
                Database::MySql
            }
        };
        self.wait_until_it_lets_us_in(database)
    }

    fn wait_until_it_lets_us_in(&self, database: Database) -> Result<(), NotStarted> {
        let begin = Instant::now();
        while !database.lets_in(self.port()) {
            if begin.elapsed() > START_TIMEOUT {
                return Err(NotStarted::Silent(self.place.last_words()));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Throwaway {
    fn drop(&mut self) {
        if let Kind::MariaDb { child, .. } = &mut self.kind {
            // It may have ended by itself; the leash looks after what is left.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Place {
    fn new(user: &str) -> io::Result<Self> {
        let folder = new_folder()?;
        let user = User::for_server(user, &folder)?;
        user.give(&folder)?;
        Ok(Self { folder, user })
    }

    /// Place in memory, if this user may mount one, and its leash.
    ///
    /// A disk that is busy with other files holds every commit up for seconds. No test depends on
    /// a disk, because processes die and the machine does not.
    fn in_memory(user: &str, pid_file: &str, signal: &str) -> io::Result<(Self, Leash)> {
        let outer = new_folder()?;
        let leash = Leash::tie(&outer, &format!("{}/{pid_file}", Leash::DISK), signal)?;
        let folder = outer.join(Leash::DISK);
        fs::create_dir(&folder)?;
        // If it fails, the folder stays on the disk.
        let _ = mount_memory(&folder, "mode=0700");
        let user = User::for_server(user, &folder)?;
        user.give(&folder)?;
        Ok((Self { folder, user }, leash))
    }

    /// A program that runs in the folder, as the server's user.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.folder).stdin(Stdio::null());
        self.user.act(&mut command);
        command
    }

    fn init_postgres(&self, programs: &Path) -> Result<(), NotStarted> {
        let mut init = self.command(&programs.join("initdb"));
        init.args(["-D", "data", "-U", "postgres", "--auth=trust", "--encoding=UTF8"]);
        run(init.args(["--locale=C", "--no-sync"]))?;
        let rules = self.folder.join("data/pg_hba.conf");
        // The first rule that fits counts.
        let trusting = fs::read_to_string(&rules)?;
        Ok(fs::write(rules, format!("{WITH_PASSWORDS}{trusting}"))?)
    }

    fn start_postgres(&self, programs: &Path, port: u16) -> Result<(), NotStarted> {
        let options =
            format!("-p {port} -h 127.0.0.1 -k {} -c max_connections=200", self.folder.display());
        let mut start = self.command(&programs.join("pg_ctl"));
        start.args(["start", "--silent", "-w", "-t", PG_CTL_TIMEOUT, "-D", "data"]);
        start.args(["-l", "server.log", "-o", &options]);
        run(&mut start)
    }

    fn init_mariadb(&self, install: &Path) -> Result<(), NotStarted> {
        let mut init = self.command(install);
        init.args(["--no-defaults", "--skip-test-db", "--auth-root-authentication-method=normal"]);
        run(init.arg(format!("--datadir={}/data", self.folder.display())))
    }

    fn start_mariadb(&self, program: &Path, port: u16) -> Result<Child, NotStarted> {
        let folder = self.folder.display();
        let log = fs::File::options().create(true).append(true).open(self.log())?;
        let mut server = self.command(program);
        server.args(["--no-defaults", "--bind-address=127.0.0.1", "--max-connections=200"]);
        server.args([format!("--datadir={folder}/data"), format!("--port={port}")]);
        server
            .args([format!("--socket={folder}/socket"), format!("--pid-file={folder}/server.pid")]);
        server.stdout(log.try_clone()?).stderr(log);
        Ok(user::apart(&mut server).spawn()?)
    }

    fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    fn log_text(&self) -> String {
        let log = fs::read(self.log()).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The end of the server's log.
    fn last_words(&self) -> String {
        let log = self.log_text();
        let lines: Vec<_> = log.lines().rev().take(5).collect();
        lines.into_iter().rev().collect::<Vec<_>>().join("\n")
    }
}

/// Runs it in silence.
fn run(command: &mut Command) -> Result<(), NotStarted> {
    // To a file, not a pipe: a server that goes to the background would keep a pipe open.
    let output = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    let program = Path::new(command.get_program()).file_name().unwrap_or_default();
    let failed = || NotStarted::Failed(program.to_string_lossy().into_owned());
    if output.success() { Ok(()) } else { Err(failed()) }
}

/// A folder that nobody else uses. Its path is short: that of a socket may have 107 bytes.
fn new_folder() -> io::Result<PathBuf> {
    let begin = std::env::temp_dir().join("webhook-server");
    for number in 0..1000 {
        let folder = PathBuf::from(format!("{}-{}-{number}", begin.display(), std::process::id()));
        match fs::create_dir(&folder) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => return made.map(|()| folder),
        }
    }
    Err(io::Error::other("no free name for a temporary folder"))
}

/// Why there is no server.
#[derive(Debug)]
pub enum NotStarted {
    /// Its programs are nowhere.
    NotInstalled,
    /// A folder or a process could not be made.
    System(io::Error),
    /// One of its programs failed.
    Failed(String),
    /// It did not let us in; the end of its log.
    Silent(String),
}

impl From<io::Error> for NotStarted {
    fn from(error: io::Error) -> Self {
        Self::System(error)
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotInstalled => f.write_str("its programs are not installed"),
            Self::System(error) => write!(f, "it could not be started: {error}"),
            Self::Failed(program) => write!(f, "`{program}` failed"),
            Self::Silent(log) => write!(f, "it does not let us in; its log ends with: {log}"),
        }
    }
}

impl std::error::Error for NotStarted {}
