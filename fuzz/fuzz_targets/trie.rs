#![no_main]

use anglerfish_fuzz::trie;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| trie::run(data));
