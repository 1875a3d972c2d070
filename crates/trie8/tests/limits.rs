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

/// Keys are added in an order that makes and unmakes many wide nodes before the trie is full.
#[test]
fn the_largest_number_of_keys_fits_and_another_comes_back() {
    let key = |number: usize| (number as u32).wrapping_mul(0x9e37_79b1).to_be_bytes();
    let mut trie = Trie::new();
    for number in 0..MAX_KEYS {
        assert_eq!(trie.insert(&key(number), number).expect("fits"), None);
    }
    let refused = trie.insert(&key(MAX_KEYS), 0).expect_err("full");
    assert_eq!(refused.limit(), Limit::KeyCount);
    assert_eq!(trie.insert(&key(7), 8).expect("replaces"), Some(7));
    for number in (0..MAX_KEYS).step_by(1000) {
        assert_eq!(
            trie.remove(&key(number)),
            Some(if number == 7 { 8 } else { number })
        );
    }
    for number in (1..MAX_KEYS).step_by(997).filter(|number| number % 1000 != 0) {
        assert_eq!(trie.get(&key(number)), Some(&number));
    }
}
