//! File systems in memory: small, so that one can be full, or fast.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

use super::{Leash, NotStarted, new_folder, run};

/// A file system in memory that nobody else uses. It vanishes as a [`Throwaway`](super::Throwaway) does.
#[derive(Debug)]
pub struct Room {
    disk: PathBuf,
    _leash: Leash,
}

/// What takes the place.
const BALLAST: &str = "ballast";

impl Room {
    /// Makes one.
    ///
    /// # Errors
    ///
    /// [`NotStarted`] when this user may not mount anything.
    pub fn new(megabytes: u32) -> Result<Self, NotStarted> {
        let folder = new_folder()?;
        let leash = Leash::tie(&folder, "no.pid", "KILL")?;
        let disk = folder.join(Leash::DISK);
        fs::create_dir(&disk)?;
        mount_memory(&disk, &format!("size={megabytes}m,mode=0700"))?;
        Ok(Self { disk, _leash: leash })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.disk
    }

    /// Leaves no room to anybody.
    ///
    /// # Errors
    ///
    /// Whatever else stops it.
    pub fn fill(&self) -> io::Result<()> {
        let mut ballast = fs::File::create(self.disk.join(BALLAST))?;
        for size in [1 << 20, 1 << 12] {
            let some = vec![7; size];
            loop {
                match ballast.write_all(&some) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::StorageFull => break,
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    ///
    /// Whatever stops it.
    pub fn free(&self) -> io::Result<()> {
        fs::remove_file(self.disk.join(BALLAST))
    }
}

/// Mounts an empty file system in memory over this folder.
pub(super) fn mount_memory(folder: &Path, options: &str) -> Result<(), NotStarted> {
    run(Command::new("mount").args(["-t", "tmpfs", "-o", options, "webhook-test"]).arg(folder))
}

/// A file that nobody may write, root neither: mounted over itself for reading, until this is dropped.
#[derive(Debug)]
pub struct Protected(PathBuf);

impl Protected {
    /// Protects it.
    ///
    /// # Errors
    ///
    /// [`NotStarted`] when this user may not mount anything.
    pub fn new(file: &Path) -> Result<Self, NotStarted> {
        run(Command::new("mount").arg("--bind").args([file, file]))?;
        let protected = Self(file.to_owned());
        run(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(file))?;
        Ok(protected)
    }
}

impl Drop for Protected {
    fn drop(&mut self) {
        if let Err(error) = run(Command::new("umount").arg("-l").arg(&self.0)) {
            eprintln!("{} is still protected: {error}", self.0.display());
        }
    }
}
