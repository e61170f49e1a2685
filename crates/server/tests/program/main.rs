//! The program as people and scripts use it: real binary, real sandbox, scripted models.

mod broken_disk;
mod checks;
mod command_line;
mod common;
mod edges;
mod large;
mod owner;
mod people;
mod remotes;
mod repositories;
mod restart;
mod sandbox;
mod small_disk;
mod terminal;
mod work;
