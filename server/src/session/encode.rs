//! Writes the head of a response.

use crate::Response;
use crate::http::date::Date;
use crate::http::field;

/// What the connection knows about a response that the handler does not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Delivery {
    pub(crate) keep_alive: bool,
    /// HTTP/1.0 closes unless it is told otherwise.
    pub(crate) http_1_0: bool,
}

/// Appends the status line and the header section, its empty line included.
pub(crate) fn head(out: &mut Vec<u8>, response: &Response, delivery: Delivery, date: &Date) {
    match response.status.line() {
        Some(line) => out.extend_from_slice(line.as_bytes()),
        None => {
            out.extend_from_slice(b"HTTP/1.1 ");
            out.extend_from_slice(itoa::Buffer::new().format(response.status.code()).as_bytes());
            out.extend_from_slice(b" \r\n");
        }
    }
    out.extend_from_slice(b"Date: ");
    out.extend_from_slice(date.as_bytes());
    if !delivery.keep_alive {
        out.extend_from_slice(b"\r\nConnection: close\r\n");
    } else if delivery.http_1_0 {
        out.extend_from_slice(b"\r\nConnection: keep-alive\r\n");
    } else {
        out.extend_from_slice(b"\r\n");
    }
    match &response.prepared {
        Some(lines) => out.extend_from_slice(lines),
        None if !response.content_type.is_empty() => field::push(out, "Content-Type", &response.content_type),
        None => {}
    }
    for (name, value) in &response.headers {
        field::push(out, name, value);
    }
    // A 304 may say the length of the 200 that it stands for, and a 204 has none (RFC 9110, section 8.6).
    if response.status.allows_content() {
        field::push(
            out,
            "Content-Length",
            itoa::Buffer::new().format(response.content.len()),
        );
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Status;

    fn encoded(response: &Response, keep_alive: bool, http_1_0: bool) -> String {
        let mut out = Vec::new();
        let date = Date::now();
        head(&mut out, response, Delivery { keep_alive, http_1_0 }, &date);
        let date = core::str::from_utf8(date.as_bytes()).unwrap();
        String::from_utf8(out).unwrap().replace(date, "DATE")
    }

    #[test]
    fn a_text_response() {
        let response = Response::text("hello").with_header("X", "y").unwrap();
        assert_eq!(
            encoded(&response, true, false),
            "HTTP/1.1 200 OK\r\nDate: DATE\r\nContent-Type: text/plain; charset=utf-8\r\nX: y\r\nContent-Length: 5\r\n\r\n"
        );
    }

    #[test]
    fn persistence_is_said_where_it_is_not_the_default() {
        let response = Response::new(Status::NO_CONTENT);
        assert_eq!(
            encoded(&response, true, false),
            "HTTP/1.1 204 No Content\r\nDate: DATE\r\n\r\n"
        );
        assert!(encoded(&response, true, true).contains("\r\nConnection: keep-alive\r\n\r\n"));
        assert!(encoded(&response, false, true).contains("\r\nConnection: close\r\n\r\n"));
        assert!(encoded(&response, false, false).contains("\r\nConnection: close\r\n\r\n"));
    }

    #[test]
    fn a_code_without_a_name_has_an_empty_reason() {
        let status = Status::from_code(299).unwrap();
        assert!(encoded(&Response::new(status), true, false).starts_with("HTTP/1.1 299 \r\nDate"));
    }
}
