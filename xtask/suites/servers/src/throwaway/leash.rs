//! Whoever starts a server may be killed, or stopped by Ctrl-C, before it can end what it started.

use std::{
    io,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::user::apart;

/// A shell that waits for our end, ends the server and removes its folder.
#[derive(Debug)]
pub(super) struct Leash(Child);

/// `$1`: the folder. `$2`: the file that names the server's process. `$3`: the signal that ends it.
///
/// Its input is a pipe from us and ends when we do. The server reads its file anew whenever it starts,
/// so that the process named there is the last one.
const SCRIPT: &str = r#"
cat > /dev/null
if pid=$(head -n 1 "$1/$2" 2> /dev/null) && kill -"$3" "$pid" 2> /dev/null; then
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        kill -0 "$pid" 2> /dev/null || break
        sleep 0.2
    done
fi
umount -l "$1/disk" 2> /dev/null
rm -rf "$1"
"#;

impl Leash {
    /// What may be mounted in the folder.
    pub(super) const DISK: &str = "disk";

    pub(super) fn tie(folder: &Path, pid_file: &str, signal: &str) -> io::Result<Self> {
        let mut shell = Command::new("sh");
        shell.args(["-c", SCRIPT, "leash"]).arg(folder).args([pid_file, signal]);
        let silent = shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        apart(silent).spawn().map(Self)
    }
}

impl Drop for Leash {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        // Until the folder is gone.
        let _ = self.0.wait();
    }
}
