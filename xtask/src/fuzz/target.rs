//! Program and folders of a target, and the result of its search.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::CORPUS;
use crate::{
    coverage::text,
    run::{Failure, run},
};

/// Seconds after which an input counts as a loop.
const MAX_INPUT_SECONDS: u32 = 20;

/// Megabytes above which a program has a leak, or a bound that fails.
const MAX_MEMORY_MB: u32 = 1024;

pub(super) struct Target {
    pub(super) name: String,
    program: PathBuf,
    /// Corpus of the repository.
    kept: PathBuf,
    /// Inputs that this machine has collected.
    collected: PathBuf,
    /// Inputs that break a promise.
    artifacts: PathBuf,
    log: PathBuf,
}

/// Result of a search.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Search {
    pub(super) name: String,
    pub(super) seconds: u64,
    pub(super) runs: u64,
    /// Number of inputs that each reach code, or a comparison, that no other reaches.
    pub(super) corpus: u64,
    /// Command that reproduces the failure.
    pub(super) finding: Option<String>,
}

impl Target {
    pub(super) fn new(name: &str, programs: &Path, folder: &Path) -> Self {
        Self {
            name: name.to_owned(),
            program: programs.join(name),
            kept: Path::new(CORPUS).join(name),
            collected: folder.join("corpus").join(name),
            artifacts: folder.join("artifacts").join(name),
            log: folder.join(format!("{name}.log")),
        }
    }

    /// Searches for `seconds`, or until the first finding.
    pub(super) fn search(&self, seconds: u32) -> Result<Search, Failure> {
        for folder in [&self.collected, &self.artifacts] {
            fs::create_dir_all(folder).map_err(|error| cannot_write(folder, &error))?;
        }
        let log = File::create(&self.log).map_err(|error| cannot_write(&self.log, &error))?;
        let mut command = Command::new(&self.program);
        command.args([&self.collected, &self.kept]).args([
            format!("-max_total_time={seconds}"),
            format!("-timeout={MAX_INPUT_SECONDS}"),
            format!("-rss_limit_mb={MAX_MEMORY_MB}"),
            format!("-artifact_prefix={}/", self.artifacts.display()),
            "-print_final_stats=1".to_owned(),
        ]);
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).status();
        let status = status.map_err(|source| Failure::NotStarted {
            command: self.program.display().to_string(),
            source,
        })?;
        let mut found = self.result(&text(&self.log)?);
        if !status.success() && found.finding.is_none() {
            found.finding = Some(format!("{status}, see {}", self.log.display()));
        }
        Ok(found)
    }

    /// Reads the result from the log of libFuzzer.
    fn result(&self, log: &str) -> Search {
        let number = |text: &str| text.trim().parse().ok();
        let last = |name: &str| {
            log.lines().rev().find_map(|line| number(line.strip_prefix(name)?)).unwrap_or(0)
        };
        // `#1234  NEW    cov: 12 ft: 34 corp: 5/678b ...`, often.
        let mut progress_lines = log.lines().rev().filter_map(|line| line.strip_prefix('#'));
        let progress = progress_lines.find(|line| line.starts_with(|c: char| c.is_ascii_digit()));
        let runs_so_far =
            progress.and_then(|line| number(line.split_whitespace().next()?)).unwrap_or(0);
        let corpus = progress.and_then(|line| line.split_once("corp: ")?.1.split_once('/'));
        let file = log.lines().find_map(|line| line.split_once("Test unit written to "));
        let done = log.lines().find_map(|line| line.strip_prefix("Done ")?.split_once(" runs in "));
        let seconds = done.and_then(|(_, time)| number(time.split_once(' ')?.0));
        Search {
            name: self.name.clone(),
            seconds: seconds.unwrap_or(0),
            runs: last("stat::number_of_executed_units:").max(runs_so_far),
            corpus: corpus.and_then(|(count, _)| number(count)).unwrap_or(0),
            finding: file.map(|(_, file)| format!("{} {file}", self.program.display())),
        }
    }

    /// Replaces the corpus of the repository by the smallest part of both corpora that reaches as
    /// much code. Inputs with a descriptive name stay.
    pub(super) fn keep(&self) -> Result<(), Failure> {
        let fresh = self.collected.with_extension("kept");
        let _ = fs::remove_dir_all(&fresh);
        fs::create_dir_all(&fresh).map_err(|error| cannot_write(&fresh, &error))?;
        let mut merge = Command::new(&self.program);
        merge.args(["-merge=1", "-max_len=4096"]).args([&fresh, &self.kept, &self.collected]);
        run(merge.stdout(Stdio::null()).stderr(Stdio::null()))?;
        let files = |folder: &Path| {
            let files = fs::read_dir(folder).map_err(|error| cannot_write(folder, &error))?;
            Ok(files.flatten().map(|file| file.path()).collect::<Vec<_>>())
        };
        for old in files(&self.kept)?.iter().filter(|path| is_a_hash(path)) {
            fs::remove_file(old).map_err(|error| cannot_write(old, &error))?;
        }
        for new in files(&fresh)? {
            // A few hundred inputs need no longer names.
            let name = new.file_name().map(|name| name.to_string_lossy().into_owned());
            let name: String = name.unwrap_or_default().chars().take(HASH_DIGITS).collect();
            fs::copy(&new, self.kept.join(name)).map_err(|error| cannot_write(&new, &error))?;
        }
        Ok(())
    }
}

/// Number of digits of the hash that names an input.
const HASH_DIGITS: usize = 16;

/// Returns true if libFuzzer has named this input.
fn is_a_hash(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy());
    name.is_some_and(|name| {
        name.len() == HASH_DIGITS && name.bytes().all(|b| b.is_ascii_hexdigit())
    })
}

fn cannot_write(path: &Path, error: &std::io::Error) -> Failure {
    Failure::Found(format!("cannot use {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::new("url", Path::new("programs"), Path::new("fuzz"))
    }

    #[test]
    fn a_search_without_findings_has_numbers() {
        let log = "INFO: seed corpus: files: 3\n#4\tINITED cov: 9 ft: 9 corp: 3/12b exec/s: 0\n\
                   #77\tREDUCE cov: 12 ft: 14 corp: 5/20b lim: 4 exec/s: 0\n\
                   #90\tDONE   cov: 12 ft: 14 corp: 6/22b lim: 4 exec/s: 9\n\
                   ###### Recommended dictionary. ######\n\
                   Done 90 runs in 11 second(s)\nstat::number_of_executed_units: 90\n";
        let expected =
            Search { name: "url".into(), seconds: 11, runs: 90, corpus: 6, finding: None };
        assert_eq!(target().result(log), expected);
    }

    #[test]
    fn a_finding_comes_with_the_command_that_shows_it_again() {
        let log = "#8\tNEW cov: 9 ft: 9 corp: 3/12b\n==1== ERROR: libFuzzer: deadly signal\n\
                   artifact_prefix='a/'; Test unit written to a/crash-1f\nBase64: eA==\n";
        let found = target().result(log);
        assert_eq!(found.finding.as_deref(), Some("programs/url a/crash-1f"));
        assert_eq!((found.runs, found.corpus), (8, 3));
    }

    #[test]
    fn descriptive_names_are_not_hashes() {
        assert!(is_a_hash(Path::new("corpus/url/0123456789abcdef")));
        for kept in ["query-in-display", "0123456789abcde", "0123456789abcdefg"] {
            assert!(!is_a_hash(&Path::new("corpus/url").join(kept)), "{kept}");
        }
    }
}
