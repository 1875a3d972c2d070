//! What a handler is asked.

use core::fmt;
use std::net::SocketAddr;

use crate::Body;
use crate::http::head::Head;
use crate::session::Context;

/// A request whose head has arrived.
pub struct Request<'a> {
    head: &'a Head<'a>,
    route: usize,
    body: Body<'a>,
}

impl<'a> Request<'a> {
    /// `route` is the length of the registered path that led here.
    pub(crate) const fn new(head: &'a Head<'a>, route: usize, body: Body<'a>) -> Self {
        Self { head, route, body }
    }

    /// The method, as sent: methods are case-sensitive.
    #[must_use]
    pub fn method(&self) -> &str {
        self.head.method
    }

    /// The path, percent-decoded but for `%2F`, each run of slashes as one, without dot segments; `*` for `OPTIONS *`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.head.target.path
    }

    /// The path behind the one that the handler is registered for: `/x` of `/static/x` at `/static`. It begins with a
    /// slash or is empty.
    #[must_use]
    pub fn tail(&self) -> &str {
        let path = self.path();
        let registered = path.get(..self.route).unwrap_or_default();
        // A path registered with its final slash shares that slash with the tail.
        path.get(registered.trim_end_matches('/').len()..)
            .unwrap_or_default()
    }

    /// What follows the first `?` of the target, as sent.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.head.target.query
    }

    /// The value of the first header field with this name, whose case does not matter.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers()
            .find(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// All header fields in their order, names as sent.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.head.fields.iter().map(|field| (field.name, field.value))
    }

    /// The body, which may still be on its way.
    pub const fn body(&mut self) -> &mut Body<'a> {
        &mut self.body
    }

    /// The client's address; `None` when it is gone already.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.body.io().peer()
    }

    pub(crate) const fn has_dots(&self) -> bool {
        self.head.target.has_dots
    }

    pub(crate) fn context(&self) -> &Context {
        self.body.io().context()
    }

    pub(crate) fn into_body(self) -> Body<'a> {
        self.body
    }
}

impl fmt::Debug for Request<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("head", self.head)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}
