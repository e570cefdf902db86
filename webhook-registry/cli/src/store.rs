//! Opening what the commands work on: the database, and [`Webhooks`] over it.

use std::sync::OnceLock;

use webhook_registry::{
    Settings, Webhooks,
    database::{SchemaStatus, SeaOrmStore, SeaOrmStoreBuilder},
    transport::HttpTransport,
};

use crate::{error::Error, options::Options};

/// Opens the database with tables that fit.
pub(crate) async fn open(options: &Options) -> Result<Webhooks, Error> {
    open_with(options, &options.settings()?).await
}

/// The same, with settings of the command's own.
pub(crate) async fn open_with(options: &Options, settings: &Settings) -> Result<Webhooks, Error> {
    let store = open_store(options, settings).await?;
    let builder = Webhooks::builder().store(store).transport(transport(options, settings)?);
    Ok(builder.settings(settings).build()?)
}

/// The database alone, with tables that fit.
pub(crate) async fn open_store(
    options: &Options,
    settings: &Settings,
) -> Result<SeaOrmStore, Error> {
    let store = connect(settings.store()?).await?;
    prepare(&store, options.db.starts_with("sqlite:")).await?;
    Ok(store)
}

/// The store that this process has opened.
static OPENED_STORE: OnceLock<SeaOrmStore> = OnceLock::new();

/// Opens the database, whatever it holds; once.
pub(crate) async fn connect(builder: SeaOrmStoreBuilder) -> Result<SeaOrmStore, Error> {
    if let Some(store) = OPENED_STORE.get() {
        return Ok(store.clone());
    }
    let store = builder.connect().await?;
    Ok(OPENED_STORE.get_or_init(|| store).clone())
}

/// Closes what was opened, so that a SQLite file is whole by itself: without that its latest
/// commits stand in a second file beside it.
pub(crate) async fn close() {
    if let Some(store) = OPENED_STORE.get() {
        store.close().await;
    }
}

/// The way out, as safe as settings and options leave it.
pub(crate) fn transport(options: &Options, settings: &Settings) -> Result<HttpTransport, Error> {
    let builder = settings.transport();
    let builder = if options.dangerous_allow_private_addresses {
        builder.dangerous_allow_private_addresses()
    } else {
        builder
    };
    Ok(builder.build()?)
}

/// Creates the tables in a new file; changes no database that holds anything.
async fn prepare(store: &SeaOrmStore, is_file: bool) -> Result<(), Error> {
    match store.schema_status().await? {
        SchemaStatus::Current => Ok(()),
        SchemaStatus::Empty if is_file => Ok(store.migrate().await?),
        SchemaStatus::Empty | SchemaStatus::Missing => {
            Err(Error::Migrate("the database has no webhook tables yet"))
        }
        SchemaStatus::Older(0) => Err(Error::Migrate("creating the tables began and did not end")),
        SchemaStatus::Older(_) => {
            Err(Error::Migrate("the tables were made by an older version of this program"))
        }
        SchemaStatus::Newer(_) => {
            Err(Error::Schema("the tables were made by a newer version; update this program"))
        }
        _ => Err(Error::Schema(
            "the database holds tables of the same names that are not ours; choose another database",
        )),
    }
}
