//! Rooms of a crate: folders of files that import each other in one direction.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Broken,
    imports::{Graph, graph},
    rules::Rooms,
};
use crate::sources::Sources;

pub(super) fn check(rule: &Rooms, sources: &Sources) -> Vec<Broken> {
    let graph = graph(sources);
    let mut broken = Vec::new();
    for (file, imports) in &graph {
        let Some((room, below)) = rule.rooms.iter().find(|(room, _)| *room == room_of(file)) else {
            continue;
        };
        let is_allowed = |other_room: &str| other_room == *room || below.contains(&other_room);
        let forbidden = imports.iter().filter(|imported| !is_allowed(room_of(imported)));
        broken.extend(forbidden.map(|imported| {
            let why = "a room imports itself and the rooms below it";
            Broken::new(format!("{file} imports {imported}"), rule.src, why)
        }));
    }
    let circles = circles(&graph).into_iter().filter(|files| files.len() > rule.largest_circle);
    broken.extend(circles.map(|circle| {
        let files: Vec<_> = circle.into_iter().collect();
        let what = format!("a circle of {} files: {}", files.len(), files.join(", "));
        let why = "files that import each other are understood only together";
        Broken::new(what, rule.src, why)
    }));
    broken
}

/// Folder of a file, or the file's own name at the top.
fn room_of(file: &str) -> &str {
    file.split('/').next().unwrap_or(file).trim_end_matches(".rs")
}

/// Sets of files each of which imports all others of its set, directly or through others.
fn circles<'a>(graph: &Graph<'a>) -> BTreeSet<BTreeSet<&'a str>> {
    let reached: BTreeMap<_, _> = graph.keys().map(|file| (*file, reached(graph, file))).collect();
    let imports =
        |file: &str, other: &str| reached.get(file).is_some_and(|all| all.contains(other));
    let circle = |(file, all): (&&str, &BTreeSet<&'a str>)| {
        all.iter().copied().filter(|other| imports(other, file)).collect()
    };
    reached.iter().map(circle).collect()
}

/// Files that `file` imports, directly or through others.
fn reached<'a>(graph: &Graph<'a>, file: &str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&str> = graph.get(file).into_iter().flatten().copied().collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(graph.get(file).into_iter().flatten());
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE_ROOMS: Rooms =
        Rooms { src: "shop/src", rooms: &[("db", &[]), ("work", &["db"])], largest_circle: 2 };

    fn broken(files: &[(&str, &str)]) -> Vec<String> {
        let sources = files.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
        check(&SAMPLE_ROOMS, &sources.collect()).into_iter().map(|broken| broken.what).collect()
    }

    #[test]
    fn rooms_import_downwards() {
        let files = [
            ("lib.rs", "mod db; mod store; mod work; pub use store::Store;"),
            ("store.rs", "use crate::{db::Row, work::read};"),
            ("work.rs", "use crate::db::row::Row;"),
            ("db.rs", "mod row; pub use row::Row;"),
            ("db/row.rs", "use super::Db;"),
        ];
        assert_eq!(broken(&files), [""; 0]);
    }

    #[test]
    fn imports_upwards_are_named() {
        let files = [
            ("lib.rs", ""),
            ("store.rs", ""),
            ("work.rs", "mod read;"),
            ("db/row.rs", "use crate::{work::read, Store};"),
            ("work/read.rs", "use crate::store::Store;"),
        ];
        let expected = [
            "db/row.rs imports lib.rs",
            "db/row.rs imports work/read.rs",
            "work/read.rs imports store.rs",
        ];
        assert_eq!(broken(&files), expected);
    }

    #[test]
    fn every_circle_of_too_many_files_is_named() {
        let files = [
            ("lib.rs", "use a::A;"),
            ("a.rs", "use crate::b::B;"),
            ("b.rs", "use crate::c::C;"),
            ("c.rs", "use crate::a::A;"),
            ("d.rs", "use crate::{a::A, e::E};"),
            ("e.rs", "use crate::d::D;"),
            ("f.rs", "mod g; use g::G;"),
            ("f/g.rs", "mod h; use h::H;"),
            ("f/g/h.rs", "use crate::f::F;"),
        ];
        let expected = [
            "a circle of 3 files: a.rs, b.rs, c.rs",
            "a circle of 3 files: f.rs, f/g.rs, f/g/h.rs",
        ];
        assert_eq!(broken(&files), expected);
    }
}
