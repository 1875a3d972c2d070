//! Paths that a trie of the low three bits alone, without comparing keys, answers wrongly.

use trie8::Trie;

fn trie(keys: &[&'static str]) -> Trie<&'static str> {
    let mut trie = Trie::new();
    for &key in keys {
        assert_eq!(trie.insert(key.as_bytes(), key), Ok(None));
    }
    trie
}

fn longest(trie: &Trie<&'static str>, path: &str) -> Option<&'static str> {
    let found = trie.longest_prefix(path.as_bytes())?;
    assert_eq!(found.len, found.value.len());
    Some(found.value)
}

#[test]
fn equal_low_bits_do_not_match() {
    let trie = trie(&["/", "/a"]);
    for path in ["/index.html", "/1", "/quux", "/i"] {
        assert_eq!(longest(&trie, path), Some("/"), "{path}");
    }
    assert_eq!(longest(&trie, "/a"), Some("/a"));
    assert_eq!(longest(&trie, "/about"), Some("/a"));
}

#[test]
fn colliding_keys_are_two_keys() {
    let trie = trie(&["/a", "/i"]);
    assert_eq!(trie.len(), 2);
    assert_eq!(longest(&trie, "/a"), Some("/a"));
    assert_eq!(longest(&trie, "/i"), Some("/i"));
    assert_eq!(longest(&trie, "/q"), None);
}

#[test]
fn a_collision_in_every_byte_does_not_match() {
    let trie = trie(&["/", "/static"]);
    assert_eq!(longest(&trie, "/cdadac/x"), Some("/"));
    assert_eq!(longest(&trie, "/static/x"), Some("/static"));
}

#[test]
fn a_protected_path_is_not_reached_by_another_name() {
    let trie = trie(&["/admin", "/"]);
    assert_eq!(longest(&trie, "/iduyv/secret"), Some("/"));
    assert_eq!(longest(&trie, "/admin/secret"), Some("/admin"));
}

/// A deeper branch that fails must not hide the shorter key that matches.
#[test]
fn falls_back_to_the_shorter_key() {
    let trie = trie(&["/foo", "/foo/bar", "/foo/bar/baz/quux"]);
    assert_eq!(longest(&trie, "/foo/"), Some("/foo"));
    assert_eq!(longest(&trie, "/foo/ba"), Some("/foo"));
    assert_eq!(longest(&trie, "/foo/bar/baz/quu"), Some("/foo/bar"));
    assert_eq!(longest(&trie, "/fo"), None);
}
