//! The conformance suite for stores, and a proof that each of its cases catches a fault.
//!
//! Each case names a mutant of `MemoryStore`, or of the transitions it is built on, and must fail on
//! it. The mutants are modules of two programs in the target folder.

mod cases;
mod programs;

use std::path::Path;

use self::programs::StoreSource;
use crate::{
    mutant::MUTANTS_OPTION,
    run::{Failure, cargo, run},
    step::StepReport,
    target_folder, test,
};

pub(crate) fn check(args: &[&str]) -> Result<StepReport, Failure> {
    match args {
        [] => test::conformance(),
        [MUTANTS_OPTION] => check_mutants(),
        _ => Err(Failure::Found(format!(
            "`{}` is unknown; `conformance` takes {MUTANTS_OPTION}",
            args.join(" ")
        ))),
    }
}

/// Runs each case on its mutant, where it must fail, and on the correct store, where it must pass.
fn check_mutants() -> Result<StepReport, Failure> {
    let testkit = Path::new("webhook-testkit/src");
    let cases = cases::read_cases(&testkit.join("conformance/store"))?;
    let ports = Path::new("webhook-core/src/port/store");
    let source = StoreSource::read(testkit, ports)?;
    let (sources, names) =
        programs::build(&cases, &source).map_err(|wrong| invalid_cases(&wrong))?;
    let target = target_folder()?;
    let folder = target.join("conformance-mutants");
    programs::write(&folder, &sources).map_err(|error| unwritten(&folder, &error))?;

    let cargo = |verb: &str| {
        let mut command = cargo([verb, "--quiet", "--manifest-path"]);
        command.arg(folder.join("Cargo.toml")).arg("--target-dir").arg(&target);
        command
    };
    // Building both before the first one runs uses both cores.
    run(cargo("build").args(names.iter().flat_map(|name| ["--bin", name])))?;
    for name in &names {
        run(cargo("run").args(["--bin", name]))?;
    }
    Ok(StepReport::new(format!("{} mutants, each caught by its case", cases.len())))
}

fn invalid_cases(wrong: &[String]) -> Failure {
    Failure::Found(format!("{} cases are invalid\n  {}", wrong.len(), wrong.join("\n  ")))
}

fn unwritten(folder: &Path, error: &std::io::Error) -> Failure {
    Failure::Found(format!("cannot write {}: {error}", folder.display()))
}
