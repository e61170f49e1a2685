//! What tests share: a database for each test.

pub mod database;
