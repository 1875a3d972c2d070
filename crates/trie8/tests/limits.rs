//! What does not fit is refused and given back.

use trie8::{Limit, MAX_KEY_LEN, MAX_KEYS, Trie};

#[test]
fn a_key_of_the_largest_length_fits_and_a_longer_one_comes_back() {
    let mut trie = Trie::new();
    let mut key = vec![b'x'; MAX_KEY_LEN];
    assert_eq!(trie.insert(&key, "long").expect("fits"), None);
    key[MAX_KEY_LEN - 1] = b'y';
    assert_eq!(trie.insert(&key, "other").expect("fits"), None);
    assert_eq!(trie.get(&key), Some(&"other"));

    key.push(b'z');
    let refused = trie.insert(&key, "longer").expect_err("too long");
    assert_eq!(refused.limit(), Limit::KeyLength);
    assert_eq!(refused.to_string(), "key is longer than 1023 bytes");
    assert_eq!(refused.into_value(), "longer");
    assert_eq!(trie.len(), 2);
    assert_eq!(
        trie.longest_prefix(&key).map(|found| found.len),
        Some(MAX_KEY_LEN)
    );
}

/// Keys whose nodes take the most room: groups of five in wide nodes, until there are as many as there may be, then
/// pairs, each with a node of its own.
fn greedy_key(number: usize) -> Vec<u8> {
    const GROUPS: usize = 18_000;
    let binary = |number: usize| (0..19).map(move |bit| (number >> bit & 1) as u8);
    if number < 5 * GROUPS {
        b"a".iter()
            .copied()
            .chain(binary(number / 5))
            .chain([b'v' + (number % 5) as u8])
            .collect()
    } else {
        b"b".iter().copied().chain(binary(number - 5 * GROUPS)).collect()
    }
}

#[test]
fn the_largest_number_of_keys_fits_and_another_comes_back() {
    let mut trie = Trie::new();
    for number in 0..MAX_KEYS {
        assert_eq!(trie.insert(&greedy_key(number), number).expect("fits"), None);
    }
    let refused = trie.insert(&greedy_key(MAX_KEYS), 0).expect_err("full");
    assert_eq!(refused.limit(), Limit::KeyCount);
    assert_eq!(refused.to_string(), "trie already holds 400000 keys");
    assert_eq!(trie.insert(&greedy_key(7), 8).expect("replaces"), Some(7));
    for number in (0..MAX_KEYS).step_by(1000) {
        assert_eq!(trie.remove(&greedy_key(number)), Some(number));
    }
    for number in (1..MAX_KEYS).step_by(997).filter(|number| number % 1000 != 0) {
        assert_eq!(trie.get(&greedy_key(number)), Some(&number));
    }
}
