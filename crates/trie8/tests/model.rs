//! Every operation against a linear scan over a list of keys.

use proptest::collection::vec;
use proptest::prelude::*;
use trie8::{Match, Trie};

#[derive(Clone, Debug)]
enum Op {
    Insert(Vec<u8>),
    Remove(Vec<u8>),
    RemoveNth(usize),
    Shrink,
    Look(Vec<u8>),
    LookBeyondNth(usize, Vec<u8>),
}

/// Bytes of which some agree in one or two digits and differ in the others.
fn byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        6 => prop::sample::select(&b"/ai"[..]),
        2 => prop::sample::select(&[0, 1, 8, 64, 0xff, b'/' ^ 0x40][..]),
        2 => any::<u8>(),
    ]
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => vec(prop::sample::select(&b"/a"[..]), 0..6),
        4 => vec(byte(), 0..5),
        2 => vec(byte(), 0..40),
        1 => (any::<u8>()).prop_map(|byte| vec![b'/', byte]),
        1 => (any::<u8>()).prop_map(|byte| vec![b'/', byte, b'x']),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        6 => key().prop_map(Op::Insert),
        1 => key().prop_map(Op::Remove),
        3 => any::<usize>().prop_map(Op::RemoveNth),
        1 => Just(Op::Shrink),
        3 => key().prop_map(Op::Look),
        2 => (any::<usize>(), key()).prop_map(|(nth, tail)| Op::LookBeyondNth(nth, tail)),
    ]
}

#[derive(Default)]
struct Model(Vec<(Vec<u8>, usize)>);

impl Model {
    fn position(&self, key: &[u8]) -> Option<usize> {
        self.0.iter().position(|(k, _)| k == key)
    }

    fn prefixes(&self, path: &[u8]) -> Vec<Match<'_, usize>> {
        let mut found: Vec<_> = self
            .0
            .iter()
            .filter(|(key, _)| path.starts_with(key))
            .map(|(key, value)| Match {
                len: key.len(),
                value,
            })
            .collect();
        found.sort_by_key(|found| std::cmp::Reverse(found.len));
        found
    }

    fn segment_prefix(&self, path: &[u8]) -> Option<Match<'_, usize>> {
        self.prefixes(path).into_iter().find(|found| {
            let (key, rest) = path.split_at(found.len);
            key.is_empty() || rest.is_empty() || key.ends_with(b"/") || rest.starts_with(b"/")
        })
    }

    fn nth(&self, nth: usize) -> Option<&[u8]> {
        (!self.0.is_empty()).then(|| &self.0[nth % self.0.len()].0[..])
    }
}

fn check(trie: &Trie<usize>, model: &Model, path: &[u8]) {
    let expected = model.prefixes(path);
    assert_eq!(trie.longest_prefix(path), expected.first().copied());
    assert_eq!(trie.prefixes(path).collect::<Vec<_>>(), expected);
    assert_eq!(trie.longest_segment_prefix(path), model.segment_prefix(path));
    assert_eq!(trie.get(path), model.position(path).map(|at| &model.0[at].1));
}

fn run(ops: Vec<Op>) {
    let mut trie = Trie::new();
    let mut model = Model::default();
    for (stamp, op) in ops.into_iter().enumerate() {
        match op {
            Op::Insert(key) => {
                let old = model.position(&key).map(|at| model.0.swap_remove(at).1);
                model.0.push((key.clone(), stamp));
                assert_eq!(trie.insert(&key, stamp).expect("within the limits"), old);
                check(&trie, &model, &key);
            }
            Op::Remove(key) => {
                let old = model.position(&key).map(|at| model.0.swap_remove(at).1);
                assert_eq!(trie.remove(&key), old);
                check(&trie, &model, &key);
            }
            Op::RemoveNth(nth) => {
                if !model.0.is_empty() {
                    let (key, value) = model.0.swap_remove(nth % model.0.len());
                    assert_eq!(trie.remove(&key), Some(value));
                    check(&trie, &model, &key);
                }
            }
            Op::Shrink => trie.shrink_to_fit(),
            Op::Look(path) => check(&trie, &model, &path),
            Op::LookBeyondNth(nth, tail) => {
                let path = [model.nth(nth).unwrap_or_default(), &tail].concat();
                check(&trie, &model, &path);
            }
        }
        assert_eq!(trie.len(), model.0.len());
        assert_eq!(trie.is_empty(), model.0.is_empty());
    }

    let mut listed: Vec<_> = trie.iter().map(|(key, &value)| (key.to_vec(), value)).collect();
    listed.sort();
    model.0.sort();
    assert_eq!(listed, model.0);
    for (key, value) in &mut model.0 {
        *value += 1;
        *trie.get_mut(key).expect("registered") += 1;
    }
    for at in 0..model.0.len() {
        let key = model.0[at].0.clone();
        check(&trie, &model, &key);
        check(&trie, &model, &key[..key.len() / 2]);
    }
    for (key, value) in std::mem::take(&mut model.0) {
        assert_eq!(trie.remove(&key), Some(value));
    }
    assert!(trie.is_empty());
    assert_eq!(trie.longest_prefix(b"/"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn equals_a_linear_scan(ops in vec(op(), 0..200)) {
        run(ops);
    }

    #[test]
    fn equals_a_linear_scan_with_many_siblings(bytes in vec((any::<u8>(), any::<bool>()), 0..300)) {
        run(bytes
            .into_iter()
            .map(|(byte, insert)| match insert {
                true => Op::Insert(vec![b'/', byte]),
                false => Op::RemoveNth(byte.into()),
            })
            .collect());
    }
}
