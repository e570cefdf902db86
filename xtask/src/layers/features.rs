//! Default features, and dependencies that features switch on.

use super::{
    Broken,
    metadata::{Kind, Package},
    rules::{FEATURE_RULES, Features, SWITCH_RULES, SwitchedOnBy},
};

pub(super) fn check(packages: &[Package]) -> Vec<Broken> {
    let find = |name: &str| packages.iter().find(|package| package.name == name);
    let mut broken = Vec::new();
    for rule in FEATURE_RULES {
        broken.extend(find(rule.package).map(|package| exist(rule, package)).unwrap_or_default());
    }
    for rule in SWITCH_RULES {
        broken.extend(
            find(rule.package).map(|package| switched_on_by(rule, package)).unwrap_or_default(),
        );
    }
    broken
}

fn exist(rule: &Features, package: &Package) -> Vec<Broken> {
    let place = format!("{}, [features]", package.manifest);
    let missing = rule.exist.iter().filter(|feature| !package.features.contains_key(**feature));
    let mut broken: Vec<_> = missing
        .map(|feature| Broken::new(format!("no feature `{feature}`"), &*place, rule.why))
        .collect();

    let mut default = package.features.get("default").cloned().unwrap_or_default();
    default.sort();
    if default != rule.default {
        let what = format!("default = {default:?} instead of {:?}", rule.default);
        broken.push(Broken::new(what, place, rule.why));
    }
    broken
}

fn switched_on_by(rule: &SwitchedOnBy, package: &Package) -> Vec<Broken> {
    let mut broken = Vec::new();
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        if dependency.kind != Kind::Normal || !rule.dependencies.contains(&name) {
            continue;
        }
        if !dependency.optional {
            let what = format!("{} -> {name}, not optional", package.name);
            let place = format!("{}, {}", package.manifest, dependency.kind.table());
            broken.push(Broken::new(what, place, rule.why));
        }
        let others = package.features.keys().filter(|key| !rule.features.contains(&key.as_str()));
        let switches = others.filter(|feature| package.switched_on(feature).contains(name));
        broken.extend(switches.map(|feature| {
            let what = format!("the feature `{feature}` switches on {name}");
            Broken::new(what, format!("{}, [features]", package.manifest), rule.why)
        }));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::super::sample::{feature, the, workspace};
    use super::*;

    /// Broken rules after a change of one crate.
    fn after(name: &str, change: impl FnOnce(&mut Package)) -> Vec<String> {
        let mut packages = workspace();
        change(the(&mut packages, name));
        check(&packages).into_iter().map(|broken| broken.what).collect()
    }

    #[test]
    fn a_valid_workspace_breaks_no_rule() {
        assert_eq!(check(&workspace()), []);
    }

    #[test]
    fn a_missing_feature_is_named() {
        let broken = after("webhook-store-seaorm", |store| _ = store.features.remove("mysql"));
        assert_eq!(broken, ["no feature `mysql`"]);
    }

    #[test]
    fn default_features_are_those_of_the_rule() {
        let broken = after("webhook-store-seaorm", |store| feature(store, "default", &["sqlite"]));
        assert_eq!(broken, [r#"default = ["sqlite"] instead of []"#]);
        let broken = after("webhook-registry", |registry| feature(registry, "default", &[]));
        assert_eq!(broken, [r#"default = [] instead of ["http"]"#]);
    }

    #[test]
    fn a_database_is_switched_on_by_its_own_features_alone() {
        let broken = after("webhook-registry", |registry| {
            feature(registry, "http", &["dep:webhook-http", "webhook-store-seaorm/sqlite"]);
        });
        assert_eq!(
            broken,
            [
                "the feature `default` switches on webhook-store-seaorm",
                "the feature `http` switches on webhook-store-seaorm"
            ]
        );
    }

    #[test]
    fn the_signer_leaves_the_transport_behind() {
        let broken = after("webhook-http", |http| feature(http, "signer", &["dep:hyper"]));
        assert_eq!(broken, ["the feature `signer` switches on hyper"]);
    }
}
