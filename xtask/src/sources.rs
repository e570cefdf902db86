//! Rust files of a folder.

use std::{collections::BTreeMap, fs, io, path::Path};

use crate::run::Failure;

/// Text of each file, by its path below the folder, with `/` on every system.
pub(crate) type Sources = BTreeMap<String, String>;

/// Reads the Rust files below a folder, or a single file by the name `""`.
///
/// Returns no files if the folder is missing.
pub(crate) fn rust_sources(place: impl AsRef<Path>) -> Result<Sources, Failure> {
    let (place, mut sources) = (place.as_ref(), Sources::new());
    collect(place, "", &mut sources)
        .map_err(|error| Failure::Found(format!("cannot read {}: {error}", place.display())))?;
    Ok(sources)
}

fn collect(path: &Path, name: &str, sources: &mut Sources) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            let entry = entry?;
            let file = entry.file_name();
            let name = [name, if name.is_empty() { "" } else { "/" }, &file.to_string_lossy()];
            collect(&entry.path(), &name.concat(), sources)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "rs") && path.exists() {
        sources.insert(name.to_owned(), fs::read_to_string(path)?);
    }
    Ok(())
}
