//! Table of wording that plain text avoids.

use regex::{Regex, RegexSet};

use super::passages::PassageKind;

/// Consequence of a match in a listed file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Level {
    Fail,
    /// A person decides.
    Warn,
}
use Level::{Fail, Warn};

/// Texts in which a pattern is looked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Scope {
    /// Each sentence; `^` is its beginning.
    Sentence,
    /// First sentence of a paragraph of documentation.
    Opening,
    /// Each sentence but questions of headings, tables and documents.
    Statement,
}
use Scope::{Opening, Sentence, Statement};

/// Wording, and a plainer one.
pub(super) struct Pattern {
    /// Number of the rule, for counts and messages.
    pub(super) number: u8,
    pub(super) level: Level,
    scope: Scope,
    find: &'static str,
    /// Text around a match that makes it right; empty for none.
    except: &'static str,
    pub(super) plain: &'static str,
}

const fn pattern(
    number: u8,
    level: Level,
    scope: Scope,
    find: &'static str,
    plain: &'static str,
) -> Pattern {
    Pattern { number, level, scope, find, except: "", plain }
}

impl Pattern {
    const fn except(self, except: &'static str) -> Self {
        Self { except, ..self }
    }
}

/// Expressions ignore case, except for those of an opening.
pub(super) const PATTERNS: &[Pattern] = &[
    pattern(
        1,
        Fail,
        Statement,
        r"\bwhat (is|was|are|were|has|had|have|it|they|goes|comes|came|follows|becomes|may|must|can(not)?|needs?|the|an?)\b",
        "the noun: `the stored rows`, `the result`",
    ),
    pattern(
        2,
        Fail,
        Opening,
        r"^(What|Who|Whose|Which|Why)\b",
        "a noun phrase: `Reason for ..`, `Owner of ..`",
    ),
    pattern(
        3,
        Fail,
        Opening,
        r"^(Whether|How)\b",
        "`Returns true if ..`, `Number of ..`, `Time until ..`",
    ),
    pattern(
        4,
        Warn,
        Opening,
        r"^(It|Its|One|Those|They|Of|By|As|Not|Nothing|All|The same)\b",
        "the noun itself; `Like ..` for `The same ..`",
    )
    .except(r"^All [a-z]+s\b"),
    pattern(5, Warn, Opening, r"^(Where|When)\b", "`If ..`; `Time of ..`"),
    pattern(5, Fail, Sentence, r"\bwhere (no|nobody|nothing)\b", "`if no ..`, `for .. without`"),
    pattern(
        5,
        Warn,
        Sentence,
        r"\bwhere (it|they|there|that|none|one|this|its|all)\b",
        "`if ..`, unless it is a place",
    ),
    pattern(
        6,
        Fail,
        Sentence,
        r"\b(some|no|any|every)body\b",
        "the caller, another worker, an operator, the receiver",
    ),
    pattern(7, Fail, Sentence, r"\b(who(m|se)?ever|whatever)\b", "`the caller that ..`, `any ..`"),
    pattern(8, Fail, Sentence, r"\b(he|his|him)\b", "`it`, or the noun"),
    pattern(9, Fail, Sentence, r"^answer(s|ed|ing)?\b", "`Returns ..`; a server responds"),
    pattern(9, Warn, Sentence, r"\banswer(s|ed|ing)?\b", "returns, result; a server responds")
        .except(r"^answer(s|ed|ing)?\b"),
    pattern(10, Fail, Sentence, r"\b(is|are|was|be) told\b", "is notified, receives, is logged"),
    pattern(10, Warn, Sentence, r"\b(told|tells?)\b", "reports, returns, is logged")
        .except(r"\btells? (\w+ ){0,3}apart\b|\b(is|are|was|be) told\b"),
    pattern(11, Warn, Sentence, r"\b(says?|said)\b", "states, returns, indicates, is configured")
        .except(r"\b(RFC \d+|policy) says\b"),
    pattern(
        12,
        Warn,
        Sentence,
        r"\bg[ia]v(e|en|es|ing) (\w+ )?(up|back)\b|\bcall(s|ed)? (\w+ )?off\b",
        "release, return, roll back, time out, cancel",
    ),
    pattern(
        13,
        Fail,
        Sentence,
        r"\bhand(s|ed|ing)? (\w+ )?(over|out|back)\b",
        "return, pass, queue, move, lease",
    ),
    pattern(
        14,
        Fail,
        Sentence,
        r"\b(writ(es?|ten|ing)|wrote) (\w+ )?down\b|\bon record\b",
        "records, stores, is committed",
    ),
    pattern(15, Fail, Sentence, r"\bat once\b", "immediately; at the same time; in one call")
        .except(r"\ball at once\b"),
    pattern(16, Warn, Sentence, r"\bst(ands?|ood|anding)\b", "is, is stored, waits, precedes")
        .except(r"\bstands? for\b"),
    pattern(
        17,
        Fail,
        Sentence,
        r"\b(comes?|came|coming) (to|of|about|free|along)\b|\bbec(omes?|ame) of\b",
        "results in, amounts to, is created, is released",
    ),
    pattern(
        18,
        Fail,
        Sentence,
        r"\bso (many|much|long|few|far)\b",
        "the quantity: `limit` rows, up to n, until now",
    )
    .except(r"\bso (many|much|long|few|far)( \w+)? (that|as)\b|\bso far\b"),
    pattern(19, Fail, Sentence, r"\blet(s|ting)? (\w+ ){0,3}go\b", "releases, frees"),
    pattern(19, Warn, Sentence, r"(^|[.:;] )Lets? ", "allows, permits, wakes, unblocks"),
    pattern(20, Fail, Sentence, r"\b(is|are|was|were) over\b", "has ended, expired"),
    pattern(20, Fail, Sentence, r"\bno more\b", "no longer").except(r"\bno more than\b"),
    pattern(20, Fail, Sentence, r"\b(is|are) no [a-z]+", "`is not a ..`")
        .except(r"\bthere (is|are) no [a-z]+|\b(is|are) no (longer|more|later|earlier|less)\b"),
    pattern(
        21,
        Fail,
        Sentence,
        r"\b(none|nothing|nobody|absent|no time|never),? (when|where|if|as|unless|while)\b",
        "`None` if ..; returns zero until ..",
    ),
    pattern(
        22,
        Fail,
        Sentence,
        r"\b(anew|besides?|of late|meanwhile|reckon\w*|but for|as far as|all the same|for want of|in vain|for (good|ever))\b",
        "again; next to; recently; since then; except; if; still; for lack of; permanently",
    )
    .except(r"\bas far as possible\b"),
    pattern(
        23,
        Warn,
        Sentence,
        r"\bby (it|them)sel(f|ves)\b|\b(in |its |their )turn\b|\b(soon|a moment)\b",
        "automatically, alone; in order; within 100 ms",
    )
    .except(r"\bas soon as\b|\bsooner\b"),
    pattern(24, Fail, Sentence, r"\bnot a valid\b", "`invalid X: expected Y`"),
    pattern(24, Warn, Sentence, r"\bcannot be [a-z]+ed\b|\bhas to be\b", "`failed to ..`; `must be`")
        .except(r"\bcannot be cancelled\b"),
    pattern(
        25,
        Fail,
        Sentence,
        r"\bunwell\b|\b(is|are|was|were|be|not|gets?|stays?) well\b|\brest(s|ed|ing)\b",
        "healthy, failing, cooling down, idle",
    ),
    pattern(
        25,
        Warn,
        Sentence,
        r"\b(left|leaves?) alone\b|\blooks? (at|for)\b|\ba look\b",
        "skipped, unchanged; reads, checks, polls",
    ),
];

/// Wording found in a sentence.
pub(super) struct Match {
    pub(super) pattern: &'static Pattern,
    /// Offset in the sentence.
    pub(super) offset: usize,
    pub(super) text: String,
}

/// All patterns, compiled.
pub(super) struct Patterns {
    /// Finds the patterns that match at all, in one pass.
    any: RegexSet,
    all: Vec<Compiled>,
}

struct Compiled {
    pattern: &'static Pattern,
    find: Regex,
    except: Option<Regex>,
}

impl Patterns {
    pub(super) fn new() -> Result<Self, regex::Error> {
        let compile = |pattern: &'static Pattern| {
            let except = match pattern.except {
                "" => None,
                except => Some(Regex::new(&expression(pattern, except))?),
            };
            Ok(Compiled { pattern, find: Regex::new(&expression(pattern, pattern.find))?, except })
        };
        let any = PATTERNS.iter().map(|pattern| expression(pattern, pattern.find));
        Ok(Self {
            any: RegexSet::new(any)?,
            all: PATTERNS.iter().map(compile).collect::<Result<_, regex::Error>>()?,
        })
    }

    /// Matches in one sentence of a passage.
    pub(super) fn find(&self, kind: PassageKind, is_first: bool, sentence: &str) -> Vec<Match> {
        let is_opening = kind == PassageKind::Doc && is_first;
        let may_ask =
            matches!(kind, PassageKind::Heading | PassageKind::Cell | PassageKind::Document);
        let is_question = may_ask && sentence.ends_with('?');
        let applies = |compiled: &&Compiled| match compiled.pattern.scope {
            Sentence => true,
            Opening => is_opening,
            Statement => !is_question,
        };
        let candidates = self.any.matches(sentence);
        let candidates = candidates.iter().filter_map(|index| self.all.get(index));
        candidates.filter(applies).flat_map(|compiled| compiled.matches(sentence)).collect()
    }
}

impl Compiled {
    fn matches(&self, sentence: &str) -> Vec<Match> {
        let excepted: Vec<_> = self
            .except
            .iter()
            .flat_map(|except| except.find_iter(sentence))
            .map(|found| found.range())
            .collect();
        self.find
            .find_iter(sentence)
            .filter(|found| {
                let is_inside = |range: &std::ops::Range<usize>| {
                    range.start <= found.start() && found.end() <= range.end
                };
                !excepted.iter().any(is_inside)
            })
            .map(|found| Match {
                pattern: self.pattern,
                offset: found.start(),
                text: found.as_str().to_owned(),
            })
            .collect()
    }
}

/// Regular expression of ASCII words, for a pattern or its exception.
fn expression(pattern: &Pattern, text: &str) -> String {
    let flags = if pattern.scope == Opening { "(?-u)" } else { "(?i-u)" };
    format!("{flags}{text}")
}

#[cfg(test)]
mod tests;
