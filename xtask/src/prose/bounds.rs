//! Bounds of the names that are left to rename. They may only fall.

use super::names::NameRule::{self, DoubledConstant, DoubledFile};

/// Names that break a rule in one package.
pub(super) struct Bound {
    /// Folder of the package.
    pub(super) package: &'static str,
    pub(super) rule: NameRule,
    pub(super) at_most: usize,
}

const fn bound(package: &'static str, rule: NameRule, at_most: usize) -> Bound {
    Bound { package, rule, at_most }
}

/// Every other package and rule has a bound of zero; so have left-over names and doubled types.
pub(super) const BOUNDS: &[Bound] = &[
    bound("webhook-core", DoubledConstant, 3),
    bound("webhook-store-seaorm", DoubledConstant, 2),
    bound("webhook-testkit", DoubledFile, 13),
    bound("webhook-testkit", DoubledConstant, 1),
    bound("xtask", DoubledFile, 1),
    bound("xtask/suites/bench", DoubledFile, 1),
    bound("xtask/suites/bench", DoubledConstant, 9),
    bound("xtask/suites/crash", DoubledConstant, 5),
    bound("xtask/suites/security", DoubledConstant, 4),
];

/// Bound of a package for a rule.
pub(super) fn at_most(package: &str, rule: NameRule) -> usize {
    let bound = BOUNDS.iter().find(|bound| bound.package == package && bound.rule == rule);
    bound.map_or(0, |bound| bound.at_most)
}

/// Names that the root of a crate may have.
pub(super) struct Root {
    /// File of the root.
    pub(super) path: &'static str,
    pub(super) at_most: usize,
}

pub(super) const ROOTS: &[Root] = &[
    Root { path: "webhook-core/src/lib.rs", at_most: 65 },
    Root { path: "webhook-registry/src/lib.rs", at_most: 80 },
];

/// File of the root that a glob stands for.
pub(super) const GLOBS: &[(&str, &str)] = &[("webhook_core::*", "webhook-core/src/lib.rs")];
