#![no_main]

use anglerfish_fuzz::wheel;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| wheel::run(data));
