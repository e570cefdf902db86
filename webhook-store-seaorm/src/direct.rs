//! Statements of SeaORM's, for sqlx itself.

use std::sync::Arc;

#[cfg(feature = "sqlx")]
use sea_orm::sqlx::{Database, Encode, Type};
use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr, Values,
    sea_query::Value,
    sqlx::{Arguments as _, Error},
};
#[cfg(feature = "postgres")]
use sea_orm::{
    sea_query::ArrayType,
    sqlx::{error::BoxDynError, postgres::PgArguments},
};
#[cfg(feature = "sqlx")]
use uuid::Uuid;

/// The same error as SeaORM would tell it.
pub(crate) fn failed(error: Error) -> DbErr {
    match error {
        Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))),
    }
}

/// The values of a statement, as sqlx wants them: of the kinds that our rows have.
#[cfg(feature = "sqlx")]
pub(crate) fn arguments<D>(values: Option<Values>) -> Result<D::Arguments, DbErr>
where
    D: Database,
    for<'t> Option<i64>: Encode<'t, D> + Type<D>,
    for<'t> Option<String>: Encode<'t, D> + Type<D>,
    for<'t> Option<Vec<u8>>: Encode<'t, D> + Type<D>,
    for<'t> Option<Uuid>: Encode<'t, D> + Type<D>,
{
    let mut arguments = D::Arguments::default();
    for value in values.into_iter().flat_map(|values| values.0) {
        let added = match value {
            Value::BigInt(number) => arguments.add(number),
            Value::String(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Uuid(id) => arguments.add(id),
            _ => Err(UNKNOWN.into()),
        };
        added.map_err(|error| DbErr::Custom(error.to_string()))?;
    }
    Ok(arguments)
}

const UNKNOWN: &str = "a value of a kind that no row of ours has";

/// The same for PostgreSQL, where a value may be a list. SeaORM would not take one with gaps in it.
#[cfg(feature = "postgres")]
pub(crate) fn postgres_arguments(values: Option<Values>) -> Result<PgArguments, DbErr> {
    let mut arguments = PgArguments::default();
    for value in values.into_iter().flat_map(|values| values.0) {
        let added = match value {
            Value::BigInt(number) => arguments.add(number),
            Value::String(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Uuid(id) => arguments.add(id),
            Value::Array(kind, items) => {
                add_list(&mut arguments, &kind, *items.unwrap_or_default())
            }
            _ => Err(UNKNOWN.into()),
        };
        added.map_err(|error| DbErr::Custom(error.to_string()))?;
    }
    Ok(arguments)
}

#[cfg(feature = "postgres")]
fn add_list(
    arguments: &mut PgArguments,
    kind: &ArrayType,
    items: Vec<Value>,
) -> Result<(), BoxDynError> {
    /// Those of the kind; there are no others in it, see [`crate::rows::list`].
    fn each<T>(items: Vec<Value>, of: impl Fn(Value) -> Option<Option<T>>) -> Vec<Option<T>> {
        items.into_iter().filter_map(of).collect()
    }
    match kind {
        ArrayType::BigInt => arguments.add(each(items, |value| match value {
            Value::BigInt(number) => Some(number),
            _ => None,
        })),
        ArrayType::String => arguments.add(each(items, |value| match value {
            Value::String(text) => Some(text),
            _ => None,
        })),
        ArrayType::Bytes => arguments.add(each(items, |value| match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        })),
        ArrayType::Uuid => arguments.add(each(items, |value| match value {
            Value::Uuid(id) => Some(id),
            _ => None,
        })),
        _ => Err(UNKNOWN.into()),
    }
}
