//! What the ledgers, held side by side, say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::{
    ledger::{Line, word},
    point::Point,
};

/// Something that was done on purpose.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    pub(crate) cause: String,
    /// The event that it hit; none, when it may have hit any.
    pub(crate) event: Option<String>,
    /// The process that it hit, if it was one: what another has sent it does not explain.
    pub(crate) victim: Option<String>,
    pub(crate) from: u64,
    pub(crate) until: u64,
}

impl Fault {
    /// Whether it lies, at least in part, between these two times.
    const fn is_between(&self, begin: u64, end: u64) -> bool {
        self.from <= end && self.until >= begin
    }
}

/// How long a request may lie in the receiver's socket when its sender is dead, in milliseconds.
const UNDER_WAY: u64 = 5_000;

/// When an event came, and from whom.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Receipt {
    at: u64,
    sender: String,
}

/// All that was written down.
#[derive(Debug, Default)]
pub(crate) struct Evidence {
    tried: BTreeSet<String>,
    accepted: BTreeSet<String>,
    /// Each time that an event came to the receiver.
    receipts: BTreeMap<String, Vec<Receipt>>,
    /// What may make an event come again.
    faults: Vec<Fault>,
    hits: BTreeMap<Point, BTreeSet<String>>,
    hit_counts: BTreeMap<Point, usize>,
}

impl Evidence {
    /// Takes in a ledger, whosoever it is.
    pub(crate) fn read(&mut self, ledger: &[Line]) {
        for Line { at, word: what, subject } in ledger {
            match what.as_str() {
                word::TRYING => drop(self.tried.insert(subject.clone())),
                word::ACCEPTED => drop(self.accepted.insert(subject.clone())),
                word::RECEIVED => self.received(*at, subject),
                word::KILL => self.killed(*at, subject),
                word::HIT => self.hit(*at, subject),
                _ => {}
            }
        }
    }

    fn received(&mut self, at: u64, subject: &str) {
        let (event, sender) = subject.split_once(' ').unwrap_or((subject, ""));
        let receipt = Receipt { at, sender: sender.to_owned() };
        self.receipts.entry(event.to_owned()).or_default().push(receipt);
    }

    fn killed(&mut self, at: u64, victim: &str) {
        let (cause, victim) = ("kill -9".to_owned(), Some(victim.to_owned()));
        self.faults.push(Fault { cause, event: None, victim, from: at, until: at + UNDER_WAY });
    }

    fn hit(&mut self, at: u64, subject: &str) {
        let Some((point, event)) = subject.split_once(' ') else { return };
        let Ok(point) = point.parse::<Point>() else { return };
        *self.hit_counts.entry(point).or_default() += 1;
        self.hits.entry(point).or_default().insert(event.to_owned());
        if point.repeats() {
            let event = Some(event.to_owned());
            self.faults.push(Fault {
                cause: point.to_string(),
                event,
                victim: None,
                from: at,
                until: at,
            });
        }
    }

    pub(crate) fn faults(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.faults.extend(faults);
    }

    pub(crate) fn judge(mut self) -> Verdict {
        for times in self.receipts.values_mut() {
            times.sort_unstable();
        }
        // What was committed is owed, whether or not its publisher came to know.
        let mut owed = self.accepted.clone();
        owed.extend(self.hits.get(&Point::AfterEnqueueCommit).into_iter().flatten().cloned());
        let never = self.hits.get(&Point::BeforeEnqueueCommit).cloned().unwrap_or_default();
        let is_out_of_nothing =
            |event: &&String| !self.tried.contains(*event) || (&never - &owed).contains(*event);
        let (mut repeated, mut unexplained) = (BTreeMap::new(), Vec::new());
        for (event, first, second) in self.repetitions() {
            match self.cause(event, first, second) {
                Some(cause) => *repeated.entry(cause.to_owned()).or_default() += 1,
                None => unexplained.push(event.clone()),
            }
        }
        Verdict {
            accepted: owed.len(),
            delivered: owed.iter().filter(|event| self.receipts.contains_key(*event)).count(),
            lost: owed
                .iter()
                .filter(|event| !self.receipts.contains_key(*event))
                .cloned()
                .collect(),
            out_of_nothing: self.receipts.keys().filter(is_out_of_nothing).cloned().collect(),
            repeated,
            unexplained,
            hits: self.hit_counts,
            wanting: Vec::new(),
            late: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Each two receipts of an event that follow one another.
    fn repetitions(&self) -> impl Iterator<Item = (&String, &Receipt, &Receipt)> {
        self.receipts.iter().flat_map(|(event, times)| {
            times.iter().zip(times.iter().skip(1)).map(move |(a, b)| (event, a, b))
        })
    }

    /// What may have made an event come again; a fault that hit this very event before one that may
    /// have hit any.
    fn cause(&self, event: &str, first: &Receipt, second: &Receipt) -> Option<&str> {
        // What the dead have sent may come after what was sent in their place.
        let sent = |victim: &String| [&first.sender, &second.sender].contains(&victim);
        let between = |fault: &&Fault| {
            fault.is_between(first.at, second.at) && fault.victim.as_ref().is_none_or(sent)
        };
        let its_own = |fault: &&Fault| fault.event.as_deref() == Some(event);
        let anyones = |fault: &&Fault| fault.event.is_none();
        let mut faults = self.faults.iter().filter(between);
        let own = faults.clone().find(its_own).or_else(|| faults.find(anyones));
        own.map(|fault| fault.cause.as_str())
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    accepted: usize,
    delivered: usize,
    lost: Vec<String>,
    /// Received, and never published or surely not committed.
    out_of_nothing: Vec<String>,
    repeated: BTreeMap<String, usize>,
    unexplained: Vec<String>,
    hits: BTreeMap<Point, usize>,
    /// What did not come up to the scenario's own demands.
    wanting: Vec<String>,
    /// Limits of time that were missed.
    late: Vec<String>,
    /// What else is worth a word.
    remarks: Vec<String>,
}

impl Verdict {
    /// Asks for each point to have been reached so often.
    pub(crate) fn demand_hits(&mut self, rounds: usize) {
        for point in Point::ALL {
            let hits = self.hits.get(&point).copied().unwrap_or_default();
            self.demand(hits >= rounds, || format!("{point} was hit {hits} times of {rounds}"));
        }
    }

    pub(crate) fn demand(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.wanting.push(what());
        }
    }

    /// Demands something that a busy machine may miss: a limit of time, or a race that has to begin.
    /// A play without it is repeated. Losses and repetitions are never demanded by this.
    pub(crate) fn demand_in_time(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.late.push(what());
        }
    }

    pub(crate) fn remark(&mut self, text: impl Into<String>) {
        self.remarks.push(text.into());
    }

    pub(crate) const fn accepted(&self) -> usize {
        self.accepted
    }

    /// Limits of time that were missed.
    pub(crate) fn late(&self) -> Vec<String> {
        self.late.clone()
    }

    /// Everything that is wrong, however busy the machine.
    pub(crate) fn faults(&self) -> Vec<String> {
        let of = |what: &str, events: &[String]| {
            (!events.is_empty()).then(|| format!("{what}: {}", shortened(events)))
        };
        [
            of("lost", &self.lost),
            of("out of nothing", &self.out_of_nothing),
            of("came again without a reason", &self.unexplained),
        ]
        .into_iter()
        .flatten()
        .chain(self.wanting.iter().cloned())
        .collect()
    }
}

/// The first few.
fn shortened(events: &[String]) -> String {
    let some: Vec<_> = events.iter().take(5).map(String::as_str).collect();
    let more = if events.len() > some.len() { ", ..." } else { "" };
    format!("{} ({}{more})", events.len(), some.join(", "))
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { accepted, delivered, lost, .. } = self;
        write!(f, "accepted {accepted}, delivered {delivered}, lost {}", lost.len())?;
        let again: usize = self.repeated.values().sum::<usize>() + self.unexplained.len();
        let causes: Vec<_> =
            self.repeated.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
        write!(f, ", again {again}")?;
        if !causes.is_empty() {
            write!(f, " ({})", causes.join(", "))?;
        }
        if !self.hits.is_empty() {
            let hits: Vec<_> =
                self.hits.iter().map(|(point, count)| format!("{point} {count}")).collect();
            write!(f, "; hits: {}", hits.join(", "))?;
        }
        self.remarks.iter().try_for_each(|remark| write!(f, "; {remark}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(lines: &[(u64, &str, &str)]) -> Evidence {
        let line = |(at, word, subject): &(u64, &str, &str)| Line {
            at: *at,
            word: (*word).into(),
            subject: (*subject).into(),
        };
        let mut evidence = Evidence::default();
        evidence.read(&lines.iter().map(line).collect::<Vec<_>>());
        evidence
    }

    fn wrong(lines: &[(u64, &str, &str)]) -> Vec<String> {
        evidence(lines).judge().faults()
    }

    #[test]
    fn what_was_accepted_and_never_came_is_lost() {
        let lines = [(1, "trying", "a"), (2, "accepted", "a")];
        assert_eq!(wrong(&lines), ["lost: 1 (a)"]);
        assert_eq!(wrong(&[lines[0], lines[1], (3, "received", "a")]), [""; 0]);
    }

    #[test]
    fn what_was_committed_is_owed_although_nobody_was_told() {
        assert_eq!(wrong(&[(1, "trying", "a"), (2, "hit", "K2 a")]), ["lost: 1 (a)"]);
    }

    #[test]
    fn what_was_not_committed_must_not_come() {
        let lines = [(1, "trying", "a"), (2, "hit", "K1 a")];
        assert_eq!(wrong(&lines), [""; 0]);
        assert_eq!(wrong(&[lines[0], lines[1], (3, "received", "a")]), ["out of nothing: 1 (a)"]);
        assert_eq!(wrong(&[(3, "received", "b")]), ["out of nothing: 1 (b)"]);
    }

    #[test]
    fn what_comes_again_needs_a_fault_between_the_two_that_may_repeat() {
        let twice = [(1, "trying", "a"), (2, "received", "a"), (9, "received", "a")];
        let again = ["came again without a reason: 1 (a)"];
        assert_eq!(wrong(&twice), again);
        for (hit, expected) in [
            ((5, "hit", "K7 a"), &[][..]),
            ((5, "hit", "K9 a"), &again[..]),
            ((5, "hit", "K7 b"), &again[..]),
            ((1, "hit", "K7 a"), &again[..]),
        ] {
            let mut lines = twice.to_vec();
            lines.push(hit);
            assert_eq!(wrong(&lines), expected, "{hit:?}");
        }
    }

    #[test]
    fn a_fault_of_its_own_explains_before_one_of_anybodys() {
        let mut evidence = evidence(&[
            (1, "trying", "a"),
            (2, "received", "a"),
            (5, "hit", "K6 a"),
            (9, "received", "a"),
        ]);
        evidence.faults([Fault {
            cause: "kill".into(),
            event: None,
            victim: None,
            from: 3,
            until: 4,
        }]);
        let verdict = evidence.judge();
        assert_eq!(
            verdict.to_string(),
            "accepted 0, delivered 0, lost 0, again 1 (K6 1); hits: K6 1"
        );
    }

    #[test]
    fn a_death_explains_what_the_dead_have_sent_and_nothing_else() {
        let lines = [(1, "trying", "a"), (2, "received", "a 17"), (8_000, "received", "a 18")];
        let with = |death| wrong(&[&lines[..], &[death]].concat());
        assert_eq!(with((3, "kill", "17")), [""; 0]);
        assert_eq!(with((3, "kill", "18")), [""; 0]);
        let again = ["came again without a reason: 1 (a)"];
        assert_eq!(with((3, "kill", "19")), again);
        assert_eq!(with((9_000, "kill", "17")), again);
    }

    #[test]
    fn a_point_that_was_hit_too_seldom_is_wanting() {
        let mut verdict = evidence(&[(1, "hit", "K1 a")]).judge();
        verdict.demand_hits(1);
        assert_eq!(verdict.faults().len(), 8);
        assert_eq!(verdict.faults()[0], "K2 was hit 0 times of 1");
    }
}
