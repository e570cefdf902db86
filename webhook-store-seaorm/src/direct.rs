//! Statements of SeaORM's, for sqlx itself.

use std::sync::Arc;

use sea_orm::{
    ConnAcquireErr, DbErr, RuntimeErr, Statement, Value,
    sqlx::{Arguments as _, Database, Encode, Error, Type},
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

/// The values of a statement, as sqlx wants them: of the kinds that our rows have.
pub(crate) fn arguments<D>(statement: &Statement) -> Result<D::Arguments, DbErr>
where
    D: Database,
    for<'t> Option<i64>: Encode<'t, D> + Type<D>,
    for<'t> Option<String>: Encode<'t, D> + Type<D>,
    for<'t> Option<Vec<u8>>: Encode<'t, D> + Type<D>,
    for<'t> Option<Uuid>: Encode<'t, D> + Type<D>,
{
    let mut arguments = D::Arguments::default();
    for value in statement.values.iter().flat_map(|values| values.iter().cloned()) {
        let added = match value {
            Value::BigInt(number) => arguments.add(number),
            Value::String(text) => arguments.add(text),
            Value::Bytes(bytes) => arguments.add(bytes),
            Value::Uuid(id) => arguments.add(id),
            _ => Err("a value of a kind that no row of ours has".into()),
        };
        added.map_err(|error| DbErr::Custom(error.to_string()))?;
    }
    Ok(arguments)
}
