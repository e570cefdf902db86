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

/// How long to wait for the database of advisories.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn check() -> Result<StepReport, Failure> {
    if !succeeds(&mut cargo(["deny", "--version"]), PATIENCE) {
        let text = "cargo-deny is missing: `cargo install cargo-deny --locked`, or start .ci/run";
        return Err(Failure::Found(text.into()));
    }
    // Who brings a crate in is a page of text for each: `cargo tree --invert` shows it when needed.
    run(&mut cargo(["deny", "check", "--hide-inclusion-graph", "bans", "licenses", "sources"]))?;
    // A machine without a way out must not fail on what it cannot know, nor pass it over in silence.
    if !succeeds(&mut cargo(["deny", "fetch", "db"]), PATIENCE) {
        let text = "known vulnerabilities: the advisory database could not be fetched; \
                    `cargo xtask deny` with a network checks them";
        let left_out = vec![text.to_owned()];
        return Ok(StepReport { summary: "licences, bans, sources".into(), left_out });
    }
    run(&mut cargo(["deny", "check", "advisories"]))?;
    Ok(StepReport::new("licences, bans, sources, advisories"))
}

/// Whether it ends well, and in time; what it says against that goes to our errors.
fn succeeds(command: &mut Command, patience: Duration) -> bool {
    let silent = command.stdin(Stdio::null()).stdout(Stdio::null());
    let Ok(mut child) = silent.spawn() else { return false };
    let begin = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return status.success(),
            Ok(None) if begin.elapsed() < patience => thread::sleep(Duration::from_millis(50)),
            _ => break,
        }
    }
    // It may have ended by itself just now; either way nobody waits for its answer any more.
    let _ = child.kill();
    let _ = child.wait();
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_or_takes_too_long_does_not_succeed() {
        assert!(succeeds(&mut cargo(["--version"]), PATIENCE));
        assert!(!succeeds(&mut Command::new("false"), PATIENCE));
        assert!(!succeeds(&mut Command::new("/no/such/program"), PATIENCE));
        assert!(!succeeds(Command::new("sleep").arg("600"), Duration::ZERO));
    }
}
