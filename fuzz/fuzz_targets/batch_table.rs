#![no_main]

use anglerfish_fuzz::batch_table;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| batch_table::run(data));
