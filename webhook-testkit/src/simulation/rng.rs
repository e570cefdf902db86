//! Random decisions of a run, all drawn from one seed.
//!
//! A drawn number depends on its target and on the virtual time, not on earlier draws. Leaving out
//! one fault therefore changes little else, which makes shrinking possible.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::fault::FaultKind;

/// Identity of a fault: its kind, its target, its time in microseconds, and the number of the draw
/// at that time.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct FaultId {
    pub(super) kind: FaultKind,
    pub(super) target: u64,
    pub(super) at: u64,
    pub(super) number: u64,
}

/// A set of faults. A run that is limited to it has no others.
///
/// As text: `crash:1:7200000000:3,lost-answer:0:86400000000:0`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FaultList(pub(super) BTreeSet<FaultId>);

impl FaultList {
    /// Number of faults.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there is no fault.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for FaultList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, FaultId { kind, target, at, number }) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            write!(f, "{kind}:{target}:{at}:{number}")?;
        }
        Ok(())
    }
}

impl FromStr for FaultList {
    type Err = InvalidFaultList;

    fn from_str(text: &str) -> Result<Self, InvalidFaultList> {
        if text == "none" {
            return Ok(Self::default());
        }
        let one = |text: &str| {
            let mut parts = text.split(':');
            let kind = parts.next()?.parse().ok()?;
            let mut number = || parts.next()?.parse::<u64>().ok();
            let (target, at, number) = (number()?, number()?, number()?);
            parts.next().is_none().then_some(FaultId { kind, target, at, number })
        };
        let all: Option<BTreeSet<_>> = text.split(',').map(one).collect();
        all.map(Self).ok_or(InvalidFaultList)
    }
}

/// Error of parsing a [`FaultList`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidFaultList;

impl fmt::Display for InvalidFaultList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "invalid list of faults: expected the list in a `BrokenInvariant`, such as \
             crash:1:7200000000:3, or none",
        )
    }
}

impl std::error::Error for InvalidFaultList {}

/// Source of all random decisions of a run.
#[derive(Debug)]
pub(super) struct RunRng {
    seed: u64,
    /// Faults that may occur; None for all.
    allowed: Option<FaultList>,
    state: Mutex<RngState>,
}

#[derive(Debug, Default)]
struct RngState {
    /// Number of draws at the present time, by kind and target.
    now: Duration,
    asked: BTreeMap<(FaultKind, u64), u64>,
    injected: BTreeSet<FaultId>,
    /// True once faults no longer occur.
    faults_ended: bool,
}

impl RunRng {
    pub(super) fn new(seed: u64, allowed: Option<FaultList>) -> Self {
        Self { seed, allowed, state: Mutex::default() }
    }

    /// Random numbers for the `index`-th `target` at this time.
    pub(super) fn stream(&self, target: &str, index: u64, at: Duration) -> RngStream {
        let hash = target.bytes().fold(self.seed, |hash, byte| mix(hash ^ u64::from(byte)));
        RngStream(mix(mix(hash ^ mix(index)) ^ micros(at)))
    }

    /// Returns true if a fault of this kind hits `target` now: once in `one_in` draws, never if
    /// that is 0.
    pub(super) fn occurs(&self, kind: FaultKind, target: u64, one_in: u64, now: Duration) -> bool {
        let mut state = self.state();
        if state.faults_ended || one_in == 0 {
            return false;
        }
        if state.now != now {
            (state.now, state.asked) = (now, BTreeMap::new());
        }
        let asked = state.asked.entry((kind, target)).or_default();
        let id = FaultId { kind, target, at: micros(now), number: *asked };
        *asked += 1;
        let drawn = mix(mix(mix(mix(self.seed ^ kind as u64) ^ target) ^ id.at) ^ id.number);
        let allowed = self.allowed.as_ref().is_none_or(|allowed| allowed.0.contains(&id));
        if !allowed || !drawn.is_multiple_of(one_in) {
            return false;
        }
        state.injected.insert(id);
        true
    }

    /// Ends all faults for the rest of the run.
    pub(super) fn end_faults(&self) {
        self.state().faults_ended = true;
    }

    pub(super) fn faults_ended(&self) -> bool {
        self.state().faults_ended
    }

    /// Faults that have occurred.
    pub(super) fn injected(&self) -> FaultList {
        FaultList(self.state().injected.clone())
    }

    fn state(&self) -> MutexGuard<'_, RngState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A sequence of random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct RngStream(u64);

impl RngStream {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// Returns a number below `end`, or 0 if `end` is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or_default()
    }

    /// Returns a number from `first` to `last`.
    pub(super) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// Returns true once in `one_in` calls.
    pub(super) fn once_in(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    /// Returns one of these items.
    pub(super) fn one_of<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        let at = usize::try_from(self.below(items.len() as u64)).unwrap_or_default();
        items.get(at).cloned()
    }

    /// Returns a wait between these bounds. Each order of magnitude is equally likely.
    pub(super) fn wait(&mut self, least: Duration, most: Duration) -> Duration {
        let (least, most) = (millis(least).max(1), millis(most).max(1));
        let doublings = u64::from((most / least).max(1).ilog2());
        let low = least << self.between(0, doublings);
        Duration::from_millis(self.between(low, (low * 2).min(most).max(low)))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// The finalizer of SplitMix64 (Steele, Lea and Flood, 2014).
pub(super) const fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throw(rng: &RunRng, kind: FaultKind, target: u64) {
        (0..100).for_each(|at| {
            rng.occurs(kind, target, 10, Duration::from_secs(at / 3));
        });
    }

    #[test]
    fn leaving_out_a_fault_changes_no_other() {
        let rng = RunRng::new(7, None);
        throw(&rng, FaultKind::Crash, 1);
        let all = rng.injected();
        assert!(all.len() > 3);
        let mut some = all.clone();
        some.0.pop_first();
        let again = RunRng::new(7, Some(some.clone()));
        throw(&again, FaultKind::Crash, 1);
        assert_eq!(again.injected(), some);
    }

    #[test]
    fn a_list_of_faults_is_written_and_read_as_text() {
        let rng = RunRng::new(7, None);
        throw(&rng, FaultKind::LostAnswer, 0);
        throw(&rng, FaultKind::Stall, 3);
        let text = rng.injected().to_string();
        assert_eq!(text.parse::<FaultList>().unwrap(), rng.injected());
        assert_eq!("none".parse::<FaultList>().unwrap().to_string(), "none");
        for bad in ["", "x", "crash:1:2", "crash:1:2:3:4", "crash:a:2:3", "nothing:1:2:3"] {
            assert_eq!(bad.parse::<FaultList>(), Err(InvalidFaultList), "{bad:?}");
        }
    }

    #[test]
    fn waits_stay_within_their_bounds() {
        let mut stream = RngStream(1);
        let (least, most) = (Duration::from_millis(3), Duration::from_secs(100));
        let waits: Vec<_> = (0..2000).map(|_| stream.wait(least, most)).collect();
        assert!(waits.iter().all(|wait| (least..=most).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(20)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_secs(20)));
    }
}
