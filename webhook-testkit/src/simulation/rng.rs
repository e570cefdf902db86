//! Everything that is left to chance, from one seed.
//!
//! What is drawn depends on whom it concerns and on the moment, not on what was drawn before: leaving out
//! one fault changes little else, and that is what makes shrinking work.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::fault::FaultKind;

/// A fault that has happened, by its kind, by whom it concerns, and by when: the time in microseconds, and
/// how often it was asked for in that moment.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct FaultId {
    pub(super) kind: FaultKind,
    pub(super) whom: u64,
    pub(super) at: u64,
    pub(super) number: u64,
}

/// Some of the faults of a run: all that may happen, when it is replayed.
///
/// As text: `crash:1:7200000000:3,lost-answer:0:86400000000:0`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FaultList(pub(super) BTreeSet<FaultId>);

impl FaultList {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for FaultList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, FaultId { kind, whom, at, number }) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "," })?;
            write!(f, "{kind}:{whom}:{at}:{number}")?;
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
            let (whom, at, number) = (number()?, number()?, number()?);
            parts.next().is_none().then_some(FaultId { kind, whom, at, number })
        };
        let all: Option<BTreeSet<_>> = text.split(',').map(one).collect();
        all.map(Self).ok_or(InvalidFaultList)
    }
}

/// The text is no list of faults.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct InvalidFaultList;

impl fmt::Display for InvalidFaultList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a list of faults; expected what a broken simulation has told, such as crash:1:7200000000:3, or none")
    }
}

impl std::error::Error for InvalidFaultList {}

/// The dice of one run.
#[derive(Debug)]
pub(super) struct Dice {
    seed: u64,
    /// What may happen; everything, when absent.
    allowed: Option<FaultList>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// How often each was asked for in this moment.
    now: Duration,
    asked: BTreeMap<(FaultKind, u64), u64>,
    happened: BTreeSet<FaultId>,
    /// The time of faults is over.
    healed: bool,
}

impl Dice {
    pub(super) fn new(seed: u64, allowed: Option<FaultList>) -> Self {
        Self { seed, allowed, state: Mutex::default() }
    }

    /// A source of numbers of its own for `whom`, the `index`-th of them, at this time.
    pub(super) fn stream(&self, whom: &str, index: u64, at: Duration) -> Stream {
        let hash = whom.bytes().fold(self.seed, |hash, byte| mix(hash ^ u64::from(byte)));
        Stream(mix(mix(hash ^ mix(index)) ^ micros(at)))
    }

    /// Whether a fault of this kind happens to `whom` now, once in `one_in` times it is asked for. Never,
    /// when that is 0.
    pub(super) fn strikes(&self, kind: FaultKind, whom: u64, one_in: u64, now: Duration) -> bool {
        let mut state = self.state();
        if state.healed || one_in == 0 {
            return false;
        }
        if state.now != now {
            (state.now, state.asked) = (now, BTreeMap::new());
        }
        let asked = state.asked.entry((kind, whom)).or_default();
        let id = FaultId { kind, whom, at: micros(now), number: *asked };
        *asked += 1;
        let drawn = mix(mix(mix(mix(self.seed ^ kind as u64) ^ whom) ^ id.at) ^ id.number);
        let allowed = self.allowed.as_ref().is_none_or(|allowed| allowed.0.contains(&id));
        if !allowed || !drawn.is_multiple_of(one_in) {
            return false;
        }
        state.happened.insert(id);
        true
    }

    /// No fault happens from now on.
    pub(super) fn heal(&self) {
        self.state().healed = true;
    }

    pub(super) fn is_healed(&self) -> bool {
        self.state().healed
    }

    /// What has happened so far.
    pub(super) fn happened(&self) -> FaultList {
        FaultList(self.state().happened.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A source of numbers.
#[derive(Clone, Debug)]
pub(super) struct Stream(u64);

impl Stream {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`; 0, when that is 0.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.next().checked_rem(end).unwrap_or_default()
    }

    /// A number from `first` to `last`.
    pub(super) fn between(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last.saturating_sub(first) + 1)
    }

    /// True once in `one_in` times.
    pub(super) fn once_in(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    /// One of these.
    pub(super) fn one_of<T: Clone>(&mut self, items: &[T]) -> Option<T> {
        let at = usize::try_from(self.below(items.len() as u64)).unwrap_or_default();
        items.get(at).cloned()
    }

    /// A wait between these, short ones as likely as long ones of each order of magnitude.
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

    fn throw(dice: &Dice, kind: FaultKind, whom: u64) {
        (0..100).for_each(|at| {
            dice.strikes(kind, whom, 10, Duration::from_secs(at / 3));
        });
    }

    #[test]
    fn leaving_out_a_fault_changes_no_other() {
        let dice = Dice::new(7, None);
        throw(&dice, FaultKind::Crash, 1);
        let all = dice.happened();
        assert!(all.len() > 3);
        let mut some = all.clone();
        some.0.pop_first();
        let again = Dice::new(7, Some(some.clone()));
        throw(&again, FaultKind::Crash, 1);
        assert_eq!(again.happened(), some);
    }

    #[test]
    fn a_list_of_faults_is_written_and_read_as_text() {
        let dice = Dice::new(7, None);
        throw(&dice, FaultKind::LostAnswer, 0);
        throw(&dice, FaultKind::Stall, 3);
        let text = dice.happened().to_string();
        assert_eq!(text.parse::<FaultList>().unwrap(), dice.happened());
        assert_eq!("none".parse::<FaultList>().unwrap().to_string(), "none");
        for bad in ["", "x", "crash:1:2", "crash:1:2:3:4", "crash:a:2:3", "nothing:1:2:3"] {
            assert_eq!(bad.parse::<FaultList>(), Err(InvalidFaultList), "{bad:?}");
        }
    }

    #[test]
    fn waits_stay_within_their_bounds() {
        let mut stream = Stream(1);
        let (least, most) = (Duration::from_millis(3), Duration::from_secs(100));
        let waits: Vec<_> = (0..2000).map(|_| stream.wait(least, most)).collect();
        assert!(waits.iter().all(|wait| (least..=most).contains(wait)));
        assert!(waits.iter().any(|wait| *wait < Duration::from_millis(20)));
        assert!(waits.iter().any(|wait| *wait > Duration::from_secs(20)));
    }
}
