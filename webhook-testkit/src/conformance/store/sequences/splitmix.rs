//! Random numbers that can be repeated.

use std::cell::Cell;

/// The random number generator SplitMix64 (Steele, Lea and Flood, 2014). Not for secrets.
pub(super) struct SplitMix64(Cell<u64>);

impl SplitMix64 {
    pub(super) const fn new(seed: u64) -> Self {
        Self(Cell::new(seed))
    }

    pub(super) fn next(&self) -> u64 {
        let state = self.0.get().wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0.set(state);
        let mixed = (state ^ state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// Returns a number below `end`, or 0 if `end` is 0.
    pub(super) fn below(&self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.next() % end).unwrap_or_default()
    }

    /// Returns true in this percentage of calls.
    pub(super) fn percent(&self, chance: usize) -> bool {
        self.below(100) < chance
    }

    /// Returns one of these items, or None if there is none.
    pub(super) fn pick<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        from.get(self.below(from.len()))
    }

    /// Returns one of these items.
    pub(super) fn one_of<T: Copy, const N: usize>(&self, from: [T; N]) -> T {
        from[self.below(N)]
    }

    /// Returns one of these items, mostly one of the last six.
    pub(super) fn recent<'a, T>(&self, from: &'a [T]) -> Option<&'a T> {
        let last = from.len().saturating_sub(6);
        if self.percent(70) { self.pick(&from[last..]) } else { self.pick(from) }
    }

    /// Returns some of these items in their order.
    pub(super) fn some_of<T: Copy>(&self, from: &[T]) -> Vec<T> {
        from.iter().copied().filter(|_| self.percent(60)).collect()
    }
}
