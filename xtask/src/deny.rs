//! Licences, banned crates and known vulnerabilities, by cargo-deny and `deny.toml`.

use std::{
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use crate::{
    run::{Failure, cargo, run},
    step::StepReport,
};

/// Time limit for each call that may use the network.
const DENY_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) fn check() -> Result<StepReport, Failure> {
    if !succeeds(&mut cargo(["deny", "--version"]), DENY_TIMEOUT) {
        let text = "cargo-deny is missing: `cargo install cargo-deny --locked`, or start .ci/run";
        return Err(Failure::Found(text.into()));
    }
    // The graph is a page of text for each crate; `cargo tree --invert` shows it if needed.
    run(&mut cargo(["deny", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    // A machine without a network must neither fail nor skip this check silently.
    if !succeeds(&mut cargo(["deny", "fetch", "db"]), DENY_TIMEOUT) {
        let text = "known vulnerabilities: the advisory database could not be fetched; \
                    `cargo xtask deny` with a network checks them";
        let left_out = vec![text.to_owned()];
        return Ok(StepReport { summary: "licences, bans, sources".into(), left_out });
    }
    run(&mut cargo(["deny", "check", "advisories"]))?;
    Ok(StepReport::new("licences, bans, sources, advisories"))
}

/// Returns true if a command succeeds within the time limit.
fn succeeds(command: &mut Command, timeout: Duration) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null());
    let Ok(mut child) = silent.spawn() else { return false };
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if begin.elapsed() < timeout => thread::sleep(Duration::from_millis(50)),
            _ => break,
        }
    }
    // An error means that the process has just ended, which is fine.
    let _ = child.kill();
    let _ = child.wait();
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_or_takes_too_long_does_not_succeed() {
        assert!(succeeds(&mut cargo(["--version"]), DENY_TIMEOUT));
        assert!(!succeeds(&mut Command::new("false"), DENY_TIMEOUT));
        assert!(!succeeds(&mut Command::new("/no/such/program"), DENY_TIMEOUT));
        assert!(!succeeds(Command::new("sleep").arg("600"), Duration::ZERO));
    }
}
