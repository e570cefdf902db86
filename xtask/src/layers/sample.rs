//! Valid workspace, in which tests break one rule at a time.

use super::metadata::{Dependency, Kind, Package};

/// Six crates and the command, with the minimum that the rules need.
pub(super) fn workspace() -> Vec<Package> {
    let tokio = Dependency { features: vec!["sync".into()], ..needs("tokio") };
    vec![
        package("webhook-core", &[needs("bytes"), tokio, in_tests("proptest")]),
        package("webhook-http", &[needs("webhook-core"), optional("hyper")]),
        package("webhook-store-seaorm", &[needs("webhook-core"), needs("sea-orm")]),
        package(
            "webhook-registry",
            &[needs("webhook-core"), optional("webhook-http"), optional("webhook-store-seaorm")],
        ),
        package("webhook-cli", &[needs("webhook-registry"), needs("clap")]),
        package("webhook-testkit", &[needs("webhook-core")]),
        package("xtask", &[needs("serde_json")]),
    ]
}

/// Returns the crate of that name, for a change.
pub(super) fn the<'a>(packages: &'a mut [Package], name: &str) -> &'a mut Package {
    packages.iter_mut().find(|package| package.name == name).unwrap()
}

pub(super) fn needs(name: &str) -> Dependency {
    Dependency {
        name: name.to_owned(),
        kind: Kind::Normal,
        optional: false,
        features: Vec::new(),
        has_version: true,
    }
}

pub(super) fn optional(name: &str) -> Dependency {
    Dependency { optional: true, ..needs(name) }
}

pub(super) fn in_tests(name: &str) -> Dependency {
    Dependency { kind: Kind::Dev, ..needs(name) }
}

fn package(name: &str, dependencies: &[Dependency]) -> Package {
    Package {
        name: name.to_owned(),
        manifest: format!("{name}/Cargo.toml"),
        dependencies: dependencies.to_vec(),
        has_rust_version: true,
    }
}
