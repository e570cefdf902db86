//! `webhook migrate`.

use serde::Serialize;

use crate::{
    args::Options,
    error::{End, Error},
    output::View,
    store::connect,
};

#[derive(Serialize)]
struct Migrated {
    migrated: bool,
}

impl View for Migrated {
    fn text(&self) -> String {
        "the tables are up to date".to_owned()
    }
}

pub(crate) async fn run(options: &Options) -> Result<End, Error> {
    connect(options.settings(&[])?.store()?).await?.migrate().await?;
    options.output().show(&Migrated { migrated: true })?;
    Ok(End::Done)
}
