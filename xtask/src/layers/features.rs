//! What is on unasked, and what switches it on.

use super::{
    Broken,
    metadata::{Kind, Package},
    rules::{BEHIND, Behind, FEATURES, Features},
};

pub(super) fn check(packages: &[Package]) -> Vec<Broken> {
    let find = |name: &str| packages.iter().find(|package| package.name == name);
    let mut broken = Vec::new();
    for rule in FEATURES {
        broken.extend(find(rule.package).map(|package| exist(rule, package)).unwrap_or_default());
    }
    for rule in BEHIND {
        broken.extend(find(rule.package).map(|package| behind(rule, package)).unwrap_or_default());
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

fn behind(rule: &Behind, package: &Package) -> Vec<Broken> {
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

    /// What the rules say after `change` to one crate.
    fn after(name: &str, change: impl FnOnce(&mut Package)) -> Vec<String> {
        let mut packages = workspace();
        change(the(&mut packages, name));
        check(&packages).into_iter().map(|broken| broken.what).collect()
    }

    #[test]
    fn a_workspace_that_keeps_the_rules_is_left_alone() {
        assert_eq!(check(&workspace()), []);
    }

    #[test]
    fn a_missing_feature_is_named() {
        let said = after("webhook-store-seaorm", |store| _ = store.features.remove("mysql"));
        assert_eq!(said, ["no feature `mysql`"]);
    }

    #[test]
    fn nothing_more_is_on_unasked() {
        let said = after("webhook-store-seaorm", |store| feature(store, "default", &["sqlite"]));
        assert_eq!(said, [r#"default = ["sqlite"] instead of []"#]);
        let said = after("webhook-registry", |registry| feature(registry, "default", &[]));
        assert_eq!(said, [r#"default = [] instead of ["http"]"#]);
    }

    #[test]
    fn a_database_is_switched_on_by_its_own_features_alone() {
        let said = after("webhook-registry", |registry| {
            feature(registry, "http", &["dep:webhook-http", "webhook-store-seaorm/sqlite"]);
        });
        assert_eq!(
            said,
            [
                "the feature `default` switches on webhook-store-seaorm",
                "the feature `http` switches on webhook-store-seaorm"
            ]
        );
    }

    #[test]
    fn the_signer_leaves_the_transport_behind() {
        let said = after("webhook-http", |http| feature(http, "signer", &["dep:hyper"]));
        assert_eq!(said, ["the feature `signer` switches on hyper"]);
    }
}
