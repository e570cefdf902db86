//! Options on the command line.

use std::{ops::Range, time::Duration};

use webhook_testkit::{FaultList, Simulation};

/// Sets another store of a simulation.
pub(crate) type OnStore = fn(Simulation) -> Simulation;

pub(crate) const USAGE: &str = "\
usage: cargo xtask simulate [--seeds N] [--seed S] [--first S] [--days D] [--faults LIST]

  --seeds N      run N seeds, each twice; default 1000
  --first S      start with this seed; default 0
  --seed S       run this seed only
  --days D       inject faults for D days, instead of the time drawn from the seed
  --faults LIST  inject these faults only: the list of a broken run";

/// Number of seeds that must show every fault and try every invariant.
const SEEDS_FOR_ALL_INVARIANTS: u64 = 1000;

#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) first: u64,
    pub(crate) count: u64,
    days: Option<f64>,
    faults: Option<FaultList>,
    /// Invariant whose violation ends the run.
    pub(crate) until: Option<String>,
    /// Store that replaces the one in memory.
    store: Option<OnStore>,
}

impl Options {
    pub(crate) fn read(
        mut args: impl Iterator<Item = String>,
        stores: &[OnStore],
    ) -> Result<Self, String> {
        let mut options = Self { count: SEEDS_FOR_ALL_INVARIANTS, ..Self::default() };
        while let Some(name) = args.next() {
            let value =
                args.next().ok_or_else(|| format!("`{name}` needs a value, or is unknown"))?;
            options.take(&name, &value, stores)?;
        }
        Ok(options)
    }

    fn take(&mut self, name: &str, value: &str, stores: &[OnStore]) -> Result<(), String> {
        let wrong = || format!("`{value}` is no value for {name}");
        let number = || value.parse::<u64>().map_err(|_| wrong());
        match name {
            "--seeds" => self.count = number()?.max(1),
            "--first" => self.first = number()?,
            "--seed" => (self.first, self.count) = (number()?, 1),
            "--days" => {
                let days = value.parse::<f64>().ok().filter(|days| *days > 0.0 && *days <= 3650.0);
                self.days = Some(days.ok_or_else(wrong)?);
            }
            "--faults" => self.faults = Some(value.parse().map_err(|error| format!("{error}"))?),
            "--until-broken" => self.until = Some(value.to_owned()),
            "--store" => {
                let number = usize::try_from(number()?).ok();
                self.store = number.and_then(|number| stores.get(number)).copied();
            }
            _ => return Err(format!("`{name}` is unknown")),
        }
        Ok(())
    }

    pub(crate) fn seeds(&self) -> Range<u64> {
        self.first..self.first.saturating_add(self.count)
    }

    /// Returns true if the seeds must show every fault and try every invariant.
    pub(crate) const fn is_whole(&self) -> bool {
        self.count >= SEEDS_FOR_ALL_INVARIANTS && self.faults.is_none()
    }

    pub(crate) fn simulation(&self, seed: u64) -> Simulation {
        let mut simulation = Simulation::builder().seed(seed);
        if let Some(days) = self.days {
            simulation = simulation.span(Duration::from_secs_f64(days * 86_400.0));
        }
        if let Some(on_store) = self.store {
            simulation = on_store(simulation);
        }
        match &self.faults {
            Some(faults) => simulation.faults(faults.clone()),
            None => simulation,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Options, String> {
        Options::read(line.split_whitespace().map(str::to_owned), &[])
    }

    #[test]
    fn options_are_read() {
        let options = read("--seeds 50 --first 7 --days 0.5").unwrap();
        assert_eq!((options.seeds(), options.days), (7..57, Some(0.5)));
        assert_eq!(read("--seed 9").unwrap().seeds(), 9..10);
        assert!(read("").unwrap().is_whole() && !read("--seed 9").unwrap().is_whole());
        assert!(read("--seed 9 --faults none").unwrap().faults.unwrap().is_empty());
    }

    #[test]
    fn invalid_options_are_rejected() {
        for wrong in ["--seeds", "--seeds x", "--days -1", "--faults x", "--sides 6", "7"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
