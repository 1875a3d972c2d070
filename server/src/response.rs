//! What a handler answers with.

use core::fmt;
use std::borrow::Cow;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::Status;
use crate::http::head::is_token;
use crate::http::pages;

/// A response to one request.
///
/// The server adds Date, Content-Length and Connection, and drops the content where the method or the status forbids it.
///
/// ```
/// use anglerfish::{Response, Status};
///
/// let response = Response::text("made\n").with_status(Status::CREATED).with_header("Location", "/things/1")?;
/// assert_eq!(response.status(), Status::CREATED);
/// # Ok::<(), anglerfish::InvalidHeader>(())
/// ```
#[derive(Debug)]
pub struct Response {
    pub(crate) status: Status,
    pub(crate) content_type: Cow<'static, str>,
    pub(crate) headers: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    /// Whole field lines, made once for many responses; they take the place of `content_type`.
    pub(crate) prepared: Option<Arc<[u8]>>,
    pub(crate) content: Content,
    /// The connection ends after this response.
    pub(crate) close: bool,
}

/// The content of a response.
#[derive(Debug)]
pub(crate) enum Content {
    Static(&'static [u8]),
    Owned(Vec<u8>),
    Shared(Arc<[u8]>),
    /// A part of an open file. The file may shrink meanwhile; then the connection is cut short.
    File {
        file: Arc<OwnedFd>,
        offset: u64,
        length: u64,
    },
}

impl Content {
    /// Length in bytes.
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Static(bytes) => bytes.len() as u64,
            Self::Owned(bytes) => bytes.len() as u64,
            Self::Shared(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }
}

impl Response {
    /// An empty response, without a Content-Type.
    #[must_use]
    pub const fn new(status: Status) -> Self {
        Self {
            status,
            content_type: Cow::Borrowed(""),
            headers: Vec::new(),
            prepared: None,
            content: Content::Static(b""),
            close: false,
        }
    }

    /// `200 OK` with `text/plain; charset=utf-8`.
    #[must_use]
    pub fn text(content: impl Into<Cow<'static, str>>) -> Self {
        Self::content("text/plain; charset=utf-8", content)
    }

    /// `200 OK` with `text/html; charset=utf-8`.
    #[must_use]
    pub fn html(content: impl Into<Cow<'static, str>>) -> Self {
        Self::content("text/html; charset=utf-8", content)
    }

    fn content(content_type: &'static str, content: impl Into<Cow<'static, str>>) -> Self {
        let content = match content.into() {
            Cow::Borrowed(text) => Content::Static(text.as_bytes()),
            Cow::Owned(text) => Content::Owned(text.into_bytes()),
        };
        Self {
            content_type: Cow::Borrowed(content_type),
            content,
            ..Self::new(Status::OK)
        }
    }

    /// `200 OK` with `application/octet-stream`; another type is set by
    /// [`with_content_type`](Self::with_content_type).
    #[must_use]
    pub fn bytes(content: Vec<u8>) -> Self {
        Self {
            content_type: Cow::Borrowed(crate::http::mime::DEFAULT),
            content: Content::Owned(content),
            ..Self::new(Status::OK)
        }
    }

    /// A short HTML page that names the status.
    #[must_use]
    pub fn page(status: Status) -> Self {
        Self::html(pages::page(status)).with_status(status)
    }

    /// A redirect to `location` with one of the 3xx statuses.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] when `location` holds a control character.
    pub fn redirect(status: Status, location: impl Into<Cow<'static, str>>) -> Result<Self, InvalidHeader> {
        Self::page(status).with_header("Location", location)
    }

    /// The same response with another status.
    #[must_use]
    pub const fn with_status(mut self, status: Status) -> Self {
        self.status = status;
        self
    }

    /// The same response with this media type.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] when the value holds a control character.
    pub fn with_content_type(mut self, value: impl Into<Cow<'static, str>>) -> Result<Self, InvalidHeader> {
        let value = value.into();
        if !is_field_value(&value) {
            return Err(InvalidHeader {
                name: Cow::Borrowed("Content-Type"),
                kind: InvalidHeaderKind::Value,
            });
        }
        self.content_type = value;
        Ok(self)
    }

    /// The same response with one more header field; a name may stand several times.
    ///
    /// # Errors
    ///
    /// [`InvalidHeader`] when the name is not a token, when the value holds a control character (which could end the
    /// field and begin another), or when the field is the server's own: Connection, Content-Length, Content-Type (see
    /// [`with_content_type`](Self::with_content_type)), Date and Transfer-Encoding.
    pub fn with_header(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<Cow<'static, str>>,
    ) -> Result<Self, InvalidHeader> {
        const OWN: [&str; 5] = [
            "connection",
            "content-length",
            "content-type",
            "date",
            "transfer-encoding",
        ];
        let (name, value) = (name.into(), value.into());
        let kind = if !is_token(name.as_bytes()) {
            InvalidHeaderKind::Name
        } else if OWN.iter().any(|own| name.eq_ignore_ascii_case(own)) {
            InvalidHeaderKind::Reserved
        } else if !is_field_value(&value) {
            InvalidHeaderKind::Value
        } else {
            self.headers.push((name, value));
            return Ok(self);
        };
        Err(InvalidHeader { name, kind })
    }

    /// The same response, after which the connection is closed.
    #[must_use]
    pub const fn with_close(mut self) -> Self {
        self.close = true;
        self
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> Status {
        self.status
    }
}

/// What may stand in a field value (RFC 9110, section 5.5).
fn is_field_value(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte == b'\t' || (byte >= b' ' && byte != 0x7f))
}

/// A header field that a response cannot carry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InvalidHeader {
    name: Cow<'static, str>,
    kind: InvalidHeaderKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum InvalidHeaderKind {
    Name,
    Value,
    Reserved,
}

impl fmt::Display for InvalidHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = &self.name;
        match self.kind {
            InvalidHeaderKind::Name => write!(f, "header name {name:?} is not a token"),
            InvalidHeaderKind::Value => write!(f, "value of header {name} holds a control character"),
            InvalidHeaderKind::Reserved => write!(f, "header {name} is set by the server"),
        }
    }
}

impl core::error::Error for InvalidHeader {}

/// What a handler may return instead of a [`Response`].
pub trait IntoResponse {
    /// The response that `self` stands for.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for Status {
    /// An empty response for a 2xx status, else [`Response::page`].
    fn into_response(self) -> Response {
        if self.code() < 300 {
            Response::new(self)
        } else {
            Response::page(self)
        }
    }
}

impl IntoResponse for &'static str {
    /// [`Response::text`]
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for String {
    /// [`Response::text`]
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for Vec<u8> {
    /// [`Response::bytes`]
    fn into_response(self) -> Response {
        Response::bytes(self)
    }
}

impl IntoResponse for InvalidHeader {
    /// `500 Internal Server Error`, and the reason in the log.
    fn into_response(self) -> Response {
        tracing::error!("{self}");
        Response::page(Status::INTERNAL_SERVER_ERROR)
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(value) => value.into_response(),
            Err(error) => error.into_response(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(name: &'static str, value: &'static str) -> String {
        Response::new(Status::OK)
            .with_header(name, value)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn a_field_cannot_smuggle_another() {
        assert_eq!(
            refusal("X", "a\r\nY: b"),
            "value of header X holds a control character"
        );
        assert_eq!(
            refusal("X: y\r\nZ", "a"),
            "header name \"X: y\\r\\nZ\" is not a token"
        );
        assert_eq!(refusal("", "a"), "header name \"\" is not a token");
        assert!(Response::text("").with_content_type("a\n").is_err());
    }

    #[test]
    fn the_fields_of_the_server_are_refused() {
        for name in [
            "content-length",
            "Transfer-Encoding",
            "DATE",
            "Connection",
            "Content-Type",
        ] {
            assert_eq!(refusal(name, "1"), format!("header {name} is set by the server"));
        }
    }

    #[test]
    fn everything_becomes_a_response() {
        assert_eq!("a".into_response().content.len(), 1);
        assert_eq!(String::from("ab").into_response().content.len(), 2);
        assert_eq!(
            vec![0; 3].into_response().content_type,
            "application/octet-stream"
        );
        assert_eq!(Status::NO_CONTENT.into_response().content.len(), 0);
        assert!(Status::NOT_FOUND.into_response().content.len() > 0);
        let failed: Result<&'static str, Status> = Err(Status::CONFLICT);
        assert_eq!(failed.into_response().status(), Status::CONFLICT);
    }
}
