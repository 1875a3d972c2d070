//! Handlers that always say the same.

use crate::http::pages;
use crate::{Handler, Request, Response, Status};

/// Redirects permanently to one location.
#[cfg(feature = "config")]
#[derive(Debug)]
pub(crate) struct Redirect(pub(crate) String);

#[cfg(feature = "config")]
impl Handler for Redirect {
    fn handle(&self, _: &mut Request<'_>) -> Response {
        Response::redirect(Status::PERMANENT_REDIRECT, self.0.clone())
            .unwrap_or_else(crate::IntoResponse::into_response)
    }

    fn describe(&self) -> String {
        format!("redirect {}", self.0)
    }
}

/// Answers with one text.
#[cfg(feature = "config")]
#[derive(Debug)]
pub(crate) struct Text(pub(crate) String);

#[cfg(feature = "config")]
impl Handler for Text {
    fn handle(&self, _: &mut Request<'_>) -> Response {
        Response::text(self.0.clone())
    }

    fn describe(&self) -> String {
        String::from("text")
    }
}

/// Says that the server runs, where it has nothing else to serve.
#[derive(Clone, Copy, Debug, Default)]
pub struct Welcome;

impl Handler for Welcome {
    fn handle(&self, request: &mut Request<'_>) -> Response {
        if request.path() == "/" {
            Response::html(pages::WELCOME)
        } else {
            Response::page(Status::NOT_FOUND)
        }
    }

    fn describe(&self) -> String {
        String::from("the built-in welcome page")
    }
}
