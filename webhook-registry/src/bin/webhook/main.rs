//! The command `webhook`.
fn main() {}
