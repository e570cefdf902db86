//! How an endpoint does, in numbers.

use std::{collections::BTreeMap, time::Duration};

use serde::{Serialize, Serializer};

use crate::model::{
    attempt::FailureKind, delivery::DeliveryStatus, duration::format_duration, time::whole_millis,
};

/// How an endpoint does, by what came about within a window: its newest deliveries, up to
/// [`MAX_DELIVERIES`](Self::MAX_DELIVERIES), and every attempt on record of these.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct EndpointStats {
    /// The time before now that it is about.
    #[serde(serialize_with = "as_duration")]
    pub window: Duration,
    /// How many deliveries have come how far; statuses that none has are left out.
    pub deliveries: BTreeMap<DeliveryStatus, u64>,
    /// How many attempts there were.
    pub attempts: u64,
    /// What went wrong in how many of them.
    pub failures: BTreeMap<FailureKind, u64>,
    /// How long they took; absent when there were none.
    pub durations: Option<AttemptDurations>,
}

/// How long attempts took, in whole milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AttemptDurations {
    /// Half of them took at most so long.
    pub p50_ms: i64,
    /// 95 of 100 took at most so long.
    pub p95_ms: i64,
    /// The longest.
    pub max_ms: i64,
}

impl EndpointStats {
    /// The most deliveries that are counted, so that the work has a bound.
    pub const MAX_DELIVERIES: usize = 10_000;

    /// Nothing within `window`.
    pub const fn new(window: Duration) -> Self {
        Self {
            window,
            deliveries: BTreeMap::new(),
            attempts: 0,
            failures: BTreeMap::new(),
            durations: None,
        }
    }

    /// Counts deliveries by status.
    #[must_use]
    pub fn with_deliveries(
        mut self,
        counted: impl IntoIterator<Item = (DeliveryStatus, u64)>,
    ) -> Self {
        for (status, count) in counted {
            *self.deliveries.entry(status).or_default() += count;
        }
        self
    }

    /// Counts attempts: what went wrong, how long it took, and in how many of them. All at once: the
    /// durations are of these.
    #[must_use]
    pub fn with_attempts(
        mut self,
        counted: impl IntoIterator<Item = (Option<FailureKind>, Duration, u64)>,
    ) -> Self {
        let mut by_duration = BTreeMap::<i64, u64>::new();
        for (failure, took, count) in counted {
            self.attempts += count;
            *by_duration.entry(whole_millis(took)).or_default() += count;
            if let Some(kind) = failure {
                *self.failures.entry(kind).or_default() += count;
            }
        }
        self.durations = AttemptDurations::of(&by_duration);
        self
    }

    /// Whether there may be more deliveries than were counted.
    pub fn is_capped(&self) -> bool {
        self.deliveries.values().sum::<u64>() >= Self::MAX_DELIVERIES as u64
    }
}

impl AttemptDurations {
    /// Of how many attempts took how many milliseconds.
    fn of(counted: &BTreeMap<i64, u64>) -> Option<Self> {
        let total: u64 = counted.values().sum();
        let rank = |percent: u64| {
            let mut left = (total * percent).div_ceil(100);
            let mut durations = counted.iter();
            // The first one that so many attempts have not exceeded.
            durations.find_map(|(took, count)| {
                left = left.saturating_sub(*count);
                (left == 0).then_some(*took)
            })
        };
        let (max_ms, _) = counted.last_key_value()?;
        Some(Self { p50_ms: rank(50)?, p95_ms: rank(95)?, max_ms: *max_ms })
    }
}

fn as_duration<S: Serializer>(window: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_duration(*window))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn durations(millis: impl IntoIterator<Item = u64>) -> Option<AttemptDurations> {
        let attempts = millis.into_iter().map(|took| (None, Duration::from_millis(took), 1));
        EndpointStats::new(HOUR).with_attempts(attempts).durations
    }

    #[test]
    fn percentiles_are_durations_that_occurred() {
        let of = |p50_ms, p95_ms, max_ms| Some(AttemptDurations { p50_ms, p95_ms, max_ms });
        assert_eq!(durations([]), None);
        assert_eq!(durations([7]), of(7, 7, 7));
        assert_eq!(durations([9, 1]), of(1, 9, 9));
        assert_eq!(durations(1..=100), of(50, 95, 100));
        assert_eq!(durations((1..=20).rev()), of(10, 19, 20));
        let counted = [(None, HOUR, 1), (None, Duration::ZERO, 999)];
        let many = EndpointStats::new(HOUR).with_attempts(counted).durations;
        assert_eq!(many, of(0, 0, 3_600_000));
    }

    #[test]
    fn failures_are_counted_by_kind() {
        let status = Some(FailureKind::Status);
        let counted = [(None, HOUR, 2), (status, HOUR, 3), (status, Duration::ZERO, 4)];
        let stats = EndpointStats::new(HOUR).with_attempts(counted);
        assert_eq!(stats.attempts, 9);
        assert_eq!(stats.failures, BTreeMap::from([(FailureKind::Status, 7)]));
    }

    #[test]
    fn numbers_are_shown_by_name() {
        let stats = EndpointStats::new(HOUR)
            .with_deliveries([(DeliveryStatus::Success, 2), (DeliveryStatus::InFlight, 1)])
            .with_attempts([(Some(FailureKind::Timeout), Duration::from_millis(5), 1)]);
        let expected = serde_json::json!({
            "window": "1h",
            "deliveries": {"in_flight": 1, "success": 2},
            "attempts": 1,
            "failures": {"timeout": 1},
            "durations": {"p50_ms": 5, "p95_ms": 5, "max_ms": 5},
        });
        assert_eq!(serde_json::to_value(stats).unwrap(), expected);
    }

    #[test]
    fn as_many_as_are_counted_may_be_more() {
        let stats =
            |count| EndpointStats::new(HOUR).with_deliveries([(DeliveryStatus::Failed, count)]);
        assert!(!stats(9_999).is_capped() && stats(10_000).is_capped());
    }
}
