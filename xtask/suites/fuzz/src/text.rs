//! Reading an input as several texts.

/// Stands between texts: no UTF-8 holds it.
const BETWEEN: u8 = 0xff;

/// The parts of an input, as bytes.
pub(crate) fn parts(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == BETWEEN)
}

/// Whether a text may be shown to people as it is.
pub(crate) fn is_harmless(text: &str) -> bool {
    !text.chars().any(char::is_control)
}
