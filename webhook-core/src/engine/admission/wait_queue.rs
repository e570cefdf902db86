//! Publishers that wait for a slot where slots come free all the time.
//!
//! A delivery that is stored leased and sent from memory costs its database half of what one does that
//! is stored pending and claimed. So it is worth a moment to wait for a slot, if it is only a moment:
//! nobody waits for long, and nobody at all for an endpoint that has been seen to take its time.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use tokio::sync::oneshot;

use crate::model::id::EndpointId;

/// The longest that a publisher waits.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);

/// How soon its turn has to come, by the pace of late, for a publisher to stand in a line.
const SOON: Duration = Duration::from_millis(100);

/// What is of late: this long, and as long before.
const WINDOW: Duration = Duration::from_millis(250);

/// What a publisher waits for a slot of.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Line {
    /// This endpoint has all the attempts in flight that it may have.
    Endpoint(EndpointId),
    /// All that publishers may take is taken.
    All,
}

/// A publisher's turn: told once, or dropped when there is nothing to wait for any more.
pub(crate) type Turn = oneshot::Receiver<()>;

/// The lines, each first come, first served. All times are on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Waiting(BTreeMap<Line, Queue>);

#[derive(Debug)]
struct Queue {
    publishers: VecDeque<oneshot::Sender<()>>,
    pace: Pace,
}

/// How many slots came free of late.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// When it began to be watched.
    from: Duration,
    /// When the present window began.
    since: Duration,
    /// Slots that came free in it, and in the one before.
    moves: u32,
    before: u32,
}

impl Waiting {
    /// Whether somebody waits there.
    pub(crate) fn has(&self, line: Line) -> bool {
        self.0.get(&line).is_some_and(|queue| !queue.publishers.is_empty())
    }

    /// Stands in a line: at its end, or at its front after a turn that somebody else was faster to use.
    /// Nothing, when it is going to take too long.
    pub(crate) fn join(&mut self, line: Line, again: bool, now: Duration) -> Option<Turn> {
        let began = || Queue { publishers: VecDeque::new(), pace: Pace::new(now) };
        let queue = self.0.entry(line).or_insert_with(began);
        if !again && queue.pace.time_for(queue.publishers.len() + 1, now) > SOON {
            return None;
        }
        let (told, turn) = oneshot::channel();
        if again {
            queue.publishers.push_front(told);
        } else {
            queue.publishers.push_back(told);
        }
        Some(turn)
    }

    /// A slot has come free: it is the turn of the first one who still waits. Where all are free by now,
    /// its pace is forgotten.
    pub(crate) fn freed(&mut self, line: Line, all_free: bool, now: Duration) {
        let Some(queue) = self.0.get_mut(&line) else { return };
        queue.pace.note(now);
        while let Some(first) = queue.publishers.pop_front() {
            if first.send(()).is_ok() {
                return;
            }
        }
        if all_free {
            self.0.remove(&line);
        }
    }

    /// There is nothing to wait for any more.
    pub(crate) fn end(&mut self) {
        self.0.clear();
    }
}

impl Pace {
    const fn new(now: Duration) -> Self {
        Self { from: now, since: now, moves: 0, before: 0 }
    }

    fn note(&mut self, now: Duration) {
        self.turn(now);
        self.moves = self.moves.saturating_add(1);
    }

    /// How long it takes until so many have come free; no time, as long as it is not known.
    fn time_for(&mut self, slots: usize, now: Duration) -> Duration {
        self.turn(now);
        if now.saturating_sub(self.from) < WINDOW {
            return Duration::ZERO;
        }
        match (self.moves.saturating_add(self.before), u32::try_from(slots)) {
            (0, _) | (_, Err(_)) => Duration::MAX,
            (moves, Ok(slots)) => {
                let window = now.saturating_sub(self.since).saturating_add(WINDOW);
                window.saturating_mul(slots) / moves
            }
        }
    }

    /// Begins the next window when this one is over.
    fn turn(&mut self, now: Duration) {
        let elapsed = now.saturating_sub(self.since);
        if elapsed >= WINDOW {
            self.before = if elapsed < WINDOW * 2 { self.moves } else { 0 };
            self.since = if elapsed < WINDOW * 2 { self.since + WINDOW } else { now };
            self.moves = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: Line = Line::All;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn is_told(turn: &mut Turn) -> bool {
        turn.try_recv().is_ok()
    }

    #[test]
    fn first_come_first_served_but_who_was_overtaken_comes_first() {
        let mut waiting = Waiting::default();
        let mut join = |again| waiting.join(LINE, again, millis(1)).unwrap();
        let (mut first, mut second, mut overtaken) = (join(false), join(false), join(true));
        for told in [&mut overtaken, &mut first, &mut second] {
            assert!(!is_told(told));
            waiting.freed(LINE, false, millis(2));
            assert!(is_told(told));
        }
        assert!(!waiting.has(LINE));
    }

    #[test]
    fn who_waits_no_longer_takes_nobodys_turn() {
        let mut waiting = Waiting::default();
        drop(waiting.join(LINE, false, millis(1)));
        let mut second = waiting.join(LINE, false, millis(1)).unwrap();
        waiting.freed(LINE, false, millis(2));
        assert!(is_told(&mut second));
    }

    #[test]
    fn nobody_waits_where_slots_come_free_seldom_or_not_at_all() {
        // Milliseconds from one free slot to the next, and since the last one; is it worth waiting?
        let table = [(5, 0, true), (80, 0, true), (200, 0, false), (5, 240, true), (5, 510, false)];
        for (gap, since, expected) in table {
            let mut waiting = Waiting::default();
            drop(waiting.join(LINE, false, millis(0)));
            (1..=100).for_each(|at| waiting.freed(LINE, false, millis(at * gap)));
            let joined = waiting.join(LINE, false, millis(100 * gap + since));
            assert_eq!(joined.is_some(), expected, "{gap} {since}");
        }
    }

    #[test]
    fn a_line_is_as_long_as_it_moves_soon() {
        let mut waiting = Waiting::default();
        drop(waiting.join(LINE, false, millis(0)));
        (1..=100).for_each(|at| waiting.freed(LINE, false, millis(at * 10)));
        let joined: Vec<_> =
            (0..20).map_while(|_| waiting.join(LINE, false, millis(1000))).collect();
        assert!(
            (9..=10).contains(&joined.len()),
            "one each 10 ms, within 100 ms: {}",
            joined.len()
        );
    }

    #[test]
    fn the_pace_is_forgotten_when_all_are_free_and_all_are_let_go_at_the_end() {
        let mut waiting = Waiting::default();
        drop(waiting.join(LINE, false, millis(0)));
        (1..=100).for_each(|at| waiting.freed(LINE, false, millis(at * 200)));
        assert!(waiting.join(LINE, false, millis(20_000)).is_none());
        waiting.freed(LINE, true, millis(20_100));
        let mut turn = waiting.join(LINE, false, millis(20_200)).unwrap();
        waiting.end();
        assert_eq!(turn.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
