//! Routes that are added and taken away while the program runs: `cargo run -p trie8 --features alloc --example router`.

use trie8::Trie;

type Handler = fn(&str) -> String;

fn main() {
    let mut routes: Trie<Handler> = Trie::new();
    let table: [(&str, Handler); 4] = [
        ("/", |rest| format!("page {rest:?}")),
        ("/api/v1", |rest| format!("API call {rest:?}")),
        ("/static", |rest| format!("file {rest:?}")),
        ("/static/img", |rest| format!("image {rest:?}")),
    ];
    for (prefix, handler) in table {
        let replaced = routes
            .insert(prefix.as_bytes(), handler)
            .expect("a short table of short keys");
        assert!(replaced.is_none(), "{prefix} is there twice");
    }
    routes.shrink_to_fit();

    let answer = |routes: &Trie<Handler>, path: &str| match routes.longest_segment_prefix(path.as_bytes()) {
        Some(found) => println!("{path:24} {}", (found.value)(&path[found.len..])),
        None => println!("{path:24} nobody"),
    };
    for path in [
        "/",
        "/static/img/logo.svg",
        "/static/main.css",
        "/statics",
        "/api/v1",
        "*",
    ] {
        answer(&routes, path);
    }

    println!("without /static/img:");
    routes.remove(b"/static/img");
    answer(&routes, "/static/img/logo.svg");

    let tried: Vec<usize> = routes
        .prefixes(b"/static/main.css")
        .map(|found| found.len)
        .collect();
    println!("what /static/main.css may fall back to, by length: {tried:?}");
}
