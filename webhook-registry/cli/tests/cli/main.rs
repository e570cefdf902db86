//! The command `webhook`, run as a program: what it answers, and how it ends.

mod bad_input;
mod deliver;
mod notices;
mod operate;
mod settings;
mod shell;
mod sign;
mod tls;
mod vault;
