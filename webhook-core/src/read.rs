//! Explanations and views of stored records, for people and without secrets.

pub(crate) mod explain;
pub(crate) mod view;
