//! The pages that the server itself answers with.

use super::status::Status;

/// A short HTML page that names the status.
pub(crate) fn page(status: Status) -> String {
    format!("<!doctype html>\n<title>{status}</title>\n<h1>{status}</h1>\n")
}

/// What `/` answers when there is no folder to serve.
pub(crate) const WELCOME: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<title>anglerfish</title>
<h1>anglerfish is running</h1>
<p>There is no folder <code>./public</code> here, so this page is all there is to serve.
<p>Give a folder to serve your own files: <code>anglerfish ./folder</code>. <code>anglerfish --help</code> says the rest.
</html>
";
