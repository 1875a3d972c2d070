//! Two handlers and a folder.
//!
//! `cargo run --release -p anglerfish --example hello -- --listen 127.0.0.1:8080 --root ./public`

use std::io::Write;

use anglerfish::{BodyError, Files, Request, Response, Server, Status};

fn hello(_: &mut Request<'_>) -> &'static str {
    "hello world\n"
}

/// Answers with what was sent.
fn echo(request: &mut Request<'_>) -> Result<Response, BodyError> {
    if request.method() != "POST" {
        return Ok(Response::page(Status::METHOD_NOT_ALLOWED));
    }
    Ok(Response::bytes(request.body().read_to_vec()?))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut builder = Server::builder()
        .workers(1)
        .route("/hello", hello)
        .route("/echo", echo);
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let value = arguments
            .next()
            .ok_or_else(|| format!("{argument} needs a value"))?;
        builder = match argument.as_str() {
            "--listen" => builder.listen_on(value)?,
            "--root" => builder.route("/", Files::new(value)?),
            _ => {
                return Err(
                    format!("unknown argument {argument}; known are --listen ADDR and --root DIR").into(),
                );
            }
        };
    }
    let server = builder.build()?;
    for address in server.addresses() {
        println!("http://{address}/hello");
    }
    std::io::stdout().flush()?;
    server.run()?;
    Ok(())
}
