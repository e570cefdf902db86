//! All rows, one after the other.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    process::ExitCode,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use futures_util::FutureExt as _;

use crate::{
    abuse, answers,
    case::{Case, Seen, together},
    crowd,
    fixture::guarded,
    headers,
    ids::{Id, SECTIONS},
    names, redirects, secrets, signatures, table, tls, urls,
};

/// How many receivers on real sockets were asked so far.
pub(crate) static RECEIVERS: AtomicUsize = AtomicUsize::new(0);

/// How many exchanges were held against bounds on time, bytes and memory so far.
pub(crate) static BOUNDED: AtomicUsize = AtomicUsize::new(0);

/// Writes what was seen into the table.
const WRITE: &str = "--write";

pub(crate) async fn run(args: &[String]) -> ExitCode {
    let (flags, asked): (Vec<&String>, Vec<&String>) =
        args.iter().partition(|arg| arg.starts_with('-'));
    if let Some(unknown) = flags.iter().find(|flag| **flag != WRITE) {
        eprintln!(
            "security: `{unknown}` is unknown; it takes {WRITE}, and sections or ids such as A or B12"
        );
        return ExitCode::from(2);
    }
    let wanted = |id: Id| {
        asked.is_empty()
            || asked
                .iter()
                .any(|asked| **asked == id.to_string() || **asked == id.section.to_string())
    };
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../").to_owned() + table::PATH;
    let text = std::fs::read_to_string(&path).expect("the table is there");
    let cases = match table::read(&text, wanted) {
        Ok(cases) => cases,
        Err(wrong) => {
            println!("{wrong}");
            return ExitCode::FAILURE;
        }
    };
    let mut seen = BTreeMap::new();
    for case in cases.values().filter(|case| wanted(case.id)) {
        seen.insert(case.id, play(case).await);
    }
    if flags.iter().any(|flag| *flag == WRITE) {
        std::fs::write(&path, table::write(&text, &seen)).expect("the table can be written");
    }
    report(&cases, &seen)
}

async fn play(case: &Case) -> Seen {
    let mut seen = Vec::new();
    for input in &case.inputs {
        // A panic fails its own row alone.
        let played = AssertUnwindSafe(one(case.id, input)).catch_unwind().await;
        seen.push(played.unwrap_or_else(|_| "it panicked".to_owned().into()));
    }
    together(seen)
}

async fn one(id: Id, input: &str) -> Seen {
    match id.section {
        'A' => urls::play(id, input).await,
        'B' => names::play(id, input).await,
        'C' => redirects::play(id, input).await,
        'D' => headers::play(id, input).await.into(),
        'E' => answers::play(id, input).await.into(),
        'F' => guarded(input).await.into(),
        'G' => tls::play(id, input).await.into(),
        'H' => secrets::play(id, input).await,
        'J' if id.number == 2 => crowd::play().await.into(),
        'I' => signatures::play(id, input).into(),
        _ => abuse::play(id, input).await.into(),
    }
}

fn report(cases: &BTreeMap<Id, Case>, seen: &BTreeMap<Id, Seen>) -> ExitCode {
    let complaint = |(id, seen): (&Id, &Seen)| {
        Some(format!("{id}: {}", seen.complaint(&cases.get(id)?.expected)?))
    };
    let wrong: Vec<String> = seen.iter().filter_map(complaint).collect();
    for line in &wrong {
        println!("{line}");
    }
    let count = |section: char| seen.keys().filter(|id| id.section == section).count();
    let each: Vec<String> =
        SECTIONS.iter().map(|(section, _)| format!("{section} {}", count(*section))).collect();
    let (held, all) = (seen.len() - wrong.len(), seen.len());
    println!(
        "security: {held} of {all} cases hold ({}), {} scripted receivers, {} of them bounded in time, \
         bytes and memory",
        each.join(", "),
        RECEIVERS.load(Relaxed),
        BOUNDED.load(Relaxed)
    );
    if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
