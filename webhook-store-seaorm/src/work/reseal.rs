//! Sealing with the current key what is stored otherwise.

use std::sync::Arc;

use async_trait::async_trait;
use webhook_core::{EndpointId, StoreError, StoreErrorKind};
use zeroize::Zeroizing;

use crate::{
    db::{
        database::Database,
        fault::Fault,
        row::{Row, ToValue},
        secret_columns::SealedWith,
        tx::Tx,
        unit::Unit,
    },
    work::endpoints::SECRET_COLUMNS,
};

/// Endpoints in one unit of work.
const ENDPOINTS_PER_RESEAL: usize = 100;

/// What [`SeaOrmStore::reseal`](crate::SeaOrmStore::reseal) came to, in endpoints.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Resealed {
    /// Sealed anew.
    pub resealed: u64,
    /// Sealed with the current key before.
    pub current: u64,
    /// Edited at the same moment. The edit has won, and has sealed it with the key of its process.
    pub edited: u64,
    /// Cannot be opened: their key is missing, or they are damaged. They were left as they are.
    pub unreadable: u64,
}

/// How the secrets of endpoints are kept: what
/// [`SeaOrmStore::seal_status`](crate::SeaOrmStore::seal_status) counts. An endpoint counts once,
/// by the worst of its columns.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct SealStatus {
    /// Sealed with the current key.
    pub current: u64,
    /// Sealed with a former key.
    pub former: u64,
    /// Not sealed at all.
    pub plain: u64,
    /// Sealed, and this store cannot open it.
    pub unreadable: u64,
}

/// Fails if the store has no vault to seal with.
pub(crate) fn needs_vault(database: &Database) -> Result<(), StoreError> {
    if database.secrets.has_vault() {
        return Ok(());
    }
    let why = "there is no vault to seal with; set WEBHOOK_VAULT_KEY_FILE";
    Err(StoreError::because(StoreErrorKind::Other, why))
}

/// Seals the secrets of all endpoints with the current key, one page in each unit of work.
pub(crate) async fn reseal(database: &Arc<Database>) -> Result<Resealed, StoreError> {
    let (mut sum, mut after) = (Resealed::default(), None);
    loop {
        let (page, last) = database.perform(ResealPage(after)).await?;
        sum.resealed += page.resealed;
        sum.current += page.current;
        sum.edited += page.edited;
        sum.unreadable += page.unreadable;
        let Some(last) = last else { return Ok(sum) };
        after = Some(last);
    }
}

/// Counts how the secrets of all endpoints are stored, one page in each unit of work.
pub(crate) async fn seal_status(database: &Arc<Database>) -> Result<SealStatus, StoreError> {
    let (mut sum, mut after) = (SealStatus::default(), None);
    loop {
        let (page, last) = database.perform(CountPage(after)).await?;
        sum.current += page.current;
        sum.former += page.former;
        sum.plain += page.plain;
        sum.unreadable += page.unreadable;
        let Some(last) = last else { return Ok(sum) };
        after = Some(last);
    }
}

/// Seals those behind this one.
struct ResealPage(Option<EndpointId>);

#[async_trait]
impl Unit for ResealPage {
    type Output = (Resealed, Option<EndpointId>);
    const WRITES: bool = true;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        let (rows, last) = page(tx, self.0).await?;
        let mut page = Resealed::default();
        for row in &rows {
            match EndpointSecrets::read(tx, row) {
                Err(_) => page.unreadable += 1,
                Ok(texts) if texts.sealed_with == SealedWith::CurrentKey => page.current += 1,
                Ok(texts) if texts.seal(tx, row).await? => page.resealed += 1,
                Ok(_) => page.edited += 1,
            }
        }
        Ok((page, last))
    }
}

/// Counts those behind this one.
struct CountPage(Option<EndpointId>);

#[async_trait]
impl Unit for CountPage {
    type Output = (SealStatus, Option<EndpointId>);
    const WRITES: bool = false;

    async fn run(&self, tx: &Tx) -> Result<Self::Output, Fault> {
        let (rows, last) = page(tx, self.0).await?;
        let mut page = SealStatus::default();
        for row in &rows {
            *match EndpointSecrets::read(tx, row).map(|texts| texts.sealed_with) {
                Err(_) => &mut page.unreadable,
                Ok(SealedWith::CurrentKey) => &mut page.current,
                Ok(SealedWith::FormerKey) => &mut page.former,
                Ok(SealedWith::Nothing) => &mut page.plain,
            } += 1;
        }
        Ok((page, last))
    }
}

/// Some endpoints, and the last of them if there may be more.
async fn page(tx: &Tx, after: Option<EndpointId>) -> Result<(Vec<Row>, Option<EndpointId>), Fault> {
    let behind = if after.is_some() { "AND id > ?" } else { "" };
    let sql = format!(
        "SELECT id, revision, {} FROM {{endpoints}} WHERE removed_at IS NULL {behind} \
         ORDER BY id LIMIT {ENDPOINTS_PER_RESEAL}",
        SECRET_COLUMNS.join(", ")
    );
    let rows = tx.all(&sql, after.map(|id| id.to_value())).await?;
    let last = rows.last().filter(|_| rows.len() == ENDPOINTS_PER_RESEAL);
    let last = last.map(|row| row.endpoint("id")).transpose()?;
    Ok((rows, last))
}

/// The secrets of an endpoint, open, in the order of their columns.
struct EndpointSecrets {
    id: EndpointId,
    sealed_with: SealedWith,
    open: Vec<Option<Zeroizing<String>>>,
}

impl EndpointSecrets {
    fn read(tx: &Tx, row: &Row) -> Result<Self, Fault> {
        let mut texts =
            Self { id: row.endpoint("id")?, sealed_with: SealedWith::CurrentKey, open: Vec::new() };
        for column in SECRET_COLUMNS {
            let stored = row.get::<Option<String>>(column)?.map(Zeroizing::new);
            texts.open.push(match stored {
                Some(stored) => {
                    texts.sealed_with = texts.sealed_with.max(tx.secrets().sealed_with(&stored));
                    Some(tx.secrets().open(texts.id, column, stored)?)
                }
                None => None,
            });
        }
        Ok(texts)
    }

    /// Writes them down sealed, unless the endpoint was edited since it was read.
    async fn seal(&self, tx: &Tx, row: &Row) -> Result<bool, Fault> {
        let (mut set, mut values) = (Vec::new(), Vec::new());
        for (column, open) in SECRET_COLUMNS.iter().zip(&self.open) {
            if let Some(open) = open {
                set.push(format!("{column} = ?"));
                values.push(tx.secrets().seal(self.id, column, open)?);
            }
        }
        values.extend([self.id.to_value(), row.get::<i64>("revision")?.into()]);
        let sql = format!(
            "UPDATE {{endpoints}} SET {} WHERE id = ? AND revision = ? AND removed_at IS NULL",
            set.join(", ")
        );
        Ok(tx.run(&sql, values).await? > 0)
    }
}
