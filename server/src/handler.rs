//! What answers requests.

use crate::{IntoResponse, Request, Response};

/// Answers requests. Plain functions and closures over `&mut Request` are handlers.
///
/// A handler runs on a coroutine of its own: it may read the body as if that blocked. It shares its worker's thread
/// with all other connections of that worker, so it must not block in any other way, and it may not keep a borrow of
/// thread-local data across a read.
///
/// ```
/// use anglerfish::{Handler, Request, Response};
///
/// fn hello(request: &mut Request<'_>) -> Response {
///     Response::text(format!("you asked for {}\n", request.path()))
/// }
/// let _: &dyn Handler = &hello;
/// ```
pub trait Handler: Send + Sync + 'static {
    /// Answers `request`. A panic is logged, answered with `500` and closes the connection.
    fn handle(&self, request: &mut Request<'_>) -> Response;

    /// What a listing of the routes says about this handler.
    fn describe(&self) -> String {
        String::from("handler")
    }
}

impl<F, R> Handler for F
where
    F: Fn(&mut Request<'_>) -> R + Send + Sync + 'static,
    R: IntoResponse,
{
    fn handle(&self, request: &mut Request<'_>) -> Response {
        self(request).into_response()
    }
}
