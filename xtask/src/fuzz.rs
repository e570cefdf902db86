//! Searches for bytes that break a promise of `xtask-fuzz`.
//!
//! Each target is a program that contains libFuzzer. A pass of LLVM counts the code that ran, so
//! that no nightly compiler is needed. Building libFuzzer needs a C++ compiler.

mod table;
mod target;

use std::{fs, path::Path, sync::Mutex, thread};

use crate::{
    run::{Failure, cargo, read, run},
    step::{Step, StepReport},
    target_folder,
};
use target::{Search, Target};

/// Outside `ci`, because the tests replay earlier findings.
pub(crate) const FUZZ_STEP: Step = Step::new("fuzz", check);

/// Manifest of the programs, which are a workspace of their own.
pub(crate) const FUZZ_MANIFEST: &str = "xtask/suites/fuzz/targets/Cargo.toml";

const FUZZ_PROGRAMS: &str = "xtask/suites/fuzz/targets/bin";
const CORPUS: &str = "xtask/suites/fuzz/corpus";

/// Number of programs that search at the same time.
const PARALLEL_TARGETS: usize = 2;

/// Seconds for each target without `--seconds`.
const DEFAULT_SECONDS: u32 = 60;

/// Flags that make LLVM count edges in bytes and report compared values to libFuzzer.
///
/// A single unit of code keeps all counters. Overflows are caught as in tests.
const SANITIZER_FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
     -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions";

fn check(args: &[&str]) -> Result<StepReport, Failure> {
    let options = parse(args, &targets()?).map_err(Failure::Found)?;
    let folder = target_folder()?.join("fuzz");
    let programs = build(&folder)?;
    let target = |name: &String| Target::new(name, &programs, &folder);
    let targets: Vec<_> = options.targets.iter().map(target).collect();
    let found = search(&targets, options.seconds)?;
    if options.keep {
        targets.iter().try_for_each(Target::keep)?;
    }
    let table = table::of(&found);
    println!("\n{table}");
    let findings = found.iter().filter(|found| found.finding.is_some()).count();
    let summary =
        format!("{} targets, {} s each, {findings} findings", found.len(), options.seconds);
    if findings == 0 { Ok(StepReport::new(summary)) } else { Err(Failure::Found(summary)) }
}

/// Options of the command line.
#[derive(Debug, Eq, PartialEq)]
struct FuzzOptions {
    seconds: u32,
    /// True if inputs that reach more code are copied to the corpus of the repository.
    keep: bool,
    targets: Vec<String>,
}

fn parse(args: &[&str], known: &[String]) -> Result<FuzzOptions, String> {
    let mut options = FuzzOptions { seconds: DEFAULT_SECONDS, keep: false, targets: Vec::new() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match *arg {
            "--seconds" => {
                let number = args.next().and_then(|text| text.parse().ok());
                options.seconds = number.ok_or("`--seconds` takes a whole number")?;
            }
            "--keep" => options.keep = true,
            name if known.iter().any(|known| known == name) => options.targets.push(name.into()),
            unknown => {
                return Err(format!(
                    "`{unknown}` is unknown; expected one of {}",
                    known.join(", ")
                ));
            }
        }
    }
    if options.targets.is_empty() {
        options.targets = known.to_vec();
    }
    Ok(options)
}

/// Names of the programs, from their files.
fn targets() -> Result<Vec<String>, Failure> {
    let files = fs::read_dir(FUZZ_PROGRAMS)
        .map_err(|error| Failure::Found(format!("cannot read {FUZZ_PROGRAMS}: {error}")))?;
    let stem = |path: &Path| path.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let mut names: Vec<_> = files.flatten().filter_map(|file| stem(&file.path())).collect();
    names.sort_unstable();
    Ok(names)
}

/// Builds the programs and returns their folder.
fn build(folder: &Path) -> Result<std::path::PathBuf, Failure> {
    let host = host()?;
    let mut command = cargo(["build", "--release", "--manifest-path", FUZZ_MANIFEST]);
    // With an explicit target, the flags do not apply to build scripts and macros.
    command.args(["--target", &host, "--target-dir"]);
    run(command.arg(folder).env("RUSTFLAGS", SANITIZER_FLAGS)).map_err(|failure| {
        let hint = "libFuzzer is built from C++: install a compiler, such as g++ or clang";
        Failure::Found(format!("{failure}\n{hint}"))
    })?;
    Ok(folder.join(host).join("release"))
}

fn host() -> Result<String, Failure> {
    let version = read(std::process::Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| Failure::Found("`rustc -vV` contains no host".to_owned()))
}

/// Runs the searches of all targets, a few at a time.
fn search(targets: &[Target], seconds: u32) -> Result<Vec<Search>, Failure> {
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
        let workers: Vec<_> = (0..PARALLEL_TARGETS).map(|_| scope.spawn(work)).collect();
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
    fn by_default_every_target_searches_for_a_minute() {
        let all = FuzzOptions { seconds: 60, keep: false, targets: known() };
        assert_eq!(parse(&[], &known()), Ok(all));
        let one = FuzzOptions { seconds: 5, keep: true, targets: vec!["url".into()] };
        assert_eq!(parse(&["url", "--seconds", "5", "--keep"], &known()), Ok(one));
    }

    #[test]
    fn an_unknown_argument_is_refused() {
        for (args, expected) in [
            (&["xml"][..], "`xml` is unknown; expected one of ndjson, url"),
            (&["--seconds"], "`--seconds` takes a whole number"),
            (&["--seconds", "1m"], "`--seconds` takes a whole number"),
        ] {
            assert_eq!(parse(args, &known()), Err(expected.to_owned()));
        }
    }
}
