//! `webhook migrate`: create the tables, print how, tell whether they fit.

use clap::{Args, Subcommand};
use serde::Serialize;
use webhook_registry::{
    Settings,
    database::{DatabaseKind, LAST_STEP, SchemaStatus, TableNames, grants_sql, migration_sql},
};

use crate::{
    error::{End, Error},
    options::Options,
    output::View,
    store::connect,
};

#[derive(Args, Debug)]
pub(crate) struct MigrateArgs {
    #[command(subcommand)]
    command: Option<MigrateCommand>,
}

#[derive(Debug, Subcommand)]
enum MigrateCommand {
    /// Print the steps as plain SQL; opens no database
    Print(PrintArgs),
    /// Tell whether the tables fit this program; ends with 1 when they do not
    Check,
}

#[derive(Args, Debug)]
struct PrintArgs {
    /// For sqlite, postgres or mysql; for the kind of --db, when absent
    #[arg(long, value_name = "KIND")]
    db_kind: Option<DatabaseKind>,
    /// The first step to print
    #[arg(long, value_name = "STEP", default_value_t = 1)]
    from: u32,
    /// The last step to print
    #[arg(long, value_name = "STEP", default_value_t = LAST_STEP)]
    to: u32,
    /// The schema of the tables, on PostgreSQL
    #[arg(long, value_name = "NAME")]
    schema: Option<String>,
    /// What the names of the tables begin with
    #[arg(long)]
    prefix: Option<String>,
    /// Print instead which rights the roles PREFIXpublisher, PREFIXworker, PREFIXoperator and
    /// PREFIXreader need
    #[arg(long, value_name = "PREFIX", conflicts_with_all = ["from", "to"])]
    grants: Option<String>,
}

impl PrintArgs {
    fn names(&self, settings: &Settings) -> TableNames {
        let mut names = TableNames::new();
        if let Some(prefix) = self.prefix.as_deref().or(settings.table_prefix()) {
            names = names.prefix(prefix);
        }
        if let Some(schema) = self.schema.as_deref().or(settings.schema()) {
            names = names.schema(schema);
        }
        names
    }
}

pub(crate) async fn run(options: &Options, args: MigrateArgs) -> Result<End, Error> {
    match args.command {
        None => migrate(options).await,
        Some(MigrateCommand::Print(args)) => print(options, &args),
        Some(MigrateCommand::Check) => check(options).await,
    }
}

#[derive(Serialize)]
struct Migrated {
    migrated: bool,
}

impl View for Migrated {
    fn text(&self) -> String {
        "the tables are up to date".to_owned()
    }
}

async fn migrate(options: &Options) -> Result<End, Error> {
    connect(options.settings()?.store()?).await?.migrate().await?;
    options.output().show(&Migrated { migrated: true })?;
    Ok(End::Done)
}

#[derive(Serialize)]
struct Printed {
    sql: String,
}

impl View for Printed {
    fn text(&self) -> String {
        self.sql.trim_end().to_owned()
    }
}

fn print(options: &Options, args: &PrintArgs) -> Result<End, Error> {
    let names = args.names(&options.settings()?);
    let kind = args.db_kind.or_else(|| DatabaseKind::of_url(&options.db));
    let kind = kind.ok_or(Error::DatabaseKind)?;
    let sql = match &args.grants {
        Some(prefix) => grants_sql(kind, &names, prefix)?,
        None => migration_sql(kind, &names, args.from..=args.to)?,
    };
    options.output().show(&Printed { sql })?;
    Ok(End::Done)
}

/// How the tables compare with those this program needs.
#[derive(Serialize)]
struct Checked {
    fits: bool,
    /// The last step that was taken; nothing, where the tables are not ours.
    step: Option<u32>,
    needed: u32,
    #[serde(skip)]
    advice: Option<&'static str>,
}

impl Checked {
    const fn of(status: SchemaStatus) -> Self {
        let step = match status {
            SchemaStatus::Empty | SchemaStatus::Missing => Some(0),
            SchemaStatus::Older(step) | SchemaStatus::Newer(step) => Some(step),
            SchemaStatus::Current => Some(LAST_STEP),
            _ => None,
        };
        let advice = status.advice();
        Self { fits: advice.is_none(), step, needed: LAST_STEP, advice }
    }
}

impl View for Checked {
    fn text(&self) -> String {
        let Self { step, needed, .. } = self;
        let taken = step.map_or_else(|| "at no step".to_owned(), |step| format!("at step {step}"));
        match self.advice {
            None => format!("the tables fit: {taken}"),
            Some(advice) => format!("{taken}, and this program needs step {needed}: {advice}"),
        }
    }
}

async fn check(options: &Options) -> Result<End, Error> {
    // Looking creates no file.
    let options = options.with_db(options.db.replace("mode=rwc", "mode=rw"));
    let store = connect(options.settings()?.store()?).await?;
    let checked = Checked::of(store.schema_status().await?);
    options.output().show(&checked)?;
    Ok(if checked.fits { End::Done } else { End::Failed })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_says_which_step_is_missing_and_what_to_do() {
        let text = |status| Checked::of(status).text();
        assert_eq!(text(SchemaStatus::Current), format!("the tables fit: at step {LAST_STEP}"));
        let missing = text(SchemaStatus::Missing);
        let needed =
            format!("at step 0, and this program needs step {LAST_STEP}: the tables do not");
        assert!(missing.starts_with(&needed), "{missing}");
        assert!(text(SchemaStatus::Foreign).starts_with("at no step"));
        assert!(!Checked::of(SchemaStatus::Newer(9)).fits);
    }
}
