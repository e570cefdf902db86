//! The quick start of webhook-registry's README, built from the packages and run.

use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use super::{Published, folder_name, unwritten, write};
use crate::run::{Failure, cargo, run as run_command};

const NAME: &str = "quick-start";
const README_OF: &str = "webhook-registry";
/// Builds of the program, in the folder of the unpacked packages.
pub(super) const PROGRAM_BUILD_FOLDER: &str = "program-target";

/// Time until the program has printed the secret.
const MAX_START: Duration = Duration::from_secs(60);
/// Time for it to publish its event, and to wait for the signal.
const PUBLISH_TIME: Duration = Duration::from_secs(2);
/// Time from the signal to its end: a shutdown waits 30 s for attempts in flight.
const MAX_STOP: Duration = Duration::from_secs(45);

/// Writes the workspace of the unpacked packages, with the quick start as one more member.
pub(super) fn write_workspace(packages: &[Published], workspace: &Path) -> Result<(), Failure> {
    let mut manifest = String::from("[workspace]\nresolver = \"3\"\nmembers = [\n");
    for name in packages.iter().map(folder_name).chain([NAME.to_owned()]) {
        _ = writeln!(manifest, "    \"{name}\",");
    }
    manifest.push_str("]\n\n[patch.crates-io]\n");
    for package in packages.iter().filter(|package| package.has_library) {
        _ = writeln!(manifest, "{} = {{ path = \"{}\" }}", package.name, folder_name(package));
    }
    write(workspace.join("Cargo.toml"), &manifest)?;
    // The same versions as in this workspace, so that nothing new has to be downloaded.
    let lock = workspace.join("Cargo.lock");
    fs::copy("Cargo.lock", &lock).map_err(|error| unwritten(&lock, &error))?;
    write_program(packages, workspace)
}

fn write_program(packages: &[Published], workspace: &Path) -> Result<(), Failure> {
    let package = packages.iter().find(|package| package.name == README_OF);
    let package = package.ok_or_else(|| Failure::Found(format!("{README_OF} is not published")))?;
    let readme = workspace.join(folder_name(package)).join("README.md");
    let readme = fs::read_to_string(readme).unwrap_or_default();
    let block = |language: &str| {
        let missing = || Failure::Found(format!("the README of {README_OF} has no {language}"));
        code_block(&readme, language).ok_or_else(missing)
    };
    let (dependencies, program) = (block("toml")?, block("rust")?);
    let header = format!(
        "[package]\nname = \"{NAME}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n"
    );
    write(workspace.join(NAME).join("Cargo.toml"), &format!("{header}{dependencies}"))?;
    write(workspace.join(NAME).join("src/main.rs"), program)
}

/// Returns the text of the first code block in `language`.
fn code_block<'a>(text: &'a str, language: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("```{language}"))?;
    let (_, rest) = rest.split_once('\n')?;
    rest.split_once("```").map(|(block, _)| block)
}

/// Builds the program and runs it until it has published, then stops it by a signal.
pub(super) fn run(workspace: &Path) -> Result<String, Failure> {
    let target = workspace.join(PROGRAM_BUILD_FOLDER);
    run_command(
        cargo(["build", "--offline", "--package", NAME, "--target-dir"])
            .arg(&target)
            .current_dir(workspace),
    )?;
    let program = target.join("debug").join(format!("{NAME}{}", std::env::consts::EXE_SUFFIX));
    let mut child = Command::new(&program)
        .current_dir(workspace.join(NAME))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| Failure::NotStarted { command: NAME.to_owned(), source })?;
    let ended = watch(&mut child);
    if ended.is_err() {
        // It may have ended on its own by now.
        let _ = child.kill();
        let _ = child.wait();
    }
    ended?;
    Ok(format!("{NAME}: printed a secret, stored an event and ended on a signal"))
}

fn watch(child: &mut Child) -> Result<(), Failure> {
    let found = |text: &str| Failure::Found(format!("{NAME}: {text}"));
    let lines = lines_of(child);
    let first = lines.recv_timeout(MAX_START).unwrap_or_default();
    if !first.starts_with("whsec_") {
        return Err(found("it printed no secret of its endpoint"));
    }
    thread::sleep(PUBLISH_TIME);
    interrupt(child)?;
    match wait(child, MAX_STOP) {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Failure::Ended { command: NAME.to_owned(), status }),
        None => Err(found("it did not end within 45 s of the signal")),
    }
}

/// Lines of its output, read on a thread of their own, so that waiting for one can end.
fn lines_of(child: &mut Child) -> mpsc::Receiver<String> {
    let (send, receive) = mpsc::channel();
    if let Some(output) = child.stdout.take() {
        thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(Result::ok);
            lines.map(|line| send.send(line)).take_while(Result::is_ok).count()
        });
    }
    receive
}

/// Sends the signal of Ctrl-C, by the program `kill`.
fn interrupt(child: &Child) -> Result<(), Failure> {
    run_command(Command::new("kill").args(["-INT", &child.id().to_string()]))
}

fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let begin = Instant::now();
    while begin.elapsed() < limit {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(50));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_block_of_a_language_is_found() {
        let text = "a\n```toml\nx = 1\n```\n```rust,no_run\nfn main() {}\n```\n```rust\nno\n```\n";
        assert_eq!(code_block(text, "toml"), Some("x = 1\n"));
        assert_eq!(code_block(text, "rust"), Some("fn main() {}\n"));
        assert_eq!(code_block(text, "sh"), None);
    }
}
