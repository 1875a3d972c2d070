//! Which handler answers a path.

use std::sync::Arc;

use trie8::Trie;

use crate::{Error, Handler};

/// Handlers by path. The longest registered path that is the request's path or ends at one of its slashes wins.
#[derive(Default)]
pub(crate) struct Router {
    trie: Trie<Arc<dyn Handler>>,
}

impl Router {
    /// Registers `handler` for `path` and what is below it.
    pub(crate) fn insert(&mut self, path: &str, handler: Arc<dyn Handler>) -> Result<(), Error> {
        if !path.starts_with('/') {
            return Err(Error::InvalidRoute {
                path: path.into(),
                reason: "a path starts with a slash",
            });
        }
        if path.contains(['?', '#', '%']) {
            let reason = "a path is written decoded, without query and fragment";
            return Err(Error::InvalidRoute {
                path: path.into(),
                reason,
            });
        }
        match self.trie.insert(path.as_bytes(), handler) {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(Error::DuplicateRoute { path: path.into() }),
            Err(_) => Err(Error::InvalidRoute {
                path: path.into(),
                reason: "the path is too long",
            }),
        }
    }

    /// The handler for `path` and the length of the path that it is registered for.
    pub(crate) fn find(&self, path: &str) -> Option<(&dyn Handler, usize)> {
        let found = self.trie.longest_segment_prefix(path.as_bytes())?;
        Some((&**found.value, found.len))
    }

    /// Every path with its handler's description, in the order in which they are tried: longest first.
    pub(crate) fn describe(&self) -> Vec<(String, String)> {
        let mut routes: Vec<_> = self
            .trie
            .iter()
            .map(|(path, handler)| (String::from_utf8_lossy(path).into_owned(), handler.describe()))
            .collect();
        routes.sort_by(|(a, _), (b, _)| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        routes
    }
}

impl core::fmt::Debug for Router {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_map().entries(self.describe()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Request, Response};

    fn router(paths: &[&str]) -> Router {
        let mut router = Router::default();
        for path in paths {
            router
                .insert(path, Arc::new(|_: &mut Request<'_>| Response::text("")))
                .unwrap();
        }
        router
    }

    fn length(router: &Router, path: &str) -> Option<usize> {
        router.find(path).map(|(_, length)| length)
    }

    #[test]
    fn the_longest_path_at_a_segment_boundary_wins() {
        let router = router(&["/", "/static", "/static/js/", "/a"]);
        assert_eq!(length(&router, "/static/css/x"), Some(7));
        assert_eq!(length(&router, "/static/js/x"), Some(11));
        assert_eq!(length(&router, "/static/js"), Some(7));
        assert_eq!(length(&router, "/statics"), Some(1));
        for path in ["/index.html", "/1", "/i", "/quux"] {
            assert_eq!(length(&router, path), Some(1), "{path}");
        }
    }

    #[test]
    fn without_a_root_there_may_be_no_handler() {
        assert_eq!(length(&router(&["/a"]), "/b"), None);
        assert_eq!(length(&router(&["/a"]), "*"), None);
    }

    #[test]
    fn bad_paths_are_refused() {
        let mut router = router(&["/a"]);
        let handler = || Arc::new(|_: &mut Request<'_>| Response::text(""));
        assert!(matches!(
            router.insert("/a", handler()),
            Err(Error::DuplicateRoute { .. })
        ));
        for path in ["", "a", "/a?b", "/%61", "/a#b"] {
            assert!(
                matches!(router.insert(path, handler()), Err(Error::InvalidRoute { .. })),
                "{path}"
            );
        }
    }
}
