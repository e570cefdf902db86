//! Packages as their users get them: complete, usable outside the workspace, documented by docs.rs.
//!
//! All published packages are packed together, since they depend on versions that no registry has
//! yet. The packed files are then unpacked into a workspace of their own in the target folder, whose
//! `[patch.crates-io]` points to them: a file that a package lacks is an error there.

mod docs;
mod quick_start;

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    published::{Published, packages},
    run::{Failure, cargo, run},
    step::{Step, StepReport},
    target_folder,
};

/// Not among all the steps: it builds most dependencies a second time.
pub(crate) const STEP: Step = Step::new("package", |_| check());

/// Files that every package contains.
const NEEDED: [&str; 3] = ["LICENSE-APACHE", "LICENSE-MIT", "README.md"];

fn check() -> Result<StepReport, Failure> {
    let packages = packages()?;
    pack(&packages)?;
    let target = target_folder()?;
    let workspace = target.join("packaged");
    unpack(&packages, &target.join("package"), &workspace)?;
    check_files(&packages, &workspace)?;
    quick_start::write_workspace(&packages, &workspace)?;
    fetch(&workspace)?;
    let started = quick_start::run(&workspace)?;
    let documented = docs::build(&packages, &workspace)?;
    let names: Vec<_> = packages.iter().map(|package| &*package.name).collect();
    println!("packaged and unpacked: {}", names.join(", "));
    println!("{started}");
    println!("documented as on docs.rs: {}", documented.summary);
    let summary = format!("{} packages; quick start ran; documentation built", packages.len());
    Ok(StepReport { summary, left_out: documented.left_out })
}

/// Packs all of them in one call, without a network if the registry's index is on this machine.
///
/// The code is not compiled here: that follows outside the workspace. A dirty tree is allowed, since
/// this is a check and publishes nothing.
fn pack(packages: &[Published]) -> Result<(), Failure> {
    let command = || {
        let mut command = cargo(["package", "--no-verify", "--allow-dirty"]);
        for package in packages {
            command.args(["--package", &package.name]);
        }
        command
    };
    if run(command().arg("--offline")).is_ok() {
        return Ok(());
    }
    println!("packing failed offline; trying again with a network");
    run(&mut command())
}

/// Makes sure that all dependencies are on this machine: later steps use no network.
fn fetch(workspace: &Path) -> Result<(), Failure> {
    let command = || {
        let mut command = cargo(["fetch"]);
        command.current_dir(workspace);
        command
    };
    if run(command().arg("--offline")).is_ok() {
        return Ok(());
    }
    println!("some dependencies are not on this machine; trying again with a network");
    run(&mut command())
}

/// Unpacks each into a folder of `workspace`, which is emptied first.
fn unpack(packages: &[Published], packed: &Path, workspace: &Path) -> Result<(), Failure> {
    remove(workspace)?;
    fs::create_dir_all(workspace).map_err(|error| unwritten(workspace, &error))?;
    for package in packages {
        let file = packed.join(format!("{}.crate", folder_name(package)));
        run(Command::new("tar").arg("-xzf").arg(file).arg("-C").arg(workspace))?;
    }
    Ok(())
}

fn folder_name(package: &Published) -> String {
    format!("{}-{}", package.name, package.version)
}

/// Removes the folder, except builds, which the next run continues.
fn remove(workspace: &Path) -> Result<(), Failure> {
    let entries = match fs::read_dir(workspace) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unwritten(workspace, &error)),
    };
    let builds = [docs::DOCS_BUILD_FOLDER, quick_start::PROGRAM_BUILD_FOLDER];
    for entry in entries.flatten() {
        if builds.iter().any(|folder| entry.file_name() == *folder) {
            continue;
        }
        let path = entry.path();
        let removed =
            if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(|error| unwritten(&path, &error))?;
    }
    Ok(())
}

/// Checks that each package contains a README, and the licence texts of the workspace.
fn check_files(packages: &[Published], workspace: &Path) -> Result<(), Failure> {
    let mut faults = Vec::new();
    for package in packages {
        for name in NEEDED {
            let file = workspace.join(folder_name(package)).join(name);
            let Ok(text) = fs::read(&file) else {
                faults.push(format!("{} has no {name}", package.name));
                continue;
            };
            let is_licence = name.starts_with("LICENSE");
            if is_licence && fs::read(name).is_ok_and(|expected| expected != text) {
                faults.push(format!("{name} of {} differs from the workspace's", package.name));
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(Failure::Found(faults.join("\n"))) }
}

fn write(path: PathBuf, text: &str) -> Result<(), Failure> {
    let folder = path.parent().unwrap_or(&path);
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
    written.map_err(|error| unwritten(&path, &error))
}

fn unwritten(path: &Path, error: &io::Error) -> Failure {
    Failure::Found(format!("cannot write {}: {error}", path.display()))
}
