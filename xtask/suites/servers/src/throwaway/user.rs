//! Servers refuse to run as root: then they run as a user who may do nothing.

use std::{fs, io, path::Path, process::Command};

/// As whom a server runs: user and group, unless it is ourselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct User(Option<(u32, u32)>);

#[cfg(unix)]
impl User {
    /// The user of that name, or else nobody; ourselves, unless we are root. `ours` is a folder that
    /// we made.
    pub(super) fn for_server(name: &str, ours: &Path) -> io::Result<Self> {
        use std::os::unix::fs::MetadataExt as _;
        if fs::metadata(ours)?.uid() != 0 {
            return Ok(Self(None));
        }
        let users = fs::read_to_string("/etc/passwd")?;
        let found = find(&users, name).or_else(|| find(&users, "nobody"));
        let missing = || io::Error::other("there is no user `nobody`, and servers refuse root");
        found.map(|ids| Self(Some(ids))).ok_or_else(missing)
    }

    /// Makes the folder the user's own.
    pub(super) fn give(self, folder: &Path) -> io::Result<()> {
        match self.0 {
            Some((user, group)) => std::os::unix::fs::chown(folder, Some(user), Some(group)),
            None => Ok(()),
        }
    }

    /// Lets the user run it.
    pub(super) fn act(self, command: &mut Command) {
        use std::os::unix::process::CommandExt as _;
        if let Some((user, group)) = self.0 {
            command.uid(user).gid(group);
        }
    }
}

#[cfg(not(unix))]
impl User {
    pub(super) fn for_server(_: &str, _: &Path) -> io::Result<Self> {
        Err(io::Error::other("servers are started for tests on Unix alone"))
    }

    pub(super) fn give(self, _: &Path) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn act(self, _: &mut Command) {}
}

/// Ctrl-C in the terminal does not reach it: it ends when we say so.
pub(super) fn apart(command: &mut Command) -> &mut Command {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    command
}

/// The numbers of a user and its group in `/etc/passwd`.
fn find(users: &str, name: &str) -> Option<(u32, u32)> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let user = (fields.next() == Some(name)).then(|| fields.nth(1))??;
        Some((user.parse().ok()?, fields.next()?.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_found_by_its_whole_name() {
        let users =
            "root:x:0:0:root:/root:/bin/sh\npostgres2:x:7:8::/:\npostgres:x:103:110:,,,:/:\n";
        assert_eq!(find(users, "postgres"), Some((103, 110)));
        assert_eq!(find(users, "post"), None);
    }
}
