//! Does the suite for stores prove anything?
//!
//! Each of its cases names a line of `MemoryStore` to break, and has to fail when that is done. The
//! broken stores are modules of two programs in the target folder.

mod cases;
mod stage;

use std::{fs, path::Path};

use crate::{
    run::{Failure, cargo, run},
    step::StepReport,
    target_folder, test,
};

pub(crate) const SABOTAGE: &str = "--sabotage";

pub(crate) fn check(args: &[&str]) -> Result<StepReport, Failure> {
    match args {
        [] => test::conformance(),
        [SABOTAGE] => sabotage(),
        _ => Err(Failure::Found(format!(
            "`{}` is unknown; `conformance` takes {SABOTAGE}",
            args.join(" ")
        ))),
    }
}

/// Runs each case on the store that it names, broken, and then on the one that is whole.
fn sabotage() -> Result<StepReport, Failure> {
    let testkit = Path::new("webhook-testkit/src");
    let cases = cases::look(&testkit.join("conformance/store"))?;
    let memory = stage::look(testkit)?;
    let (sources, programs) = stage::build(&cases, &memory).map_err(found)?;
    let target = target_folder()?;
    let folder = target.join("sabotage");
    stage::write(&folder, &sources).map_err(|error| unwritten(&folder, &error))?;

    let cargo = |what: &str| {
        let mut command = cargo([what, "--quiet", "--manifest-path"]);
        command.arg(folder.join("Cargo.toml")).arg("--target-dir").arg(&target);
        command
    };
    // All of them, before the first one runs: they are built side by side.
    run(cargo("build").args(programs.iter().flat_map(|program| ["--bin", program])))?;
    for program in &programs {
        run(cargo("run").args(["--bin", program]))?;
    }
    Ok(StepReport::new(format!("{} cases, each catches what it names", cases.len())))
}

fn found(wrong: Vec<String>) -> Failure {
    Failure::Found(format!("{} cases cannot be checked\n  {}", wrong.len(), wrong.join("\n  ")))
}

fn unwritten(place: &Path, error: &std::io::Error) -> Failure {
    Failure::Found(format!("cannot write {}: {error}", place.display()))
}

/// The Rust files of a folder, by name, in order.
fn rust_files(folder: &Path) -> Result<Vec<(String, String)>, Failure> {
    let unread = |error: std::io::Error| {
        Failure::Found(format!("cannot read {}: {error}", folder.display()))
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.ends_with(".rs") {
            files.push((name.to_owned(), fs::read_to_string(&path).map_err(unread)?));
        }
    }
    files.sort();
    Ok(files)
}
