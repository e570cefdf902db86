//! What fuzzers found, replayed: every input that was worth keeping, through its target.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a panic is the failed test")]

use std::{fs, path::Path};

use xtask_fuzz::TARGETS;

/// Maximum size of the corpus, so that a clone of the repository stays small.
const MAX_CORPUS_BYTES: u64 = 1024 * 1024;

#[test]
fn every_kept_input_keeps_the_promises_of_its_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut bytes = 0;
    for (name, run) in TARGETS {
        let mut inputs = 0;
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            let path = entry.unwrap().path();
            let input = fs::read(&path).unwrap();
            bytes += u64::try_from(input.len()).unwrap();
            // The last line before a panic names the input.
            println!("{}", path.display());
            run(&input);
            inputs += 1;
        }
        assert!(inputs >= 5, "{name} has no corpus");
    }
    assert!(bytes < MAX_CORPUS_BYTES, "the corpus has grown to {bytes} bytes");
}

#[test]
fn every_folder_of_the_corpus_has_its_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(corpus).unwrap() {
        let folder = entry.unwrap().file_name();
        assert!(TARGETS.iter().any(|(name, _)| folder == **name), "{}", folder.display());
    }
}
