//! Measurements: receiver, sender and database in processes of their own, on loopback.
//!
//! `xtask-bench fairness|flood [--db sqlite|URL] [--seconds N]`. What is judged is a ratio of two runs of one
//! call, on one machine and within a minute of each other; absolute figures are shown beside it.

mod fairness;
mod flood;
mod latency;
mod load;
mod place;
mod receiver;
mod stage;

use std::{error::Error, process::ExitCode, time::Duration};

/// A step that could not be measured.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let ended = match words.as_slice() {
        ["receiver"] => receiver::listen().await.map(|()| true),
        ["fairness", options @ ..] => match Options::read(options) {
            Ok(options) => fairness::measure(&options).await,
            Err(error) => Err(error),
        },
        ["flood", options @ ..] => match Options::read(options) {
            Ok(options) => flood::measure(&options).await,
            Err(error) => Err(error),
        },
        _ => Err("usage: xtask-bench fairness|flood [--db sqlite|URL] [--seconds N]".into()),
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask-bench: {error}");
            ExitCode::from(2)
        }
    }
}

/// What to measure on, and for how long.
struct Options {
    /// `sqlite`, or the URL of a server on which databases may be created.
    db: String,
    /// How long each run lasts.
    run: Duration,
}

impl Options {
    fn read(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self { db: "sqlite".into(), run: Duration::from_secs(60) };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            match *word {
                "--db" => options.db = (*value).to_owned(),
                "--seconds" => options.run = Duration::from_secs(value.parse()?),
                _ => return Err(format!("unknown option {word}").into()),
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_or_refused() {
        let options = Options::read(&["--db", "postgres://x", "--seconds", "5"]).unwrap();
        assert_eq!((options.db.as_str(), options.run.as_secs()), ("postgres://x", 5));
        for bad in [&["--db"][..], &["--seconds", "x"], &["--what", "1"]] {
            assert!(Options::read(bad).is_err(), "{bad:?}");
        }
    }
}
