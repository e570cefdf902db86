//! The workspace in which the mutants are built.

use std::{
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use super::invariants::InvariantMutant;
use crate::run::Failure;

/// Root of the testkit with the modules that the simulator needs. Suites, mocks and sockets would
/// take most of the build time.
const TESTKIT_ROOT: &str = "\
#![allow(warnings)]
mod scripted_response;
mod clock;
mod faulty;
mod memory;
mod observed;
mod signer;
mod simulation;
mod units;
pub use crate::{
    scripted_response::ScriptedResponse,
    clock::ManualClock,
    faulty::{Fault, FaultyStore, FaultyTransport, StoreCall},
    memory::MemoryStore,
    signer::PlainSigner,
    simulation::{
        BrokenInvariant, FaultKind, FaultList, InvalidFaultList, Simulation, SimulationReport,
    },
};
";

/// Files and folders of those modules.
const TESTKIT_PARTS: [&str; 8] =
    ["scripted_response", "clock", "faulty", "memory", "observed", "signer", "simulation", "units"];

/// Fields of each package.
const PACKAGE_FIELDS: &str = "\
edition = \"2024\"
publish = false
version = \"0.0.0\"

";

/// The profile of the workspace, so that both share their dependencies.
const DEV_PROFILE: &str = "
[profile.dev]
debug = \"line-tables-only\"
";

/// Program that runs a mutant.
pub(super) struct Runner {
    pub(super) program: String,
    pub(super) args: Vec<String>,
}

/// Writes the files that have changed, so that cargo rebuilds nothing else. Mutants of the store
/// are modules of one program; each mutant of the core has a program of its own.
pub(super) fn write(folder: &Path, mutants: &[InvariantMutant]) -> Result<Vec<Runner>, Failure> {
    let (mut members, mut stores, mut runners) = (String::new(), Vec::new(), Vec::new());
    for (number, mutant) in mutants.iter().enumerate() {
        let program = format!("mutant-{number}");
        if mutant.is_of_core() {
            CoreCopy { folder: folder.join(&program), number }.write(mutant)?;
            _ = write!(
                members,
                "\"{program}/core\", \"{program}/testkit\", \"{program}/program\", "
            );
            runners.push(Runner { program, args: Vec::new() });
        } else {
            let args = vec!["--store".to_owned(), stores.len().to_string()];
            runners.push(Runner { program: STORES_PROGRAM.to_owned(), args });
            stores.push(mutant);
        }
    }
    if !stores.is_empty() {
        write_stores(&folder.join(STORES_PROGRAM), &stores)?;
        _ = write!(members, "\"{STORES_PROGRAM}\"");
    }
    let versions = table(&get(Path::new("Cargo.toml"))?, "[workspace.dependencies]", |line| {
        !line.contains("path = ")
    });
    let members = format!("[workspace]\nresolver = \"3\"\nmembers = [{members}]\n");
    put(
        &folder.join("Cargo.toml"),
        &format!("{members}[workspace.dependencies]\n{versions}{DEV_PROFILE}"),
    )?;
    put(&folder.join("Cargo.lock"), &get(Path::new("Cargo.lock"))?)?;
    Ok(runners)
}

/// The program of all mutants of the store.
const STORES_PROGRAM: &str = "mutant-stores";

const STORES_MANIFEST: &str = "\
[dependencies]
async-trait = \"*\"
uuid = \"*\"
webhook-core = { path = \"ROOT/webhook-core\" }
webhook-testkit = { path = \"ROOT/webhook-testkit\", default-features = false }
";

/// Writes each mutant of the store as a module.
fn write_stores(folder: &Path, mutants: &[&InvariantMutant]) -> Result<(), Failure> {
    let root = here(".")?.display().to_string().replace('\\', "/");
    let manifest = STORES_MANIFEST.replace("ROOT", &root);
    let name = format!("[package]\nname = \"{STORES_PROGRAM}\"\n{PACKAGE_FIELDS}");
    put(&folder.join("Cargo.toml"), &(name + &manifest))?;
    for (number, mutant) in mutants.iter().enumerate() {
        let module = folder.join(format!("src/m{number}"));
        copy(Path::new("webhook-testkit/src/memory"), &module, &|_| true)?;
        put(&module.join("mod.rs"), &get(Path::new("webhook-testkit/src/memory.rs"))?)?;
        let file = mutant.mutant.file.rsplit_once("memory/").map_or("mod.rs", |(_, file)| file);
        put(&module.join(file), &mutant.apply()?)?;
    }
    copy(Path::new("xtask/suites/simulate/src"), &folder.join("src"), &|_| true)?;
    let main = get(Path::new("xtask/suites/simulate/src/main.rs"))?;
    let modules = (0..mutants.len()).fold(String::new(), |mut text, number| {
        _ = writeln!(text, "mod m{number};");
        text
    });
    let new = |number| {
        format!("|it| it.store(|clock| std::sync::Arc::new(m{number}::MemoryStore::new(clock))),\n")
    };
    let all: String = (0..mutants.len()).map(new).collect();
    // The mutants import the clock from their own crate.
    let more = format!(
        "use webhook_testkit::ManualClock;\n{modules}\nconst STORES: &[options::OnStore] = &[\n{all}];\n"
    );
    let main = main.replace("const STORES: &[options::OnStore] = &[];\n", &more);
    put(
        &folder.join("src/main.rs"),
        &format!("#![allow(warnings)]\n{}", main.replace("//! ", "// ")),
    )
}

/// A mutant of the core, the testkit on top of it, and a program on top of both.
struct CoreCopy {
    folder: PathBuf,
    number: usize,
}

impl CoreCopy {
    fn write(&self, mutant: &InvariantMutant) -> Result<(), Failure> {
        let broken = mutant.apply()?;
        self.write_core()?;
        self.write_testkit()?;
        self.write_program()?;
        let inside = mutant.mutant.file.trim_start_matches("webhook-core/");
        put(&self.folder.join("core").join(inside), &broken)
    }

    fn write_core(&self) -> Result<(), Failure> {
        let folder = self.folder.join("core");
        let needs = table(&get(Path::new("webhook-core/Cargo.toml"))?, "[dependencies]", |_| true);
        let name =
            format!("[package]\nname = \"core-{}\"\n{PACKAGE_FIELDS}[dependencies]\n", self.number);
        put(&folder.join("Cargo.toml"), &(name + &needs))?;
        copy(Path::new("webhook-core/src"), &folder.join("src"), &|_| true)?;
        // A mutant may leave items unused.
        let lib = get(Path::new("webhook-core/src/lib.rs"))?;
        put(&folder.join("src/lib.rs"), &format!("#![allow(warnings)]\n{lib}"))
    }

    fn write_testkit(&self) -> Result<(), Failure> {
        let (folder, number) = (self.folder.join("testkit"), self.number);
        let core =
            format!("webhook-core = {{ package = \"core-{number}\", path = \"../core\" }}\n");
        let needs =
            table(&get(Path::new("webhook-testkit/Cargo.toml"))?, "[dependencies]", is_needed);
        let name =
            format!("[package]\nname = \"testkit-{number}\"\n{PACKAGE_FIELDS}[dependencies]\n");
        put(&folder.join("Cargo.toml"), &(name + &needs + &core))?;
        put(&folder.join("src/lib.rs"), TESTKIT_ROOT)?;
        let is_part = |path: &Path| {
            let inside = path.strip_prefix("webhook-testkit/src").unwrap_or(path);
            let first = inside.components().next().map(|part| part.as_os_str().to_string_lossy());
            TESTKIT_PARTS.contains(&first.unwrap_or_default().trim_end_matches(".rs"))
        };
        copy(Path::new("webhook-testkit/src"), &folder.join("src"), &is_part)
    }

    fn write_program(&self) -> Result<(), Failure> {
        let (folder, number) = (self.folder.join("program"), self.number);
        let testkit = format!(
            "webhook-testkit = {{ package = \"testkit-{number}\", path = \"../testkit\" }}\n"
        );
        let name =
            format!("[package]\nname = \"mutant-{number}\"\n{PACKAGE_FIELDS}[dependencies]\n");
        put(&folder.join("Cargo.toml"), &(name + &testkit))?;
        copy(Path::new("xtask/suites/simulate/src"), &folder.join("src"), &|_| true)
    }
}

/// Returns false for dependencies of the parts that are left out, and for webhook-core.
fn is_needed(line: &str) -> bool {
    !["mockall", "webhook-core", "expect-test", "httparse"]
        .iter()
        .any(|name| line.starts_with(name))
}

/// Wanted lines of one table. Members inherit versions as they do in this workspace.
fn table(manifest: &str, header: &str, wanted: impl Fn(&str) -> bool) -> String {
    let lines = manifest.lines().skip_while(|line| *line != header).skip(1);
    let lines = lines.take_while(|line| !line.starts_with('['));
    let wanted = lines.filter(|line| line.contains('=') && wanted(line));
    wanted.map(|line| format!("{line}\n")).collect()
}

fn here(path: &str) -> Result<PathBuf, Failure> {
    fs::canonicalize(path).map_err(|error| failed(Path::new(path), &error))
}

/// Copies the wanted files of a folder.
fn copy(from: &Path, to: &Path, wanted: &dyn Fn(&Path) -> bool) -> Result<(), Failure> {
    let failed = |error: io::Error| failed(from, &error);
    for entry in fs::read_dir(from).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !wanted(&path) {
            continue;
        }
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy(&path, &target, wanted)?;
        } else {
            put(&target, &get(&path)?)?;
        }
    }
    Ok(())
}

fn get(path: &Path) -> Result<String, Failure> {
    fs::read_to_string(path).map_err(|error| failed(path, &error))
}

/// Writes a file if its content has changed.
fn put(path: &Path, text: &str) -> Result<(), Failure> {
    if fs::read_to_string(path).is_ok_and(|present| present == text) {
        return Ok(());
    }
    let parent = path.parent().map_or(Ok(()), fs::create_dir_all);
    parent.and_then(|()| fs::write(path, text)).map_err(|error| failed(path, &error))
}

fn failed(path: &Path, error: &io::Error) -> Failure {
    Failure::Found(format!("{}: {error}", path.display()))
}
