//! Lists of values in one statement.

use sea_orm::Value;
#[cfg(feature = "postgres")]
use sea_orm::sea_query::ArrayType;

/// Values of one kind, as one.
#[cfg(feature = "postgres")]
pub(crate) fn list(values: Vec<Value>) -> Value {
    let kind = values.first().map_or(ArrayType::String, Value::array_type);
    Value::Array(kind, Some(Box::new(values)))
}

/// Never asked for.
#[cfg(not(feature = "postgres"))]
pub(crate) fn list(_: Vec<Value>) -> Value {
    Value::String(None)
}

/// The same values, the last one as often as it takes for a power of two, where naming one twice does no
/// harm. A statement for each number of values would drive others out of those that a connection keeps
/// prepared.
pub(crate) fn padded<T: Clone>(values: &[T]) -> Vec<T> {
    let last = values.iter().last().into_iter().cycle();
    let count = if values.is_empty() { 0 } else { values.len().next_power_of_two() };
    values.iter().chain(last).take(count).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_filled_up_to_few_lengths() {
        let table = [("", ""), ("a", "a"), ("ab", "ab"), ("abc", "abcc"), ("abcde", "abcdeeee")];
        for (values, expected) in table {
            assert_eq!(String::from_utf8(padded(values.as_bytes())).unwrap(), expected);
        }
    }
}
