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
    find: Regex,
    /// Text around a match that makes it right.
    except: Option<Regex>,
    pub(super) plain: &'static str,
}

const PATTERNS: &str = include_str!("patterns.tsv");

impl Pattern {
    /// Reads a row of the table.
    fn read(row: &'static str) -> Result<Self, String> {
        let cells: Vec<_> = row.split('\t').collect();
        let [number, level, scope, find, plain, rest @ ..] = &cells[..] else {
            return Err("five cells are needed".to_owned());
        };
        let scope = match *scope {
            "Sentence" => Sentence,
            "Opening" => Opening,
            "Statement" => Statement,
            _ => return Err(format!("`{scope}` is not a scope")),
        };
        // Expressions ignore case, except for those of an opening.
        let flags = if scope == Opening { "(?-u)" } else { "(?i-u)" };
        let regex =
            |text: &str| Regex::new(&format!("{flags}{text}")).map_err(|error| error.to_string());
        Ok(Self {
            number: number.parse().map_err(|_| format!("`{number}` is not a number"))?,
            level: match *level {
                "Fail" => Fail,
                "Warn" => Warn,
                _ => return Err(format!("`{level}` is not a level")),
            },
            scope,
            find: regex(find)?,
            except: rest.first().map(|except| regex(except)).transpose()?,
            plain,
        })
    }

    fn matches(&self, sentence: &str) -> Vec<Match<'_>> {
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
                pattern: self,
                offset: found.start(),
                text: found.as_str().to_owned(),
            })
            .collect()
    }
}

/// Wording found in a sentence.
pub(super) struct Match<'a> {
    pub(super) pattern: &'a Pattern,
    /// Offset in the sentence.
    pub(super) offset: usize,
    pub(super) text: String,
}

/// All patterns, compiled.
pub(super) struct Patterns {
    /// Finds the patterns that match at all, in one pass.
    any: RegexSet,
    all: Vec<Pattern>,
}

impl Patterns {
    pub(super) fn new() -> Result<Self, String> {
        let rows = PATTERNS.lines().filter(|row| !row.starts_with('#'));
        let pattern = |row| Pattern::read(row).map_err(|error| format!("{error}: `{row}`"));
        let all: Vec<_> = rows.map(pattern).collect::<Result<_, _>>()?;
        let any = RegexSet::new(all.iter().map(|pattern| pattern.find.as_str()));
        Ok(Self { any: any.map_err(|error| error.to_string())?, all })
    }

    /// Matches in one sentence of a passage.
    pub(super) fn find(&self, kind: PassageKind, is_first: bool, sentence: &str) -> Vec<Match<'_>> {
        let is_opening = kind == PassageKind::Doc && is_first;
        let may_ask =
            matches!(kind, PassageKind::Heading | PassageKind::Cell | PassageKind::Document);
        let is_question = may_ask && sentence.ends_with('?');
        let applies = |pattern: &&Pattern| match pattern.scope {
            Sentence => true,
            Opening => is_opening,
            Statement => !is_question,
        };
        let candidates = self.any.matches(sentence);
        let candidates = candidates.iter().filter_map(|index| self.all.get(index));
        candidates.filter(applies).flat_map(|pattern| pattern.matches(sentence)).collect()
    }
}

#[cfg(test)]
mod tests;
