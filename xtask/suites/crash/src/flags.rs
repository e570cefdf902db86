//! The arguments of a child: `--name value`, as the harness writes them.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    str::FromStr,
};

use crate::Outcome;

#[derive(Debug, Default)]
pub(crate) struct Flags(BTreeMap<String, String>);

impl Flags {
    pub(crate) fn parse(args: &[String]) -> Outcome<Self> {
        let mut flags = BTreeMap::new();
        let mut rest = args.iter();
        while let Some(name) = rest.next() {
            let name = name.strip_prefix("--").ok_or_else(|| format!("`{name}` is no flag"))?;
            let value = rest.next().ok_or_else(|| format!("--{name} has no value"))?;
            flags.insert(name.to_owned(), value.clone());
        }
        Ok(Self(flags))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    pub(crate) fn text(&self, name: &str) -> Outcome<&str> {
        self.get(name).ok_or_else(|| format!("--{name} is missing").into())
    }

    pub(crate) fn path(&self, name: &str) -> Outcome<PathBuf> {
        Ok(Path::new(self.text(name)?).to_owned())
    }

    /// A number, or `unless` it is given.
    pub(crate) fn number<T: FromStr>(&self, name: &str, unless: T) -> Outcome<T> {
        match self.get(name) {
            None => Ok(unless),
            Some(text) => text.parse().map_err(|_| format!("--{name} {text}: no number").into()),
        }
    }
}
