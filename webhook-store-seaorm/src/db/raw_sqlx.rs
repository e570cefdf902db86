//! Statements of SeaORM's, for sqlx itself.

use std::sync::Arc;

use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr, Values,
    sea_query::Value,
    sqlx::{Arguments as _, Database, Encode, Error, Type, error::BoxDynError},
};
#[cfg(feature = "postgres")]
use sea_orm::{
    sea_query::ArrayType,
    sqlx::{Postgres, postgres::PgArguments},
};
use uuid::Uuid;

/// The same error as SeaORM would tell it.
pub(crate) fn failed(error: Error) -> DbErr {
    match error {
        Error::PoolTimedOut => DbErr::ConnectionAcquire(ConnAcquireErr::Timeout),
        Error::PoolClosed => DbErr::ConnectionAcquire(ConnAcquireErr::ConnectionClosed),
        error => DbErr::Query(RuntimeErr::SqlxError(Arc::new(error))),
    }
}

/// The values of a statement, as sqlx wants them: of the kinds that our rows have, and what `other` can add.
pub(crate) fn arguments<D>(
    values: Option<Values>,
    other: impl Fn(&mut D::Arguments, Value) -> Result<(), BoxDynError>,
) -> Result<D::Arguments, DbErr>
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
            value => other(&mut arguments, value),
        };
        added.map_err(|error| DbErr::Custom(error.to_string()))?;
    }
    Ok(arguments)
}

/// Error for a value of a kind that no column of this store has.
const UNKNOWN_VALUE_KIND: &str = "a value of a kind that no row of ours has";

/// Adds no other.
#[cfg(feature = "sqlx")]
pub(crate) fn no_other<A>(_: &mut A, _: Value) -> Result<(), BoxDynError> {
    Err(UNKNOWN_VALUE_KIND.into())
}

/// The same for PostgreSQL, where a value may be a list. SeaORM would not take one with gaps in it.
#[cfg(feature = "postgres")]
pub(crate) fn postgres_arguments(values: Option<Values>) -> Result<PgArguments, DbErr> {
    arguments::<Postgres>(values, |arguments, value| match value {
        Value::Array(kind, items) => add_list(arguments, &kind, *items.unwrap_or_default()),
        _ => Err(UNKNOWN_VALUE_KIND.into()),
    })
}

/// Adds a list whose items are of one kind. One that is not would be another row's: the statement fails.
#[cfg(feature = "postgres")]
fn add_list(
    arguments: &mut PgArguments,
    kind: &ArrayType,
    items: Vec<Value>,
) -> Result<(), BoxDynError> {
    macro_rules! add_each {
        ($kind:ident) => {{
            let item = |value| match value {
                Value::$kind(item) => Ok(item),
                _ => Err(UNKNOWN_VALUE_KIND),
            };
            arguments.add(items.into_iter().map(item).collect::<Result<Vec<_>, _>>()?)
        }};
    }
    match kind {
        ArrayType::BigInt => add_each!(BigInt),
        ArrayType::String => add_each!(String),
        ArrayType::Bytes => add_each!(Bytes),
        ArrayType::Uuid => add_each!(Uuid),
        _ => Err(UNKNOWN_VALUE_KIND.into()),
    }
}
