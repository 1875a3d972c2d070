//! Tries that the compiler or a caller without an allocator builds, against the one on the heap.

use proptest::collection::{hash_set, vec};
use proptest::prelude::*;
use trie8::{BuildError, Limit, MAX_KEY_LEN, Plan, StaticTrie, Trie, TrieRef, max_node_words, record_bytes};

#[path = "../examples/no_alloc.rs"]
#[expect(dead_code, reason = "the example's own main")]
mod no_alloc;

trie8::static_trie! {
    /// Keys of all types, and some that collide in two of their three digits.
    static MIXED: &str = {
        "" => "nothing",
        "/" => "root",
        b"/\0" => "nul",
        b"/\xff" => "last",
        "/static" => "files",
        b"/s" => "s",
        b"/static/img".as_slice() => "images",
        "/a" => "a",
        "/i" => "i",
    };
}

trie8::static_trie! {
    static NONE: u8 = {};
}

fn on_heap<'a, T: Clone + 'a>(pairs: impl IntoIterator<Item = (&'a [u8], &'a T)>) -> Trie<T> {
    let mut trie = Trie::new();
    for (key, value) in pairs {
        assert!(
            trie.insert(key, value.clone())
                .expect("within the limits")
                .is_none()
        );
    }
    trie
}

fn assert_same<T: Clone + PartialEq + std::fmt::Debug>(lent: TrieRef<'_, T>, heap: &Trie<T>, path: &[u8]) {
    assert_eq!(lent.longest_prefix(path), heap.longest_prefix(path));
    assert_eq!(
        lent.longest_segment_prefix(path),
        heap.longest_segment_prefix(path)
    );
    assert_eq!(lent.get(path), heap.get(path));
    assert!(lent.prefixes(path).eq(heap.prefixes(path)));
}

#[test]
fn mixed_keys() {
    let heap = on_heap(MIXED.iter());
    assert_eq!(MIXED.len(), 9);
    assert_eq!(heap.len(), 9);
    for path in [
        "",
        "x",
        "/",
        "/\0",
        "/\0x",
        "/static",
        "/staticx",
        "/static/img/x.png",
        "/b",
        "/q",
    ] {
        assert_same(MIXED, &heap, path.as_bytes());
    }
    assert_same(MIXED, &heap, b"/\xff\xff");
    assert_eq!(
        MIXED.longest_prefix(b"/\0x").map(|found| *found.value),
        Some("nul")
    );
}

/// The routes of the example, and every path that is one byte away from a route.
#[test]
fn two_hundred_routes_equal_the_heap() {
    let heap = on_heap(no_alloc::ROUTES.iter());
    assert_eq!(heap.len(), 200);
    for (key, _) in no_alloc::ROUTES.iter() {
        assert_same(no_alloc::ROUTES, &heap, key);
        for at in 0..key.len() {
            let mut path = [key, b"/x".as_slice()].concat();
            for byte in [0, b'/', path[at] ^ 1, path[at] ^ 8, path[at] ^ 0x40] {
                path[at] = byte;
                assert_same(no_alloc::ROUTES, &heap, &path);
            }
        }
    }
}

#[test]
fn no_keys() {
    assert!(NONE.is_empty());
    assert_eq!(NONE.longest_prefix(b"/"), None);
    assert_eq!(NONE.prefixes(b"").count(), 0);
    assert_eq!(NONE.iter().count(), 0);
}

/// The keys of a thousand routes, made in a constant of their own: `/` and six letters, a tenth of them three deep.
const TEXT: &[[u8; 24]; 1000] = &{
    let mut text = [[0; 24]; 1000];
    let mut state = 1_u32;
    let mut route = 0;
    while route < text.len() {
        let mut at = 0;
        while at < 24 {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            text[route][at] = if at % 8 == 0 {
                b'/'
            } else {
                b'a' + (state >> 27) as u8 % 26
            };
            at += 1;
        }
        route += 1;
    }
    text
};
const KEYS: [&[u8]; 1000] = {
    let mut keys: [&[u8]; 1000] = [&[]; 1000];
    let mut route = 0;
    while route < keys.len() {
        keys[route] = TEXT[route].split_at(if route % 10 == 0 { 24 } else { 16 }).0;
        route += 1;
    }
    keys
};
const BYTES: usize = record_bytes(&KEYS);
// Denied by default, so that a plan that took too long would not compile.
const PLAN: Plan<1000, { max_node_words(1000) / 8 }, BYTES> = Plan::new(&KEYS);
static THOUSAND: StaticTrie<usize, 1000, { PLAN.blocks() }, BYTES> = StaticTrie::new(&PLAN, {
    let mut values = [0; 1000];
    let mut route = 0;
    while route < values.len() {
        values[route] = route;
        route += 1;
    }
    values
});

#[test]
fn a_thousand_routes_compile() {
    let heap = on_heap(THOUSAND.iter());
    assert_eq!(THOUSAND.len(), 1000);
    for (route, key) in KEYS.iter().enumerate() {
        assert_eq!(THOUSAND.get(key), Some(&route));
        assert_same(THOUSAND.as_ref(), &heap, key);
        assert_same(THOUSAND.as_ref(), &heap, &[key, b"/x".as_slice()].concat());
        assert_same(THOUSAND.as_ref(), &heap, &key[..key.len() - 1]);
    }
    assert!(THOUSAND.iter().map(|(key, _)| key).eq(KEYS));
}

fn build<'a>(
    memory: &'a mut (Vec<u32>, Vec<u8>),
    keys: &[&[u8]],
    values: &'a [u8],
) -> Result<TrieRef<'a, u8>, BuildError> {
    TrieRef::build_in(&mut memory.0, &mut memory.1, keys, values)
}

#[test]
fn what_cannot_be_built_is_named() {
    let room = || (vec![0; 1000], vec![0; 2000]);
    let long = [b'x'; MAX_KEY_LEN + 1];
    let keys: [&[u8]; 3] = [b"/a", b"/b", b"/a"];

    let error = build(&mut room(), &keys, &[1, 2, 3]).expect_err("twice");
    assert_eq!(error, BuildError::Duplicate { key: 2, first: 0 });
    assert_eq!(error.to_string(), "key 2 is the same as key 0");

    let error = build(&mut room(), &[b"", &long], &[1, 2]).expect_err("too long");
    assert_eq!(
        error,
        BuildError::Limit {
            key: 1,
            limit: Limit::KeyLength
        }
    );
    assert_eq!(
        error.to_string(),
        "cannot add key 1: key is longer than 1023 bytes"
    );

    assert_eq!(
        build(&mut room(), &keys[..2], &[1]).expect_err("a value is missing"),
        BuildError::ValueCount
    );
    let words = max_node_words(2);
    let bytes = record_bytes(&keys[..2]);
    let short = build(&mut (vec![0; words - 1], vec![0; bytes]), &keys[..2], &[1, 2]).expect_err("no room");
    assert_eq!(short, BuildError::Memory);
    let short = build(&mut (vec![0; words], vec![0; bytes - 1]), &keys[..2], &[1, 2]).expect_err("no room");
    assert_eq!(short, BuildError::Memory);
    let mut exact = (vec![0; words], vec![0; bytes]);
    assert_eq!(
        build(&mut exact, &keys[..2], &[1, 2]).expect("room").get(b"/b"),
        Some(&2)
    );
}

proptest! {
    /// Memory of exactly the documented size is enough for any keys, and what was in it does not matter.
    #[test]
    fn lent_memory_equals_the_heap(
        keys in hash_set(prop_oneof![
            vec(prop::sample::select(&b"/ai"[..]), 0..6),
            vec(any::<u8>(), 0..3),
            vec(any::<u8>(), 0..50),
        ], 0..120),
        tail in vec(any::<u8>(), 0..9),
        dirt in any::<u8>(),
    ) {
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        let values: Vec<usize> = (0..keys.len()).collect();
        let mut nodes = vec![u32::from(dirt); max_node_words(keys.len())];
        let mut records = vec![dirt; record_bytes(&keys)];
        let lent = TrieRef::build_in(&mut nodes, &mut records, &keys, &values).expect("room for all");
        let heap = on_heap(keys.iter().copied().zip(&values));
        prop_assert_eq!(lent.len(), keys.len());
        prop_assert!(lent.iter().map(|(key, _)| key).eq(keys.iter().copied()));
        for key in &keys {
            assert_same(lent, &heap, key);
            assert_same(lent, &heap, &[key, tail.as_slice()].concat());
            assert_same(lent, &heap, &key[..key.len() / 2]);
        }
    }
}
