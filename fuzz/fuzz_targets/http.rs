#![no_main]

use anglerfish_fuzz::http;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| http::run(data));
