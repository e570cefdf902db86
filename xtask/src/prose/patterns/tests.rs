use super::*;

/// Numbers of the rules that a sentence breaks; a warning has a question mark.
fn broken(patterns: &Patterns, kind: PassageKind, sentence: &str) -> String {
    let found = patterns.find(kind, true, sentence);
    let number = |found: Match<'_>| {
        let mark = if found.pattern.level == Warn { "?" } else { "" };
        format!("{}{mark}", found.pattern.number)
    };
    found.into_iter().map(number).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_rule_finds_its_wording() {
    let patterns = Patterns::new().unwrap();
    for (sentence, expected) in [
        ("Stores what is due.", "1"),
        ("What happens if the database restarts.", "2"),
        ("Whether it is due.", "3"),
        ("It is due.", "4?"),
        ("All deliveries of an endpoint.", ""),
        ("When it was due.", "5?"),
        ("Waits where nothing is due.", "5"),
        ("Waits where it is due.", "5?"),
        ("Waits until somebody reads it.", "6"),
        ("Returns whatever was read.", "7"),
        ("The worker loses his lease.", "8"),
        ("Answers with a number.", "9"),
        ("Waits for an answer.", "9?"),
        ("The caller is told.", "10"),
        ("A number tells two rows apart, and tells the rest.", "10?"),
        ("RFC 9112 says this, and the row says that.", "11?"),
        ("Gives it back.", "12?"),
        ("Hands it over.", "13"),
        ("Writes it down.", "14"),
        ("Stops at once, or all at once.", "15"),
        ("A row stands for all, and a row stands in line.", "16?"),
        ("A slot comes free.", "17"),
        ("Waits so long, or so long that it fails, or so far.", "18"),
        ("Lets it all go.", "19 19?"),
        ("The lease is over.", "20"),
        ("Waits no more, and no more than a second.", "20"),
        ("There is no row, and this is no longer a row, and that is no row.", "20"),
        ("`None`, or nothing if absent.", "21"),
        ("Except for the row beside it, as far as possible.", "22"),
        ("Ends as soon as possible, or soon.", "23?"),
        ("This is not a valid name.", "24"),
        ("The name has to be read; the event cannot be cancelled.", "24?"),
        ("The endpoint rests.", "25"),
        ("Looks at the well-known rest as well.", "25?"),
    ] {
        assert_eq!(broken(&patterns, PassageKind::Doc, sentence), expected, "{sentence}");
    }
}

#[test]
fn each_rule_has_a_scope() {
    let patterns = Patterns::new().unwrap();
    for (kind, sentence, expected) in [
        (PassageKind::Comment, "Whether it is due.", ""),
        (PassageKind::Document, "What is a lease?", ""),
        (PassageKind::Comment, "What is a lease?", "1"),
        (PassageKind::Document, "Reads what is due.", "1"),
        (PassageKind::TestName, "nobody is told", "6 10"),
    ] {
        assert_eq!(broken(&patterns, kind, sentence), expected, "{sentence}");
    }
}

#[test]
fn a_match_has_its_place() {
    let patterns = Patterns::new().unwrap();
    let found = patterns.find(PassageKind::Comment, false, "Stops at once.");
    assert_eq!((found[0].offset, found[0].text.as_str()), (6, "at once"));
}
