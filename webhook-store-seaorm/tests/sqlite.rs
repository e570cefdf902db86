//! What every database has to show, on SQLite.

mod cases;
mod common;

use common::place::Place;

cases::on!(Place::on_sqlite());
