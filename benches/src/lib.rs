#![doc = include_str!("../README.md")]

pub mod batch;
pub mod compare;
pub mod trie;
pub mod wheel;
