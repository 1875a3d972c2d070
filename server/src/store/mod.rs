//! Files as they are served: opened beneath a folder, read, and remembered for a second.

mod cache;
mod open;
mod resource;

pub(crate) use self::cache::FileCache;
pub(crate) use self::open::folder;
pub(crate) use self::resource::{Found, Resource, Variant};
