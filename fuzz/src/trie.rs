//! The trie against a list of keys that is searched from one end to the other.

use trie8::{Limit, MAX_KEY_LEN, Trie, TrieRef, max_node_words, record_bytes};

use super::input::Input;

/// Keys are made of short pieces, so that they often start with one another.
///
/// # Panics
///
/// Where the two disagree.
pub fn run(data: &[u8]) {
    let mut input = Input::new(data);
    let mut trie = Trie::new();
    let mut model: Vec<(Vec<u8>, u64)> = Vec::new();
    let mut value = 0;
    while !input.is_empty() {
        let operation = input.byte() % 8;
        let key = key(&mut input, &model);
        match operation {
            0..=2 => {
                value += 1;
                insert(&mut trie, &mut model, &key, value);
            }
            3 => {
                let found = model.iter().position(|(known, _)| *known == key);
                assert_eq!(trie.remove(&key), found.map(|index| model.swap_remove(index).1));
            }
            4 => {
                trie.clear();
                model.clear();
            }
            5 => trie.shrink_to_fit(),
            _ => look_up(trie.as_ref(), &model, &key),
        }
        assert_eq!((trie.len(), trie.is_empty()), (model.len(), model.is_empty()));
    }
    for (key, value) in &model {
        assert_eq!(trie.get(key), Some(value));
        look_up(trie.as_ref(), &model, key);
    }
    build_in_lent_memory(&model);
    let mut all: Vec<(Vec<u8>, u64)> = trie.iter().map(|(key, value)| (key.to_vec(), *value)).collect();
    all.sort();
    model.sort();
    assert_eq!(all, model);
}

/// The same keys in slices of the documented size, as a program without an allocator has them.
fn build_in_lent_memory(model: &[(Vec<u8>, u64)]) {
    let keys: Vec<&[u8]> = model.iter().map(|(key, _)| key.as_slice()).collect();
    let values: Vec<u64> = model.iter().map(|(_, value)| *value).collect();
    let mut nodes = vec![u32::MAX; max_node_words(keys.len())];
    let mut records = vec![u8::MAX; record_bytes(&keys)];
    let trie = TrieRef::build_in(&mut nodes, &mut records, &keys, &values).expect("room for all");
    for key in keys {
        look_up(trie, model, key);
    }
}

/// A new key, a known one with another end, or one near the limit of length.
fn key(input: &mut Input<'_>, model: &[(Vec<u8>, u64)]) -> Vec<u8> {
    let kind = input.byte();
    let piece = input.bytes();
    let known = model
        .get(usize::from(kind / 4) % model.len().max(1))
        .map_or(&[][..], |(key, _)| key);
    match kind % 4 {
        0 => piece.to_vec(),
        1 => [known, piece].concat(),
        2 => known[..known.len() - known.len().min(piece.len())].to_vec(),
        _ => piece
            .iter()
            .copied()
            .cycle()
            .take(MAX_KEY_LEN - 8 + usize::from(kind / 4 % 16))
            .collect(),
    }
}

fn insert(trie: &mut Trie<u64>, model: &mut Vec<(Vec<u8>, u64)>, key: &[u8], value: u64) {
    let result = trie.insert(key, value);
    if key.len() > MAX_KEY_LEN {
        let error = result.expect_err("longer than the limit");
        assert_eq!((error.limit(), error.into_value()), (Limit::KeyLength, value));
        return;
    }
    let old = match model.iter_mut().find(|(known, _)| known == key) {
        Some((_, old)) => Some(std::mem::replace(old, value)),
        None => {
            model.push((key.to_vec(), value));
            None
        }
    };
    assert_eq!(result.expect("within the limits"), old);
}

fn look_up(trie: TrieRef<'_, u64>, model: &[(Vec<u8>, u64)], path: &[u8]) {
    let mut prefixes: Vec<(usize, u64)> = model
        .iter()
        .filter(|(key, _)| path.starts_with(key))
        .map(|(key, value)| (key.len(), *value))
        .collect();
    prefixes.sort_by(|a, b| b.cmp(a));
    let found: Vec<(usize, u64)> = trie
        .prefixes(path)
        .map(|found| (found.len, *found.value))
        .collect();
    assert_eq!(found, prefixes);
    let longest = trie.longest_prefix(path).map(|found| (found.len, *found.value));
    assert_eq!(longest, prefixes.first().copied());
    let segment = trie
        .longest_segment_prefix(path)
        .map(|found| (found.len, *found.value));
    assert_eq!(
        segment,
        prefixes
            .iter()
            .find(|(length, _)| ends_segment(path, *length))
            .copied()
    );
    let exact = prefixes.first().filter(|(length, _)| *length == path.len());
    assert_eq!(trie.get(path).copied(), exact.map(|(_, value)| *value));
}

fn ends_segment(path: &[u8], length: usize) -> bool {
    length == 0 || length == path.len() || path[length - 1] == b'/' || path[length] == b'/'
}
