//! What to measure on, how much of it, and where the figures go.

use std::{path::PathBuf, time::Duration};

use crate::{Failure, place::kind};

/// What to measure on, how much of it, and where the figures go.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// `sqlite`, or the URL of a server on which databases may be created; several, separated by commas.
    db: String,
    /// How long each run lasts, of those that last a time, where it was asked for.
    seconds: Option<u64>,
    /// How often each is measured, senders and starts three times as often; medians count.
    pub(crate) runs: usize,
    /// How many requests each run sends, of those that count.
    pub(crate) requests: usize,
    /// How many deliveries each run makes.
    pub(crate) deliveries: usize,
    /// Where the figures go, for programs.
    pub(crate) json: Option<PathBuf>,
    /// Where the goals go, for people to read.
    pub(crate) markdown: Option<PathBuf>,
    /// Whether it is only to be seen that measuring works.
    pub(crate) short: bool,
}

impl Options {
    /// What may be said, for whoever says something else.
    pub(crate) const USAGE: &str = "[--db sqlite|URL[,URL]] [--seconds N] [--runs N] [--requests N] \
                                    [--deliveries N] [--json FILE] [--markdown FILE] [--short]";

    pub(crate) fn read(words: &[&str]) -> Result<Self, Failure> {
        let mut options = Self {
            db: "sqlite".into(),
            seconds: None,
            runs: 3,
            requests: 100_000,
            deliveries: 20_000,
            json: None,
            markdown: None,
            short: false,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if *word == "--short" {
                let (runs, requests, deliveries, short) = (1, 200, 200, true);
                options = Self { seconds: Some(1), runs, requests, deliveries, short, ..options };
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            match *word {
                "--db" => options.db = (*value).to_owned(),
                "--runs" => options.runs = value.parse()?,
                "--requests" => options.requests = value.parse()?,
                "--deliveries" => options.deliveries = value.parse()?,
                "--json" => options.json = Some(value.into()),
                "--markdown" => options.markdown = Some(value.into()),
                "--seconds" => options.seconds = Some(value.parse()?),
                _ => return Err(format!("unknown option {word}").into()),
            }
        }
        Ok(options)
    }

    /// Each database to measure on.
    pub(crate) fn databases(&self) -> Vec<String> {
        self.db.split(',').map(str::to_owned).collect()
    }

    /// The same on one database alone: on PostgreSQL, where it is among them.
    pub(crate) fn on_one(&self) -> Self {
        let databases = self.databases();
        let postgres = databases.iter().find(|db| kind(db).starts_with("postgres"));
        let db = postgres.or(databases.first()).cloned().unwrap_or_default();
        Self { db, ..self.clone() }
    }

    /// How long a run lasts, unless it was said: so many seconds.
    pub(crate) fn run(&self, unless_said: u64) -> Duration {
        Duration::from_secs(self.seconds.unwrap_or(unless_said))
    }

    /// One of two sizes: all of it, or enough to see that it works.
    pub(crate) const fn size(&self, whole: usize, short: usize) -> usize {
        if self.short { short } else { whole }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read_or_refused() {
        let options = Options::read(&["--db", "postgres://x", "--seconds", "5"]).unwrap();
        assert_eq!(
            (options.databases(), options.run(60).as_secs()),
            (vec!["postgres://x".into()], 5)
        );
        for bad in [&["--db"][..], &["--seconds", "x"], &["--what", "1"]] {
            assert!(Options::read(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_one_database_is_postgresql_or_else_the_first() {
        for (db, one) in
            [("sqlite,postgres://x,mysql://y", "postgres://x"), ("sqlite,mysql://y", "sqlite")]
        {
            let options = Options::read(&["--db", db]).unwrap();
            assert_eq!(options.on_one().databases(), [one]);
        }
    }
}
