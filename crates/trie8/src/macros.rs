/// Declares a `static` trie that the compiler builds: all of it is read-only data, and no code runs for it at
/// start.
///
/// The declared item is a `static` [`TrieRef`](crate::TrieRef). Keys are constant expressions of type `&str`, `&[u8]`
/// or `&[u8; N]`. Values are constant expressions of the given type, which must be `Sync`.
///
/// ```
/// trie8::static_trie! {
///     /// Who answers what.
///     static ROUTES: &str = {
///         "/" => "index",
///         "/static" => "files",
///         b"/\xff" => "odd",
///     };
/// }
/// assert_eq!(ROUTES.longest_prefix(b"/static/logo.svg").map(|found| *found.value), Some("files"));
/// ```
///
/// A key that is there twice does not compile, and neither does one that breaks a limit:
///
/// ```compile_fail,E0080
/// trie8::static_trie! {
///     static ROUTES: u8 = {
///         "/a" => 1,
///         "/b" => 2,
///         "/a" => 3,
///     };
/// }
/// ```
///
/// Construction takes the compiler time proportional to the length of the keys; a thousand routes stay far below the
/// limit of the `long_running_const_eval` lint.
#[macro_export]
macro_rules! static_trie {
    ($(#[$attribute:meta])* $visibility:vis static $name:ident: $value_type:ty = {
        $($key:expr => $value:expr),* $(,)?
    };) => {
        $(#[$attribute])*
        $visibility static $name: $crate::TrieRef<'static, $value_type> = {
            const KEYS: &[&[u8]] = &[$($crate::__private::Key($key).bytes()),*];
            const N: usize = KEYS.len();
            const ROOM: usize = $crate::max_node_words(N) / 8;
            const BYTES: usize = $crate::record_bytes(KEYS);
            const PLAN: $crate::Plan<N, ROOM, BYTES> = $crate::Plan::new(KEYS.first_chunk().unwrap());
            static TRIE: $crate::StaticTrie<$value_type, N, { PLAN.blocks() }, BYTES> =
                $crate::StaticTrie::new(&PLAN, [$($value),*]);
            TRIE.as_ref()
        };
    };
}

/// What the expansion of [`static_trie!`](crate::static_trie) needs; not part of the API.
#[doc(hidden)]
pub mod __private {
    /// A key in one of the types that it may be written in.
    #[derive(Debug)]
    pub struct Key<K>(pub K);

    impl Key<&'static str> {
        pub const fn bytes(self) -> &'static [u8] {
            self.0.as_bytes()
        }
    }

    impl Key<&'static [u8]> {
        pub const fn bytes(self) -> &'static [u8] {
            self.0
        }
    }

    impl<const N: usize> Key<&'static [u8; N]> {
        pub const fn bytes(self) -> &'static [u8] {
            self.0
        }
    }
}
