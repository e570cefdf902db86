//! Times from publish to receipt, by class of endpoint.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// Nanoseconds of Unix time; both processes read the same clock.
pub(crate) fn now() -> u64 {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_1970.as_nanos()).unwrap_or(u64::MAX)
}

/// What a receiver has seen, by the first part of the path.
#[derive(Clone, Default)]
pub(crate) struct Samples(BTreeMap<String, Vec<u64>>);

impl Samples {
    pub(crate) fn add(&mut self, class: &str, nanos: u64) {
        self.0.entry(class.to_owned()).or_default().push(nanos);
    }

    pub(crate) fn sum_up(self) -> BTreeMap<String, Latency> {
        self.0.into_iter().map(|(class, nanos)| (class, Latency::of(nanos))).collect()
    }
}

/// How long deliveries took.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct Latency {
    pub(crate) count: usize,
    pub(crate) p50: Duration,
    pub(crate) p99: Duration,
    pub(crate) max: Duration,
}

impl Latency {
    pub(crate) fn of(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        let at = |percent: usize| {
            let place = (nanos.len() * percent).div_ceil(100).saturating_sub(1);
            Duration::from_nanos(nanos.get(place).copied().unwrap_or_default())
        };
        Self { count: nanos.len(), p50: at(50), p99: at(99), max: at(100) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let mut samples = Samples::default();
        (1..=200).rev().for_each(|nanos| samples.add("a", nanos));
        samples.add("b", 7);
        let latencies = samples.sum_up();
        let nanos = Duration::from_nanos;
        let a = Latency { count: 200, p50: nanos(100), p99: nanos(198), max: nanos(200) };
        assert_eq!(latencies["a"], a);
        assert_eq!((latencies["b"].p50, latencies["b"].p99), (nanos(7), nanos(7)));
        assert_eq!(Latency::of(Vec::new()), Latency::default());
    }
}
