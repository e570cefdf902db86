//! Looks for bytes that break a promise of `xtask-fuzz`.
//!
//! Each target is a program with libFuzzer in it, built by the same compiler as everything else: what
//! counts the code that ran is a pass of LLVM, and no flag of a nightly compiler. It needs a C++ compiler
//! besides, for libFuzzer. Two of them search at a time.

mod table;
mod target;

use std::{fs, path::Path, sync::Mutex, thread};

use crate::{
    run::{Failure, cargo, read, run},
    step::{Step, StepReport},
    target_folder,
};
use target::{Found, Target};

/// Not among all the steps: what was found before is replayed by the tests.
pub(crate) const STEP: Step = Step::new("fuzz", check);

/// The crate of the programs, which is a workspace of its own.
pub(crate) const MANIFEST: &str = "xtask/suites/fuzz/targets/Cargo.toml";

const PROGRAMS: &str = "xtask/suites/fuzz/targets/bin";
const CORPUS: &str = "xtask/suites/fuzz/corpus";

/// Programs at a time.
const AT_A_TIME: usize = 2;

/// Seconds for each target, unless told otherwise.
const SECONDS: u32 = 60;

/// LLVM counts edges in bytes of their own and tells libFuzzer what is compared with what. One unit of
/// code, so that no counter is lost between two; and overflows are caught as in tests.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions";

fn check(args: &[&str]) -> Result<StepReport, Failure> {
    let asked = parse(args, &targets()?).map_err(Failure::Found)?;
    let folder = target_folder()?.join("fuzz");
    let programs = build(&folder)?;
    let target = |name: &String| Target::new(name, &programs, &folder);
    let targets: Vec<_> = asked.targets.iter().map(target).collect();
    let found = search(&targets, asked.seconds)?;
    if asked.keep {
        targets.iter().try_for_each(Target::keep)?;
    }
    let table = table::of(&found);
    println!("\n{table}");
    let findings = found.iter().filter(|found| found.finding.is_some()).count();
    let said = format!("{} targets, {} s each, {findings} findings", found.len(), asked.seconds);
    if findings == 0 { Ok(StepReport::new(said)) } else { Err(Failure::Found(said)) }
}

/// What is asked for on the command line.
#[derive(Debug, Eq, PartialEq)]
struct Asked {
    seconds: u32,
    /// Whether the corpus of the repository takes over what reaches more code.
    keep: bool,
    targets: Vec<String>,
}

fn parse(args: &[&str], known: &[String]) -> Result<Asked, String> {
    let mut asked = Asked { seconds: SECONDS, keep: false, targets: Vec::new() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--seconds" => {
                let number = args.next().and_then(|text| text.parse().ok());
                asked.seconds = number.ok_or("`--seconds` takes a whole number")?;
            }
            "--keep" => asked.keep = true,
            name if known.iter().any(|known| known == name) => asked.targets.push(name.into()),
            unknown => {
                return Err(format!("`{unknown}` is unknown; there are {}", known.join(", ")));
            }
        }
    }
    if asked.targets.is_empty() {
        asked.targets = known.to_vec();
    }
    Ok(asked)
}

/// The programs there are, by their files.
fn targets() -> Result<Vec<String>, Failure> {
    let files = fs::read_dir(PROGRAMS)
        .map_err(|error| Failure::Found(format!("cannot read {PROGRAMS}: {error}")))?;
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut names: Vec<_> = files.flatten().filter_map(|file| stem(&file.path())).collect();
    names.sort_unstable();
    Ok(names)
}

/// Builds the programs, and says in which folder they are.
fn build(folder: &Path) -> Result<std::path::PathBuf, Failure> {
    let host = host()?;
    let mut command = cargo(["build", "--release", "--manifest-path", MANIFEST]);
    // A target that is named keeps the flags away from build scripts and macros.
    command.args(["--target", &host, "--target-dir"]);
    run(command.arg(folder).env("RUSTFLAGS", FLAGS)).map_err(|failure| {
        let hint = "libFuzzer is built from C++: install a compiler, such as g++ or clang";
        Failure::Found(format!("{failure}\n{hint}"))
    })?;
    Ok(folder.join(host).join("release"))
}

fn host() -> Result<String, Failure> {
    let version = read(std::process::Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::Found("rustc names no host".to_owned()))
}

/// Lets all targets search, some at a time.
fn search(targets: &[Target], seconds: u32) -> Result<Vec<Found>, Failure> {
    let waiting = Mutex::new(targets.iter());
    let next = || waiting.lock().ok().and_then(|mut waiting| waiting.next());
    let work = || {
        let mut found = Vec::new();
        while let Some(target) = next() {
            println!("{}: searching for {seconds} s", target.name);
            found.push(target.search(seconds));
        }
        found
    };
    let found: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap_or_default()).collect()
    });
    let found: Result<Vec<_>, _> = found.into_iter().collect();
    found.map(|mut found| {
        found.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        found
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Vec<String> {
        ["ndjson", "url"].map(str::to_owned).into()
    }

    #[test]
    fn without_a_word_every_target_searches_for_a_minute() {
        let all = Asked { seconds: 60, keep: false, targets: known() };
        assert_eq!(parse(&[], &known()), Ok(all));
        let one = Asked { seconds: 5, keep: true, targets: vec!["url".into()] };
        assert_eq!(parse(&["url", "--seconds", "5", "--keep"], &known()), Ok(one));
    }

    #[test]
    fn what_nobody_understands_is_refused() {
        for (args, expected) in [
            (&["xml"][..], "`xml` is unknown; there are ndjson, url"),
            (&["--seconds"], "`--seconds` takes a whole number"),
            (&["--seconds", "1m"], "`--seconds` takes a whole number"),
        ] {
            assert_eq!(parse(args, &known()), Err(expected.to_owned()));
        }
    }
}
