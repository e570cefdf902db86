//! Dependencies between crates.

use super::{
    Broken,
    metadata::{Dependency, Kind, Package},
    rules::{ALLOWED, Allowed, Arrows, OWNED, Owned, TESTKIT_CRATE, TOOLS, arrows, is_ours},
};

pub(super) fn check(packages: &[Package]) -> Vec<Broken> {
    let mut broken = Vec::new();
    for package in packages {
        for dependency in &package.dependencies {
            let rules = arrows().filter(|rule| rule.package == package.name);
            broken.extend(rules.filter_map(|rule| arrow(rule, package, dependency)));
            let rules = ALLOWED.iter().filter(|rule| rule.package == package.name);
            broken.extend(rules.filter_map(|rule| allowed(rule, package, dependency)));
            broken.extend(OWNED.iter().filter_map(|rule| owned(rule, package, dependency)));
        }
    }
    broken
}

fn arrow(rule: &Arrows, package: &Package, dependency: &Dependency) -> Option<Broken> {
    let name = dependency.name.as_str();
    if name == TESTKIT_CRATE && dependency.kind == Kind::Dev {
        let why = "with a version here, a release would need itself: use a path alone";
        return dependency.has_version.then(|| broken(package, dependency, why));
    }
    let in_tests = dependency.kind == Kind::Dev;
    let is_known = rule.ours.contains(&name)
        || (rule.optional.contains(&name) && (dependency.optional || in_tests))
        || (rule.package == name && in_tests);
    (is_ours(name) && !is_known).then(|| broken(package, dependency, rule.why))
}

fn allowed(rule: &Allowed, package: &Package, dependency: &Dependency) -> Option<Broken> {
    let name = dependency.name.as_str();
    if dependency.kind == Kind::Dev || is_ours(name) {
        return None;
    }
    if !rule.dependencies.contains(&name) {
        return Some(broken(package, dependency, rule.why));
    }
    let (_, features) = rule.features.iter().find(|(known, _)| *known == name)?;
    let extra = dependency.features.iter().find(|feature| !features.contains(&feature.as_str()))?;
    let what = format!("{} -> {name} with the feature `{extra}`", rule.package);
    Some(Broken::new(what, place(package, dependency), rule.why))
}

fn owned(rule: &Owned, package: &Package, dependency: &Dependency) -> Option<Broken> {
    let tests = dependency.kind == Kind::Dev || TOOLS.contains(&package.name.as_str());
    let is_free = rule.owner == package.name || (rule.free_in_tests && tests);
    let is_named = rule.dependencies.contains(&dependency.name.as_str());
    (is_named && !is_free).then(|| broken(package, dependency, rule.why))
}

fn broken(package: &Package, dependency: &Dependency, why: &'static str) -> Broken {
    let arrow = format!("{} -> {}", package.name, dependency.name);
    Broken::new(arrow, place(package, dependency), why)
}

fn place(package: &Package, dependency: &Dependency) -> String {
    format!("{}, {}", package.manifest, dependency.kind.table())
}

#[cfg(test)]
mod tests {
    use super::super::sample::{in_tests, needs, optional, the, workspace};
    use super::*;

    /// Broken rules if `package` has this dependency too.
    fn with(package: &str, dependency: Dependency) -> Vec<String> {
        let mut packages = workspace();
        the(&mut packages, package).dependencies.push(dependency);
        check(&packages).into_iter().map(|broken| broken.what).collect()
    }

    fn by_path(dependency: Dependency) -> Dependency {
        Dependency { has_version: false, ..dependency }
    }

    #[test]
    fn a_valid_workspace_breaks_no_rule() {
        assert_eq!(check(&workspace()), []);
    }

    #[test]
    fn every_forbidden_arrow_is_named_once() {
        for (package, dependency) in [
            ("webhook-core", needs("webhook-http")),
            ("webhook-http", needs("webhook-store-seaorm")),
            ("webhook-http", in_tests("webhook-registry")),
            ("webhook-store-seaorm", optional("webhook-http")),
            ("webhook-registry", needs("webhook-http")),
            ("webhook-cli", needs("webhook-http")),
            ("webhook-cli", in_tests("webhook-store-seaorm")),
            ("webhook-testkit", needs("webhook-http")),
            ("webhook-registry", needs("webhook-testkit")),
            ("webhook-registry", optional("webhook-testkit")),
            ("webhook-http", in_tests("webhook-testkit")),
            ("xtask", needs("webhook-core")),
        ] {
            let arrow = format!("{package} -> {}", dependency.name);
            assert_eq!(with(package, dependency), [arrow]);
        }
    }

    #[test]
    fn tests_may_name_the_fakes_by_path_alone() {
        let fakes = by_path(in_tests("webhook-testkit"));
        for package in ["webhook-core", "webhook-http", "webhook-store-seaorm", "webhook-registry"]
        {
            assert_eq!(with(package, fakes.clone()), [""; 0], "{package}");
        }
    }

    #[test]
    fn a_crate_may_name_itself_in_its_tests() {
        let store = "webhook-store-seaorm";
        assert_eq!(with(store, by_path(in_tests(store))), [""; 0]);
    }

    #[test]
    fn the_core_depends_on_its_list_alone() {
        assert_eq!(with("webhook-core", needs("rand")), ["webhook-core -> rand"]);
        let built = Dependency { kind: Kind::Build, ..needs("cc") };
        assert_eq!(with("webhook-core", built), ["webhook-core -> cc"]);
        assert_eq!(with("webhook-core", in_tests("rand")), [""; 0]);
    }

    #[test]
    fn the_core_takes_channels_of_tokio_and_no_runtime() {
        let runtime = Dependency { features: vec!["sync".into(), "rt".into()], ..needs("tokio") };
        assert_eq!(with("webhook-core", runtime), ["webhook-core -> tokio with the feature `rt`"]);
    }

    #[test]
    fn owned_crates_are_named_by_their_owner_alone() {
        for (package, dependency) in [
            ("webhook-registry", needs("sea-orm")),
            ("webhook-registry", in_tests("sea-orm")),
            ("webhook-registry", optional("rustls")),
            ("webhook-testkit", needs("hyper")),
            ("webhook-store-seaorm", needs("ring")),
            ("xtask", needs("clap")),
            ("webhook-registry", optional("jiff")),
        ] {
            let arrow = format!("{package} -> {}", dependency.name);
            assert_eq!(with(package, dependency), [arrow]);
        }
        assert_eq!(with("webhook-registry", in_tests("rustls")), [""; 0]);
        assert_eq!(with("webhook-http", needs("rustls")), [""; 0]);
    }

    #[test]
    fn a_broken_rule_has_a_place_and_a_reason() {
        let mut packages = workspace();
        the(&mut packages, "webhook-http").dependencies.push(in_tests("sea-orm"));
        assert_eq!(
            check(&packages).first().unwrap().to_string(),
            "  webhook-http -> sea-orm\n    \
             in webhook-http/Cargo.toml, [dev-dependencies]\n    \
             but only the store uses the database, in tests too"
        );
    }
}
