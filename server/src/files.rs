//! Static files: a folder served as it is.

use std::borrow::Cow;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::http::conditional::{Preconditions, Verdict, range_applies};
use crate::http::range::{self, Range};
use crate::http::{field, negotiate};
use crate::response::Content;
use crate::store::{self, Found, Resource, Variant};
use crate::{Handler, Request, Response, Status};

/// What stands percent-encoded in the path of a Location field (RFC 3986, section 3.3, and the percent sign).
const PATH: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'%')
    .add(b'<')
    .add(b'>')
    .add(b'?')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'|')
    .add(b'}');

/// Serves the files below one folder.
///
/// `GET` and `HEAD` are answered with validators (ETag, Last-Modified), single ranges, the file's media type, and a
/// sibling `.br`, `.zst` or `.gz` where the client takes it and it is not older than the file. A path that ends in `/`
/// serves `index.html`; a folder without its slash is redirected to it. Nothing outside the folder is reached: the
/// kernel resolves each path beneath it, symbolic links included (`openat2`; kernels without it get no symbolic links
/// at all). Names that begin with a dot are hidden, but for `.well-known`.
///
/// A worker keeps what it has read for a second, files up to 16 KiB in memory and larger ones open, and looks again
/// after that.
#[derive(Debug)]
pub struct Files {
    root: Arc<OwnedFd>,
    path: PathBuf,
}

impl Files {
    /// Serves what is below the folder `path`.
    ///
    /// # Errors
    ///
    /// The system's error when `path` is not there, is not a folder or may not be opened.
    pub fn new(path: impl AsRef<Path>) -> io::Result<Self> {
        let path = path.as_ref();
        Ok(Self {
            root: Arc::new(store::folder(path)?),
            path: path.to_path_buf(),
        })
    }

    fn get(&self, request: &Request<'_>) -> Response {
        let tail = request.tail();
        if request.has_dots() && is_hidden(tail) {
            return Response::page(Status::NOT_FOUND);
        }
        match request.context().resource(&self.root, tail) {
            Ok(Found::File(resource)) => respond(request, &resource),
            Ok(Found::Folder) => redirect_to_folder(request),
            Err(status) => Response::page(status),
        }
    }
}

impl Handler for Files {
    fn handle(&self, request: &mut Request<'_>) -> Response {
        const ALLOW: &str = "GET, HEAD, OPTIONS";
        let refused = match request.method() {
            "GET" | "HEAD" => return self.get(request),
            "OPTIONS" => Response::new(Status::NO_CONTENT),
            _ => Response::page(Status::METHOD_NOT_ALLOWED),
        };
        refused
            .with_header("Allow", ALLOW)
            .unwrap_or_else(crate::IntoResponse::into_response)
    }

    fn describe(&self) -> String {
        format!("files {}", self.path.display())
    }
}

fn is_hidden(path: &str) -> bool {
    path.split('/')
        .any(|segment| segment.starts_with('.') && segment != ".well-known")
}

/// The Location is made from one slash and the path, so that `//host/folder` cannot send a client to `host`.
fn redirect_to_folder(request: &Request<'_>) -> Response {
    let path = utf8_percent_encode(request.path().trim_start_matches('/'), PATH);
    let location = match request.query() {
        Some(query) => format!("/{path}/?{query}"),
        None => format!("/{path}/"),
    };
    Response::redirect(Status::MOVED_PERMANENTLY, location).unwrap_or_else(crate::IntoResponse::into_response)
}

fn respond(request: &Request<'_>, resource: &Rc<Resource>) -> Response {
    let mut fields = Conditions::read(request.headers());
    if request.method() != "GET" {
        // Ranges are defined for GET alone (RFC 9110, section 14.2).
        fields.range = None;
    }
    let coding = match (fields.range, &fields.accept_encoding) {
        (None, Some(accept)) if resource.has_codings() => {
            negotiate::choose(accept, |coding| resource.coded(coding).is_some())
        }
        _ => None,
    };
    let variant = coding
        .and_then(|coding| resource.coded(coding))
        .unwrap_or_else(|| resource.identity());
    let response = Response {
        prepared: Some(variant.fields()),
        ..Response::new(Status::OK)
    };
    match fields.preconditions.evaluate(variant.validators()) {
        Verdict::NotModified => return response.with_status(Status::NOT_MODIFIED),
        Verdict::Failed => return Response::page(Status::PRECONDITION_FAILED),
        Verdict::Proceed => {}
    }
    let applies = fields
        .if_range
        .is_none_or(|value| range_applies(value, variant.validators()));
    let range = match fields.range {
        Some(value) if applies => range::parse(value, variant.len()),
        _ => Range::Whole,
    };
    match range {
        Range::Whole => Response {
            content: variant.content(),
            ..response
        },
        Range::Single { first, last } => partial(response, variant, first, last),
        Range::Unsatisfiable => Response::page(Status::RANGE_NOT_SATISFIABLE)
            .with_header("Content-Range", format!("bytes */{}", variant.len()))
            .unwrap_or_else(crate::IntoResponse::into_response),
    }
}

fn partial(response: Response, variant: &Variant, first: u64, last: u64) -> Response {
    let mut fields = variant.fields().to_vec();
    field::push(
        &mut fields,
        "Content-Range",
        &format!("bytes {first}-{last}/{}", variant.len()),
    );
    let content: Content = variant.part(first, last - first + 1);
    Response {
        prepared: Some(fields.into()),
        content,
        ..response
    }
    .with_status(Status::PARTIAL_CONTENT)
}

/// The request's fields that choose among representations, found in one pass.
#[derive(Default)]
struct Conditions<'a> {
    accept_encoding: Option<Cow<'a, [u8]>>,
    range: Option<&'a [u8]>,
    if_range: Option<&'a [u8]>,
    preconditions: Preconditions<'a>,
}

impl<'a> Conditions<'a> {
    fn read(fields: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut all = Self::default();
        let conditions = &mut all.preconditions;
        for (name, value) in fields {
            match name.len() {
                5 if name.eq_ignore_ascii_case("range") => sole(&mut all.range, value),
                8 if name.eq_ignore_ascii_case("if-range") => sole(&mut all.if_range, value),
                8 if name.eq_ignore_ascii_case("if-match") => joined(&mut conditions.if_match, value),
                13 if name.eq_ignore_ascii_case("if-none-match") => {
                    joined(&mut conditions.if_none_match, value);
                }
                15 if name.eq_ignore_ascii_case("accept-encoding") => joined(&mut all.accept_encoding, value),
                17 if name.eq_ignore_ascii_case("if-modified-since") => {
                    sole(&mut conditions.if_modified_since, value);
                }
                19 if name.eq_ignore_ascii_case("if-unmodified-since") => {
                    sole(&mut conditions.if_unmodified_since, value);
                }
                _ => {}
            }
        }
        all
    }
}

/// A field that has one value. Of several, nobody knows which was meant, so it has one that no grammar accepts.
fn sole<'a>(field: &mut Option<&'a [u8]>, value: &'a [u8]) {
    *field = Some(if field.is_some() { b"" } else { value });
}

/// A field whose value is a list, which may come in several lines (RFC 9110, section 5.3).
fn joined<'a>(field: &mut Option<Cow<'a, [u8]>>, value: &'a [u8]) {
    match field {
        None => *field = Some(Cow::Borrowed(value)),
        Some(list) => {
            let list = list.to_mut();
            list.extend_from_slice(b", ");
            list.extend_from_slice(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dot_names_are_hidden_but_for_the_well_known_folder() {
        for path in ["/.git/config", "/a/.htpasswd", "/.well-known/.x"] {
            assert!(is_hidden(path), "{path}");
        }
        for path in ["/", "/a.b", "/.well-known/x", "/a..b"] {
            assert!(!is_hidden(path), "{path}");
        }
    }

    #[test]
    fn lists_go_on_in_the_next_line_and_single_values_do_not() {
        let fields: [(&str, &[u8]); 6] = [
            ("If-None-Match", b"\"a\""),
            ("If-None-Match", b"\"b\", \"c\""),
            ("Accept-Encoding", b"br"),
            ("Range", b"bytes=0-1"),
            ("range", b"bytes=2-3"),
            ("If-Modified-Since", b"Sun, 06 Nov 1994 08:49:37 GMT"),
        ];
        let all = Conditions::read(fields.into_iter());
        assert_eq!(
            all.preconditions.if_none_match.as_deref(),
            Some(&b"\"a\", \"b\", \"c\""[..])
        );
        assert_eq!(all.accept_encoding.as_deref(), Some(&b"br"[..]));
        assert_eq!(
            all.preconditions.if_modified_since,
            Some(&b"Sun, 06 Nov 1994 08:49:37 GMT"[..])
        );
        let range = all.range.expect("a value that says nothing");
        assert!(matches!(range::parse(range, 100), Range::Whole));
    }
}
