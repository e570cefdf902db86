//! A pooler before a server: PgBouncer in transaction mode.

use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::{Duration, Instant},
};

use super::{Leash, NotStarted, Place, START_TIMEOUT, user::apart};
use crate::{Database, ReservedPort, programs};

/// A running PgBouncer that nobody else knows. It vanishes as a [`Throwaway`](super::Throwaway) does.
#[derive(Debug)]
pub struct Pooler {
    port: ReservedPort,
    place: Place,
    child: Child,
    // Dropped last: it cleans up behind the others.
    _leash: Leash,
}

impl Pooler {
    /// The package that brings it.
    pub const PACKAGE: &str = "pgbouncer";

    /// Whether one can be started.
    pub fn is_installed() -> bool {
        programs::pgbouncer().is_some()
    }

    /// Starts one before the PostgreSQL on that port of this machine: whatever number of clients
    /// shares `size` connections to it, each for the length of a transaction.
    ///
    /// # Errors
    ///
    /// [`NotStarted`] when it is not installed, or does not run.
    pub fn start(server: u16, size: u32) -> Result<Self, NotStarted> {
        let program = programs::pgbouncer().ok_or(NotStarted::NotInstalled)?;
        let port = ReservedPort::new()?;
        // It refuses root as the server does, and may run as the same user.
        let place = Place::new("postgres")?;
        let leash = Leash::tie(&place.folder, "pooler.pid", "KILL")?;
        fs::write(place.folder.join("pooler.ini"), settings(server, port.number(), size))?;
        let log = fs::File::create(place.log())?;
        let mut command = place.command(&program);
        command.arg("pooler.ini").stdout(Stdio::null()).stderr(log);
        let child = apart(&mut command).spawn()?;
        let started = Self { port, place, child, _leash: leash };
        started.wait_until_it_lets_us_in()?;
        Ok(started)
    }

    /// The port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port.number()
    }

    /// What it has written down so far.
    pub fn log(&self) -> String {
        self.place.log_text()
    }

    fn wait_until_it_lets_us_in(&self) -> Result<(), NotStarted> {
        let begin = Instant::now();
        while !Database::Postgres.lets_in(self.port()) {
            if begin.elapsed() > START_TIMEOUT {
                return Err(NotStarted::Silent(self.place.last_words()));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // It may have ended by itself; the leash looks after what is left.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// As Debian leaves them, but for who is let in, and how many connections there are.
fn settings(server: u16, port: u16, size: u32) -> String {
    format!(
        "[databases]\n\
         * = host=127.0.0.1 port={server} user=postgres\n\
         [pgbouncer]\n\
         listen_addr = 127.0.0.1\n\
         listen_port = {port}\n\
         unix_socket_dir =\n\
         auth_type = any\n\
         pool_mode = transaction\n\
         default_pool_size = {size}\n\
         max_client_conn = 500\n\
         pidfile = pooler.pid\n"
    )
}
