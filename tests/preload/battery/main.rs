//! Real servers and clients on loopback, each beside a second one that runs with `libesca_preload.so`: whatever is asked of
//! both, the answers are the same bytes, and the right ones.
//!
//! `programs/` says how each program is started, `checks/` what is asked. `ESCA_BATTERY=long` runs everything three times in
//! a row, with more of everything; `ESCA_PRELOAD_LIBRARY=PATH` tests another library.

mod checks;
mod library;
mod order;
mod pair;
mod patience;
mod place;
mod process;
mod programs;
mod scale;
