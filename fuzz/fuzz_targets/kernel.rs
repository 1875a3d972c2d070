#![no_main]

use anglerfish_fuzz::kernel;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| kernel::run(data));
