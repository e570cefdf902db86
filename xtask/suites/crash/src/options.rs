//! Options on the command line.

use std::fmt;

use crate::{Outcome, scenario::Scenario};

/// A kind of database.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Db {
    Sqlite,
    Postgres,
    MySql,
}

impl Db {
    const ALL: [Self; 3] = [Self::Sqlite, Self::Postgres, Self::MySql];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::MySql => "mysql",
        }
    }
}

impl fmt::Display for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Databases and scenarios of a run, and the number of rounds.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Options {
    pub(crate) rounds: usize,
    pub(crate) dbs: Vec<Db>,
    pub(crate) scenarios: Vec<Scenario>,
    /// Small numbers, for a run as part of all checks.
    pub(crate) short: bool,
    /// Counts a scenario as failed if a program that it needs is missing.
    pub(crate) require_all: bool,
}

pub(crate) const USAGE: &str = "crash [--rounds N] [--db sqlite|postgres|mysql|all] [--scenario NAME] [--short] \
     [--require-all]";

impl Options {
    pub(crate) fn parse(args: &[String]) -> Outcome<Self> {
        let mut options = Self {
            rounds: 20,
            dbs: Db::ALL.to_vec(),
            scenarios: Scenario::ALL.to_vec(),
            short: false,
            require_all: false,
        };
        let mut args = args.iter().map(String::as_str);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} has no value; {USAGE}"));
            match arg {
                "--rounds" => options.rounds = value()?.parse()?,
                "--db" => options.dbs = one_or_all(value()?, &Db::ALL, Db::name)?,
                "--scenario" => {
                    options.scenarios = one_or_all(value()?, &Scenario::ALL, Scenario::name)?;
                }
                "--short" => options.short = true,
                "--require-all" => options.require_all = true,
                "--help" | "-h" => return Err(USAGE.into()),
                _ => return Err(format!("`{arg}` is unknown; {USAGE}").into()),
            }
        }
        Ok(options)
    }
}

fn one_or_all<T: Copy>(text: &str, all: &[T], name: fn(T) -> &'static str) -> Outcome<Vec<T>> {
    let found: Vec<_> =
        all.iter().copied().filter(|one| text == "all" || name(*one) == text).collect();
    let names: Vec<_> = all.iter().map(|one| name(*one)).collect();
    let unknown = || format!("`{text}` is unknown; expected all, {}", names.join(", ")).into();
    if found.is_empty() { Err(unknown()) } else { Ok(found) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Outcome<Options> {
        Options::parse(&text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn all_scenarios_are_the_default() {
        let all = parse("").unwrap();
        assert_eq!((all.rounds, all.dbs.len(), all.short), (20, 3, false));
        let some = parse("--rounds 3 --db mysql --scenario points --short").unwrap();
        assert_eq!((some.rounds, some.dbs, some.short), (3, vec![Db::MySql], true));
        assert_eq!(some.scenarios, [Scenario::Points]);
    }

    #[test]
    fn unknown_options_are_rejected() {
        for wrong in ["--rounds", "--rounds x", "--db oracle", "--scenario none", "points"] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
