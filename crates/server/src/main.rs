//! The `journeyman` program.
fn main() {}
