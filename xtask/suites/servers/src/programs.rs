//! Where the programs of a server are.

use std::{
    env,
    path::{Path, PathBuf},
};

/// The folder of PostgreSQL's programs. Debian keeps them out of `PATH`, one folder for each version.
pub(crate) fn postgres() -> Option<PathBuf> {
    let mut versions = versions(Path::new("/usr/lib/postgresql"));
    versions.sort_unstable_by_key(|(version, _)| std::cmp::Reverse(*version));
    let installed = versions.into_iter().map(|(_, folder)| folder.join("bin"));
    installed.chain(search()).find(|folder| has(folder, &["initdb", "pg_ctl", "postgres"]))
}

fn versions(folder: &Path) -> Vec<(u32, PathBuf)> {
    let entries = folder.read_dir().into_iter().flatten().flatten();
    entries
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path())))
        .collect()
}

/// MariaDB's server, and what fills its folder.
pub(crate) fn mariadb() -> Option<(PathBuf, PathBuf)> {
    let find = |name| search().find(|folder| has(folder, &[name])).map(|folder| folder.join(name));
    Some((find("mariadbd")?, find("mariadb-install-db")?))
}

/// PgBouncer.
pub(crate) fn pgbouncer() -> Option<PathBuf> {
    let folder = search().find(|folder| has(folder, &["pgbouncer"]));
    folder.map(|folder| folder.join("pgbouncer"))
}

/// The folders of `PATH`, and those of servers, which not every user's has.
fn search() -> impl Iterator<Item = PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let path: Vec<_> = env::split_paths(&path).collect();
    path.into_iter().chain(["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from))
}

fn has(folder: &Path, programs: &[&str]) -> bool {
    programs.iter().all(|program| folder.join(program).is_file())
}
