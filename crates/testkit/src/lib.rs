//! What tests share: a database for each test, repositories, and a world of everything that runs need.

pub mod database;
pub mod program;
pub mod repository;
pub mod terminal;
#[cfg(feature = "world")]
pub mod world;
