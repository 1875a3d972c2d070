#![doc = include_str!("../README.md")]

pub mod batch;
pub mod compare;
pub mod coro;
pub mod echo;
pub mod preload;
pub mod proc;
mod rivals;
pub mod server;
pub mod trie;
pub mod wheel;
