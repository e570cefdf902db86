//! What is done to whom.

mod full;
mod kills;
mod locked;
mod network;
mod notices;
mod order;
mod points;
mod pooler;
mod rate;
mod refusing;
mod restart;
mod stall;
mod traffic;
mod workers;

use std::{
    hash::{BuildHasher as _, RandomState},
    time::{Duration, Instant},
};

use tokio::time::sleep;

pub(crate) use full::MEGABYTES as FULL_MEGABYTES;
use kills::Processes;
use xtask_servers::{Pooler, Room};

use crate::{
    Outcome,
    fixture::{Fixture, Site},
    ledger::word,
    options::{Db, Options},
    relay::Trouble,
    syns::Syns,
    verdict::Verdict,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Scenario {
    /// Each named point, so many times.
    Points,
    /// `kill -9` at times that nobody chose.
    Kills,
    /// The same, of processes that publish and deliver.
    Both,
    /// The database goes and comes back.
    Restart,
    /// A worker stands still for longer than its lease.
    Stall,
    /// The database does not come to tell that it has committed.
    LostReply,
    /// Connections end in the middle of transactions.
    Cut,
    /// The network says nothing any more, from right before a commit on.
    SilenceBefore,
    /// The same, from right after a commit on.
    SilenceAfter,
    /// The database is away for a while, and who looks for it does not do so in a tight loop.
    Away,
    /// The same, and nobody takes connections in its place.
    Refused,
    /// The disk of the database is full for a while.
    Full,
    /// The database may not be written for a while.
    ReadOnly,
    /// The password of the database is another for a while.
    Password,
    /// Somebody holds rows, or the lock of the file, for ten seconds.
    Locked,
    /// Four workers, of which one dies and one stands still.
    Workers,
    /// Eight workers behind PgBouncer in transaction mode.
    Pooler,
    /// Four workers share the rate limit of an endpoint.
    Rate,
    /// Workers die while everything they do has to be told.
    Notices,
    /// Four workers, of which one dies, and a receiver that fails at random: ordering keys stay in order.
    Order,
}

impl Scenario {
    pub(crate) const ALL: [Self; 20] = [
        Self::Points,
        Self::Kills,
        Self::Both,
        Self::Restart,
        Self::Stall,
        Self::LostReply,
        Self::Cut,
        Self::SilenceBefore,
        Self::SilenceAfter,
        Self::Away,
        Self::Refused,
        Self::Full,
        Self::ReadOnly,
        Self::Password,
        Self::Locked,
        Self::Workers,
        Self::Pooler,
        Self::Rate,
        Self::Notices,
        Self::Order,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Points => "points",
            Self::Kills => "kills",
            Self::Both => "both",
            Self::Restart => "restart",
            Self::Stall => "stall",
            Self::LostReply => "lost-reply",
            Self::Cut => "cut",
            Self::SilenceBefore => "silence-before",
            Self::SilenceAfter => "silence-after",
            Self::Away => "away",
            Self::Refused => "refused",
            Self::Full => "full",
            Self::ReadOnly => "read-only",
            Self::Password => "password",
            Self::Locked => "locked",
            Self::Workers => "workers",
            Self::Pooler => "pooler",
            Self::Rate => "rate",
            Self::Notices => "notices",
            Self::Order => "order",
        }
    }

    /// Whether it makes sense on this kind of database: a file has no network, and one is enough for
    /// the many workers.
    pub(crate) const fn is_for(self, db: Db) -> bool {
        match self {
            Self::LostReply
            | Self::Cut
            | Self::SilenceBefore
            | Self::SilenceAfter
            | Self::Away
            | Self::Refused
            | Self::Password => !matches!(db, Db::Sqlite),
            Self::Workers | Self::Pooler => matches!(db, Db::Postgres),
            Self::Points
            | Self::Kills
            | Self::Both
            | Self::Restart
            | Self::Stall
            | Self::Full
            | Self::ReadOnly
            | Self::Locked
            | Self::Rate
            | Self::Notices
            | Self::Order => true,
        }
    }

    /// What it needs and this machine has not, with how to get it.
    pub(crate) fn lacks(self, db: Db) -> Option<String> {
        let package = Pooler::PACKAGE;
        match self {
            Self::Pooler if !Pooler::is_installed() => {
                Some(format!("PgBouncer: install it (`apt-get install {package}`)"))
            }
            Self::Full if Room::new(1).is_err() => {
                Some("a small disk: let this user mount a tmpfs".to_owned())
            }
            Self::ReadOnly if db == Db::Sqlite && Room::new(1).is_err() => {
                Some("a file that root may not write: let this user mount one".to_owned())
            }
            Self::Refused if !Syns::may_be_seen() => {
                Some("a look at packets: let this user open raw sockets".to_owned())
            }
            _ => None,
        }
    }

    pub(crate) async fn play(
        self,
        site: &Site,
        fixture: &mut Fixture,
        options: &Options,
    ) -> Outcome<Verdict> {
        match self {
            Self::Points => points::play(fixture, options).await,
            Self::Kills => kills::play(fixture, Processes::Apart, options).await,
            Self::Both => kills::play(fixture, Processes::Together, options).await,
            Self::Restart => restart::play(site, fixture, options).await,
            Self::Stall => stall::play(fixture).await,
            Self::LostReply => {
                network::interrupted(site, fixture, Trouble::LoseReply, options).await
            }
            Self::Cut => network::interrupted(site, fixture, Trouble::Cut, options).await,
            Self::SilenceBefore => {
                network::silent(site, fixture, Trouble::SilenceBefore, options).await
            }
            Self::SilenceAfter => {
                network::silent(site, fixture, Trouble::SilenceAfter, options).await
            }
            Self::Away => network::away(site, fixture).await,
            Self::Refused => network::refused(site, fixture).await,
            Self::Full => full::play(site, fixture, options).await,
            Self::ReadOnly => refusing::read_only(site, fixture, options).await,
            Self::Password => refusing::password(site, fixture, options).await,
            Self::Locked => locked::play(site, fixture).await,
            Self::Workers => workers::play(fixture, options).await,
            Self::Pooler => pooler::play(site, fixture, options).await,
            Self::Rate => rate::play(fixture, options).await,
            Self::Notices => notices::play(fixture, options).await,
            Self::Order => order::play(fixture, options).await,
        }
    }
}

/// Time limit of a child process that has little left to do.
const CHILD_DEADLINE: Duration = Duration::from_secs(60);

/// How the store says that the database refuses to write.
const REFUSAL: &str = "the store refuses";

/// Whether a line of a log says nothing but that something took long.
fn is_slow(line: &str) -> bool {
    ["slow_acquire_threshold", "slow_threshold"].iter().any(|field| line.contains(field))
}

/// Waits until somebody has written down so many facts of this kind after `begin`; when it was the
/// last of them.
async fn wait_for(
    fixture: &Fixture,
    name: &str,
    what: &str,
    count: usize,
    begin: u64,
) -> Outcome<u64> {
    let started = Instant::now();
    loop {
        // It may not have begun yet.
        let lines = fixture.ledger(name).unwrap_or_default();
        let mut found = lines.iter().filter(|line| line.word == what && line.at > begin);
        if let Some(line) = count.checked_sub(1).and_then(|before| found.nth(before)) {
            return Ok(line.at);
        }
        if started.elapsed() > CHILD_DEADLINE {
            return Err(format!("not {count} times {what} within a minute").into());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The leases that a worker has lost, by its own report.
fn leases_lost(fixture: &Fixture, worker: &str) -> Outcome<u64> {
    let lines = fixture.ledger(worker)?;
    let report = lines.iter().find(|line| line.word == word::REPORT);
    let report = report.ok_or_else(|| format!("{worker} has left no report"))?;
    let report: serde_json::Value = serde_json::from_str(&report.subject)?;
    report.get("leases_lost").and_then(serde_json::Value::as_u64).ok_or("no count".into())
}

/// Numbers that differ from run to run.
#[derive(Debug)]
struct Rng(u64);

impl Rng {
    fn new() -> Self {
        Self(RandomState::new().hash_one(0) | 1)
    }

    /// From 0 on, and less than `end`.
    const fn up_to(&mut self, end: u64) -> u64 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}
