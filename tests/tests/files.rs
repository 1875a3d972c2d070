//! Files as they are served: whole, in part, from a cache of the client, compressed, and never from outside the folder.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anglerfish::{Builder, Files};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use system_tests::client::{Client, PATIENCE, Response, get, post, request};
use system_tests::server::{Running, pattern, standard};
use tempfile::TempDir;

/// What no response may hold.
const SECRET: &str = "what lies outside";

/// A folder to serve, with something beside it that must not be served.
struct Site {
    folder: TempDir,
}

impl Site {
    fn new() -> Self {
        let site = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        fs::create_dir(site.root()).expect("a folder");
        fs::write(site.outside("secret"), SECRET).expect("a file");
        site
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    fn outside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    fn builder(&self) -> Builder {
        let files = || Files::new(self.root()).expect("a folder");
        standard().route("/", files()).route("/mounted/here", files())
    }

    fn serve(&self) -> Running {
        Running::start(self.builder())
    }
}

/// The response to a GET on a connection of its own.
fn fetch(server: &Running, target: &str, fields: &str) -> Response {
    let mut client = server.client();
    client.send(get(target, fields));
    client.response()
}

fn set_modified(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    File::options()
        .write(true)
        .open(path)
        .and_then(|file| file.set_modified(time))
        .expect("a time");
}

#[test]
fn a_file_comes_with_what_describes_it() {
    let site = Site::new();
    for (name, kind) in [
        ("a.html", "text/html; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.js", "text/javascript; charset=utf-8"),
        ("a.JSON", "application/json"),
        ("a.svg", "image/svg+xml"),
        ("a.PNG", "image/png"),
        ("a.tar.gz", "application/gzip"),
        ("a.wasm", "application/wasm"),
        ("a.unknown", "application/octet-stream"),
        ("none", "application/octet-stream"),
    ] {
        site.write(name, name);
        set_modified(&site.path(name), 784_111_777);
        let server = site.serve();
        for target in [
            format!("/{name}"),
            format!("/mounted/here/{name}"),
            format!("/{name}?query"),
        ] {
            let response = fetch(&server, &target, "");
            assert_eq!((response.status, response.text().as_str()), (200, name));
            assert_eq!(response.field("Content-Type"), Some(kind));
            assert_eq!(
                response.field("Last-Modified"),
                Some("Sun, 06 Nov 1994 08:49:37 GMT")
            );
            assert_eq!(response.field("Accept-Ranges"), Some("bytes"));
            assert_eq!(response.field("Vary"), None);
            let tag = response.field("ETag").expect("an entity tag");
            assert!(
                tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'),
                "{tag}"
            );
        }
    }
}

#[test]
fn head_says_what_get_would() {
    let site = Site::new();
    site.write("small.txt", pattern(100));
    site.write("large.bin", pattern(100_000));
    site.write("sub/index.html", "index");
    let server = site.serve();
    let mut client = server.client();
    for target in ["/small.txt", "/large.bin", "/sub/", "/sub", "/none"] {
        client.send(get(target, ""));
        let whole = client.response();
        client.send(request("HEAD", target, ""));
        let head = client.response_to("HEAD");
        let fields = |response: &Response| {
            let mut fields = response.fields.clone();
            fields.retain(|(name, _)| name != "Date");
            fields
        };
        assert_eq!(
            (head.status, fields(&head)),
            (whole.status, fields(&whole)),
            "{target}"
        );
        client.expect_silence();
    }
}

#[test]
fn every_size_comes_back_whole() {
    let site = Site::new();
    let sizes = [
        0, 1, 100, 8191, 8192, 16_383, 16_384, 16_385, 65_536, 1_048_577, 5_000_000, 20_000_000,
    ];
    for size in sizes {
        site.write(&size.to_string(), pattern(size));
    }
    let server = site.serve();
    let mut client = server.client();
    for size in sizes {
        // Twice, since the second one is remembered.
        for _ in 0..2 {
            client.send(get(&format!("/{size}"), ""));
            assert!(client.response().body == pattern(size), "{size} bytes");
        }
    }
    client.expect_silence();
}

#[test]
fn a_slow_reader_gets_the_whole_file_while_others_are_served() {
    let site = Site::new();
    let content = pattern(8_000_000);
    site.write("big", &content);
    let server = site.serve();
    let mut slow = Client::connect_narrow(server.address(), 2048);
    slow.send(get("/big", "") + &get("/ping", ""));
    let head = slow.try_head().expect("a head");
    assert_eq!(head.field("Content-Length"), Some("8000000"));
    let mut received = Vec::new();
    while received.len() < content.len() {
        let piece = slow.read_some(50_000.min(content.len() - received.len()));
        assert!(!piece.is_empty(), "the file ends after {} bytes", received.len());
        received.extend_from_slice(&piece);
        if received.len() % 7 == 0 {
            assert_eq!(fetch(&server, "/ping", "").text(), "pong");
        }
    }
    assert!(received == content);
    assert_eq!(slow.response().text(), "pong");
}

#[test]
fn a_folder_is_its_index_behind_its_slash() {
    let site = Site::new();
    site.write("index.html", "top");
    site.write("sub/index.html", "below");
    site.write("two words/ümlaut/index.html", "odd");
    site.write("bare/file", "x");
    site.write("other.example/index.html", "name like a host");
    site.write("file", "x");
    let server = site.serve();
    for (target, text) in [
        ("/", "top"),
        ("/sub/", "below"),
        ("/sub/index.html", "below"),
        ("//sub//", "below"),
        ("/mounted/here/", "top"),
        ("/mounted/here/sub/", "below"),
        ("/two%20words/%C3%BCmlaut/", "odd"),
    ] {
        let response = fetch(&server, target, "");
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, text),
            "{target}"
        );
    }
    for (target, location) in [
        ("/sub", "/sub/"),
        ("/sub?a=b&c", "/sub/?a=b&c"),
        ("/sub?", "/sub/?"),
        ("/mounted/here", "/mounted/here/"),
        ("/mounted/here/sub?q", "/mounted/here/sub/?q"),
        ("/two%20words/%C3%BCmlaut", "/two%20words/%C3%BCmlaut/"),
        ("/bare", "/bare/"),
        // A reference that begins with two slashes names a host.
        ("//other.example", "/other.example/"),
        ("///other.example", "/other.example/"),
        ("http://test//other.example", "/other.example/"),
    ] {
        let response = fetch(&server, target, "");
        assert_eq!(
            (response.status, response.field("Location")),
            (301, Some(location)),
            "{target}"
        );
    }
    for target in [
        "/bare/",
        "/file/",
        "/file/x",
        "/none",
        "/none/",
        "/sub/none",
        "/mounted/here/none",
    ] {
        assert_eq!(fetch(&server, target, "").status, 404, "{target}");
    }
    assert_eq!(fetch(&server, &format!("/{}", "x".repeat(300)), "").status, 404);
    assert_eq!(fetch(&server, &format!("/{}", "x/".repeat(5000)), "").status, 404);
}

#[test]
fn any_name_can_be_asked_for() {
    let site = Site::new();
    let server = site.serve();
    for (name, target) in [
        ("a b", "/a%20b"),
        ("100%", "/100%25"),
        ("%41", "/%2541"),
        ("q?q", "/q%3Fq"),
        ("h#h", "/h%23h"),
        ("back\\slash", "/back\\slash"),
        ("back\\slash", "/back%5Cslash"),
        ("plus+semi;colon:", "/plus+semi;colon:"),
        ("café", "/caf%C3%A9"),
        ("日本", "/%E6%97%A5%E6%9C%AC"),
        ("..twodots..", "/..twodots.."),
        ("...", "/..."),
    ] {
        site.write(name, name);
        let response = fetch(&server, target, "");
        let hidden = name.starts_with('.');
        assert_eq!(response.status, if hidden { 404 } else { 200 }, "{target}");
        assert!(hidden || response.text() == name);
    }
}

#[test]
fn a_client_that_has_a_file_does_not_get_it_again() {
    let site = Site::new();
    site.write("small", pattern(100));
    site.write("big", pattern(100_000));
    for name in ["small", "big"] {
        set_modified(&site.path(name), 784_111_777);
    }
    let server = site.serve();
    for target in ["/small", "/big"] {
        let tag = fetch(&server, target, "")
            .field("ETag")
            .expect("a tag")
            .to_owned();
        for (fields, status) in [
            (format!("If-None-Match: {tag}\r\n"), 304),
            (format!("If-None-Match: W/{tag}\r\n"), 304),
            (format!("if-none-match: \"a,b\" , \"c\",{tag}\r\n"), 304),
            ("If-None-Match: *\r\n".into(), 304),
            ("If-None-Match: \"other\"\r\n".into(), 200),
            (format!("If-None-Match: {}\r\n", tag.trim_matches('"')), 200),
            ("If-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".into(), 304),
            (
                "If-Modified-Since: Sunday, 06-Nov-94 08:49:37 GMT\r\n".into(),
                304,
            ),
            ("If-Modified-Since: Sun Nov  6 08:49:37 1994\r\n".into(), 304),
            ("If-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n".into(), 200),
            ("If-Modified-Since: yesterday\r\n".into(), 200),
            // The tag is the better witness.
            (
                "If-None-Match: \"x\"\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".into(),
                200,
            ),
            (
                format!("If-None-Match: {tag}\r\nIf-Modified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n"),
                304,
            ),
            (format!("If-Match: {tag}\r\n"), 200),
            ("If-Match: *\r\n".into(), 200),
            (format!("If-Match: W/{tag}\r\n"), 412),
            ("If-Match: \"other\"\r\n".into(), 412),
            (
                "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:37 GMT\r\n".into(),
                200,
            ),
            (
                "If-Unmodified-Since: Sun, 06 Nov 1994 08:49:36 GMT\r\n".into(),
                412,
            ),
            (format!("If-Match: {tag}\r\nIf-None-Match: {tag}\r\n"), 304),
        ] {
            let response = fetch(&server, target, &fields);
            assert_eq!(response.status, status, "{fields}");
            if status == 304 {
                assert_eq!(response.field("ETag"), Some(tag.as_str()));
                let mut client = server.client();
                client.send(request("HEAD", target, &fields));
                assert_eq!(client.response_to("HEAD").status, 304);
            }
        }
    }
}

#[test]
fn a_changed_file_is_noticed() {
    let site = Site::new();
    site.write("file", "before");
    let server = site.serve();
    let before = fetch(&server, "/file", "");
    site.write("file", "afterwards");
    let begin = Instant::now();
    let after = loop {
        let response = fetch(&server, "/file", "");
        if response.text() != "before" {
            break response;
        }
        assert!(begin.elapsed() < PATIENCE, "the old content is served for ever");
        thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(after.text(), "afterwards");
    assert_ne!(after.field("ETag"), before.field("ETag"));
}

#[test]
fn parts_of_a_file() {
    let site = Site::new();
    for (name, size) in [("small", 1000), ("big", 100_000)] {
        let content = pattern(size);
        site.write(name, &content);
        set_modified(&site.path(name), 784_111_777);
        let server = site.serve();
        let target = format!("/{name}");
        let whole = fetch(&server, &target, "");
        let tag = whole.field("ETag").expect("a tag").to_owned();
        let last = size - 1;
        for (range, first, end) in [
            ("bytes=0-0".into(), 0, 0),
            ("bytes=0-99".into(), 0, 99),
            ("bytes=500-".into(), 500, last),
            (format!("bytes={last}-"), last, last),
            ("bytes=-1".into(), last, last),
            ("bytes=-500".into(), size - 500, last),
            (format!("bytes=-{}", size + 1), 0, last),
            (format!("bytes=-{}", u64::MAX), 0, last),
            (format!("bytes=0-{}", u64::MAX), 0, last),
            (format!("BYTES=10-{size}"), 10, last),
        ] {
            let response = fetch(&server, &target, &format!("Range: {range}\r\n"));
            assert_eq!(response.status, 206, "{range}");
            let expected = format!("bytes {first}-{end}/{size}");
            assert_eq!(
                response.field("Content-Range"),
                Some(expected.as_str()),
                "{range}"
            );
            assert_eq!(response.field("ETag"), Some(tag.as_str()));
            assert!(response.body == content[first..=end], "{range}");
        }
        for range in [
            format!("bytes={size}-"),
            format!("bytes={size}-{}", size + 9),
            "bytes=-0".into(),
        ] {
            let response = fetch(&server, &target, &format!("Range: {range}\r\n"));
            let expected = format!("bytes */{size}");
            assert_eq!(
                (response.status, response.field("Content-Range")),
                (416, Some(expected.as_str())),
                "{range}"
            );
        }
        for range in [
            "bytes=0-1,5-6",
            "bytes=9-5",
            "bytes=a-b",
            "bytes=",
            "bytes",
            "lines=0-1",
            "bytes=--1",
            "bytes=1-2-3",
        ] {
            let response = fetch(&server, &target, &format!("Range: {range}\r\n"));
            assert_eq!(
                (response.status, response.field("Content-Range")),
                (200, None),
                "{range}"
            );
            assert!(response.body == content, "{range}");
        }
        for (condition, status) in [
            (tag.clone(), 206),
            (format!("W/{tag}"), 200),
            ("\"other\"".into(), 200),
            ("Sun, 06 Nov 1994 08:49:37 GMT".into(), 206),
            ("Sun, 06 Nov 1994 08:49:38 GMT".into(), 200),
            ("yesterday".into(), 200),
        ] {
            let response = fetch(
                &server,
                &target,
                &format!("Range: bytes=1-2\r\nIf-Range: {condition}\r\n"),
            );
            assert_eq!(response.status, status, "{condition}");
        }
        let not_modified = format!("Range: bytes=1-2\r\nIf-None-Match: {tag}\r\n");
        assert_eq!(fetch(&server, &target, &not_modified).status, 304);
        // Ranges are defined for GET alone (RFC 9110, section 14.2).
        let mut client = server.client();
        client.send(request("HEAD", &target, "Range: bytes=1-2\r\n"));
        let head = client.response_to("HEAD");
        let length = size.to_string();
        assert_eq!(
            (head.status, head.field("Content-Length")),
            (200, Some(length.as_str()))
        );
    }
    site.write("void", "");
    let server = site.serve();
    for range in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
        assert_eq!(
            fetch(&server, "/void", &format!("Range: {range}\r\n")).status,
            416,
            "{range}"
        );
    }
}

#[test]
fn a_compressed_sibling_is_served_to_those_who_take_it() {
    let site = Site::new();
    for name in ["a.js", "large.js"] {
        let filler = if name == "a.js" { 10 } else { 50_000 };
        for (suffix, content) in [
            ("", "plain"),
            (".br", "brotli"),
            (".gz", "gzip"),
            (".zst", "zstandard"),
        ] {
            let name = format!("{name}{suffix}");
            site.write(&name, content.repeat(filler));
            set_modified(&site.path(&name), 784_111_777);
        }
    }
    site.write("only.css", "plain");
    site.write("only.css.gz", "gzip");
    set_modified(&site.path("only.css"), 784_111_777);
    let server = site.serve();
    for (target, accept, content, coding) in [
        ("/a.js", "", "plain", None),
        ("/a.js", "deflate, identity", "plain", None),
        ("/a.js", "gzip", "gzip", Some("gzip")),
        ("/a.js", "x-gzip", "gzip", Some("gzip")),
        ("/a.js", "gzip, deflate, br, zstd", "brotli", Some("br")),
        ("/a.js", "gzip;q=1.0, br;q=0.5", "gzip", Some("gzip")),
        (
            "/a.js",
            "br;q=0, zstd;q=0.3, gzip;q=0.2",
            "zstandard",
            Some("zstd"),
        ),
        ("/a.js", "gzip;q=0", "plain", None),
        ("/a.js", "*", "brotli", Some("br")),
        ("/a.js", "*;q=0", "plain", None),
        ("/a.js", "identity, gzip;q=0.5", "plain", None),
        ("/large.js", "zstd", "zstandard", Some("zstd")),
        ("/only.css", "br, gzip", "gzip", Some("gzip")),
        ("/only.css", "br", "plain", None),
    ] {
        let response = fetch(&server, target, &format!("Accept-Encoding: {accept}\r\n"));
        let text = response.text();
        assert!(
            text.starts_with(content) && !text.contains("plainb"),
            "{target} {accept}: {text:.20}"
        );
        assert_eq!(response.field("Content-Encoding"), coding, "{target} {accept}");
        // A cache between must know that the choice depends on the field, whatever was chosen.
        assert_eq!(
            response.field("Vary"),
            Some("Accept-Encoding"),
            "{target} {accept}"
        );
        let kind = if target == "/only.css" {
            "text/css; charset=utf-8"
        } else {
            "text/javascript; charset=utf-8"
        };
        assert_eq!(response.field("Content-Type"), Some(kind), "{target} {accept}");
    }
    // Each representation has a tag of its own, and a part is one of the plain file.
    let plain = fetch(&server, "/large.js", "");
    let coded = fetch(&server, "/large.js", "Accept-Encoding: br\r\n");
    let tag = coded.field("ETag").expect("a tag");
    assert_ne!(plain.field("ETag"), Some(tag));
    let again = format!("Accept-Encoding: br\r\nIf-None-Match: {tag}\r\n");
    assert_eq!(fetch(&server, "/large.js", &again).status, 304);
    assert_eq!(
        fetch(&server, "/large.js", &format!("If-None-Match: {tag}\r\n")).status,
        200
    );
    let part = fetch(
        &server,
        "/large.js",
        "Accept-Encoding: br\r\nRange: bytes=0-4\r\n",
    );
    assert_eq!(
        (part.status, part.text().as_str(), part.field("Content-Encoding")),
        (206, "plain", None)
    );
}

#[test]
fn a_compressed_sibling_that_is_older_than_its_file_is_not_served() {
    let site = Site::new();
    site.write("a.js", "new");
    site.write("a.js.gz", "old");
    set_modified(&site.path("a.js.gz"), 784_111_777);
    fs::create_dir(site.path("a.js.br")).expect("a folder");
    symlink(site.outside("secret"), site.path("a.js.zst")).expect("a link");
    let server = site.serve();
    let response = fetch(&server, "/a.js", "Accept-Encoding: gzip, br, zstd\r\n");
    assert_eq!(
        (response.text().as_str(), response.field("Content-Encoding")),
        ("new", None)
    );
}

#[test]
fn names_with_a_dot_in_front_are_not_there() {
    let site = Site::new();
    for name in [
        ".git/config",
        ".hidden",
        "sub/.hidden",
        "sub/.d/x",
        ".well-known/.x",
        ".well-known/acme",
        ".well-knownx",
    ] {
        site.write(name, SECRET);
    }
    let server = site.serve();
    for target in [
        "/.git/config",
        "/.git/",
        "/.git",
        "/.hidden",
        "/%2ehidden",
        "/%2Ehidden",
        "/sub/.hidden",
        "/sub//.hidden",
        "/sub/.d/x",
        "/.well-known/.x",
        "/.well-knownx",
        "/mounted/here/.hidden",
    ] {
        let response = fetch(&server, target, "");
        assert_eq!(response.status, 404, "{target}");
        assert!(!response.text().contains(SECRET));
    }
    assert_eq!(fetch(&server, "/.well-known/acme", "").text(), SECRET);
}

#[test]
fn what_is_no_file_is_not_there() {
    let site = Site::new();
    let fifo = site.path("fifo");
    rustix::fs::mknodat(CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).expect("a FIFO");
    let _socket = std::os::unix::net::UnixListener::bind(site.path("socket")).expect("a socket");
    symlink("/dev/zero", site.path("zero")).expect("a link");
    symlink("loop", site.path("loop")).expect("a link");
    symlink("nowhere", site.path("dangling")).expect("a link");
    let server = site.serve();
    for target in ["/fifo", "/socket", "/zero", "/loop", "/dangling"] {
        assert_eq!(fetch(&server, target, "").status, 404, "{target}");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_forbidden() {
    let site = Site::new();
    site.write("closed", SECRET);
    site.write("closed-folder/file", SECRET);
    site.write("open", "open");
    for name in ["closed", "closed-folder"] {
        fs::set_permissions(site.path(name), fs::Permissions::from_mode(0o000)).expect("permissions");
    }
    let server = site.builder().build().expect("a server");
    let (address, stop) = (server.addresses()[0], server.stop_handle());
    let running = thread::spawn(move || {
        // Root may read everything; its workers inherit what this thread gives up.
        let mut sets = capabilities(None).expect("capabilities");
        sets.effective
            .remove(CapabilitySet::DAC_OVERRIDE | CapabilitySet::DAC_READ_SEARCH);
        set_capabilities(None, sets).expect("less is always allowed");
        server.run()
    });
    let mut client = Client::connect(address);
    for (target, status) in [
        ("/closed", 403),
        ("/closed-folder/file", 403),
        ("/closed-folder/", 403),
        ("/open", 200),
    ] {
        client.send(get(target, ""));
        let response = client.response();
        assert_eq!(response.status, status, "{target}");
        assert!(!response.text().contains(SECRET));
    }
    stop.stop();
    running.join().expect("no panic").expect("no error");
    // For the removal of the folder.
    fs::set_permissions(site.path("closed-folder"), fs::Permissions::from_mode(0o700)).expect("permissions");
}

#[test]
fn other_methods_are_told_what_there_is() {
    let site = Site::new();
    site.write("file", "x");
    let server = site.serve();
    let mut client = server.client();
    for method in ["POST", "PUT", "DELETE", "PATCH", "get", "TRACE"] {
        client.send(request(method, "/file", ""));
        let response = client.response();
        assert_eq!(
            (response.status, response.field("Allow")),
            (405, Some("GET, HEAD, OPTIONS")),
            "{method}"
        );
    }
    client.send(post("/file", &pattern(1000)));
    assert_eq!(client.response().status, 405);
    client.send(request("OPTIONS", "/file", ""));
    let response = client.response();
    assert_eq!(
        (response.status, response.field("Allow")),
        (204, Some("GET, HEAD, OPTIONS"))
    );
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_ends_the_connection() {
    let site = Site::new();
    site.write("big", pattern(20_000_000));
    let server = site.serve();
    let mut client = Client::connect_narrow(server.address(), 4096);
    client.send(get("/big", "") + &get("/ping", ""));
    let head = client.try_head().expect("a head");
    assert_eq!(head.field("Content-Length"), Some("20000000"));
    let file = File::options()
        .write(true)
        .open(site.path("big"))
        .expect("the file");
    file.set_len(1000).expect("a shorter file");
    let mut received = 0;
    loop {
        let count = client.read_some(1 << 20).len();
        if count == 0 {
            break;
        }
        received += count;
    }
    assert!(received < 20_000_000, "the file was sent before it shrank");
    assert_eq!(fetch(&server, "/ping", "").text(), "pong");
}

/// Ways out that servers have been tricked into.
fn tricks(site: &Site) -> Vec<String> {
    let absolute = site.outside("secret");
    let mut targets: Vec<String> = [
        "/../secret",
        "/..//secret",
        "//../secret",
        "/../root/../secret",
        "/sub/../../secret",
        "/sub/..//../secret",
        "/./../secret",
        "/sub/./../../secret",
        "/%2e%2e/secret",
        "/%2E%2E/secret",
        "/.%2e/secret",
        "/%2e./secret",
        "/..%2fsecret",
        "/..%2Fsecret",
        "/%2e%2e%2fsecret",
        "/sub%2f..%2f..%2fsecret",
        "/sub/%2e%2e/%2e%2e/secret",
        "/..\\secret",
        "/..%5csecret",
        "/%5c..%5csecret",
        "/sub\\..\\..\\secret",
        "/..%00/secret",
        "/%00/../secret",
        "/secret%00.html",
        "/..%0d/secret",
        "/%c0%ae%c0%ae/secret",
        "/%c0%ae%c0%ae%c0%afsecret",
        "/..%c0%afsecret",
        "/%e0%80%ae%e0%80%ae/secret",
        "/%f0%80%80%ae%f0%80%80%ae/secret",
        "/%252e%252e/secret",
        "/%252e%252e%252fsecret",
        "/..%252fsecret",
        "/%u002e%u002e/secret",
        "/....//secret",
        "/..../secret",
        "/..;/secret",
        "/..;x=y/secret",
        "/.../secret",
        "/link-file",
        "/link-folder/secret",
        "/link-up/secret",
        "/link-far/secret",
        "/sub/climb/secret",
        "/link-proc/secret",
        "/link-folder",
        "/link-folder/",
        "/link-up/root/link-up/secret",
        "http://test/../secret",
        "http://test/%2e%2e/secret",
        "/mounted/here/../secret",
        "/mounted/here/../../../secret",
        "/mounted/here/%2e%2e/secret",
        "/mounted/here/link-up/secret",
        "/mounted/here..%2fsecret",
        "/mounted/../../secret",
        "/?/../secret",
        "/sub/?../../secret",
        "/~root/secret",
        "/proc/self/root/etc/passwd",
        "/sub/../sub/../../secret",
    ]
    .map(String::from)
    .into();
    targets.push(absolute.display().to_string());
    targets.push(format!("/{}", absolute.display()));
    targets.push(format!("/link-proc{}", absolute.display()));
    targets
}

fn with_ways_out() -> Site {
    let site = Site::new();
    site.write("index.html", "top");
    site.write("sub/index.html", "below");
    for (target, link) in [
        (site.outside("secret"), "link-file"),
        (site.folder.path().to_path_buf(), "link-folder"),
        ("..".into(), "link-up"),
        (
            "sub/../../../../../../../../../../../../../../../../..".into(),
            "link-far",
        ),
        ("../..".into(), "sub/climb"),
        ("/proc/self/root".into(), "link-proc"),
    ] {
        symlink(target, site.path(link)).expect("a link");
    }
    site
}

fn expect_no_escape(response: &Response, target: &str) {
    assert!(!response.text().contains(SECRET), "{target:?} reached outside");
    assert!(
        matches!(response.status, 200 | 301 | 400 | 404),
        "{target:?}: {}",
        response.status
    );
    if response.status == 200 {
        assert!(
            ["top", "below"].contains(&response.text().as_str()),
            "{target:?} found {}",
            response.text()
        );
    }
    if let Some(location) = response.field("Location") {
        assert!(
            location.starts_with('/') && !location.starts_with("//"),
            "{target:?} leads to {location}"
        );
    }
}

#[test]
fn no_trick_reaches_outside() {
    let site = with_ways_out();
    let server = site.serve();
    for target in tricks(&site) {
        let response = fetch(&server, &target, "");
        expect_no_escape(&response, &target);
        assert!(
            response.status >= 400 || target.contains('?'),
            "{target} is answered with {}",
            response.status
        );
    }
}

#[test]
fn no_mixture_of_tricks_reaches_outside() {
    const PIECES: [&str; 24] = [
        "/",
        "/",
        "/",
        "//",
        "..",
        "..",
        ".",
        "%2e",
        "%2E%2e",
        "%2f",
        "%5c",
        "\\",
        "secret",
        "secret",
        "sub",
        "root",
        "link-up",
        "link-folder",
        "climb",
        "mounted/here",
        ";",
        "%00",
        "?",
        "%c0%ae",
    ];
    let site = with_ways_out();
    let server = site.serve();
    let mut client = server.client();
    let mut state = 7u64;
    for _ in 0..4000 {
        let mut target = String::from("/");
        for _ in 0..state >> 61 {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            target.push_str(PIECES[(state >> 33) as usize % PIECES.len()]);
        }
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        client.send(get(&target, ""));
        let response = client.response();
        expect_no_escape(&response, &target);
        if response.field("Connection") == Some("close") {
            client = server.client();
        }
    }
}

/// The kernel gives up on a link with ".." in it when anything is renamed meanwhile, anywhere.
#[test]
fn renames_elsewhere_disturb_nobody() {
    let site = Site::new();
    site.write("a/file", "found");
    fs::create_dir(site.path("b")).expect("a folder");
    for link in 0..1500 {
        symlink("../a/../a/../a/file", site.path(&format!("b/{link}"))).expect("a link");
    }
    let (one, other) = (site.outside("one"), site.outside("other"));
    fs::write(&one, "").expect("a file");
    fs::write(&other, "").expect("a file");
    let server = site.serve();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE)
                    .expect("the names are exchanged");
            }
        });
        let mut client = server.client();
        let answers: Vec<_> = (0..1500)
            .map(|link| {
                client.send(get(&format!("/b/{link}"), ""));
                client.response()
            })
            .collect();
        done.store(true, Ordering::Relaxed);
        for answer in answers {
            assert_eq!((answer.status, answer.text().as_str()), (200, "found"));
        }
    });
}

/// While requests resolve paths through it, a name is a folder one moment and a link to the outside the next.
#[test]
fn no_race_with_a_link_reaches_outside() {
    const NAMES: usize = 300;
    let site = Site::new();
    fs::create_dir(site.outside("outside")).expect("a folder");
    for name in 0..NAMES {
        site.write(&format!("name/{name}"), "inside");
        fs::write(site.outside("outside").join(name.to_string()), SECRET).expect("a file");
    }
    symlink(site.outside("outside"), site.path("link")).expect("a link");
    let server = site.serve();
    let done = AtomicBool::new(false);
    let (mut found, mut missed) = (0, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let swapped = renameat_with(
                    CWD,
                    site.path("name"),
                    CWD,
                    site.path("link"),
                    RenameFlags::EXCHANGE,
                );
                swapped.expect("the names are exchanged");
            }
        });
        let begin = Instant::now();
        let mut client = server.client();
        // What has been found is remembered for a while and races no more, so the names alternate.
        while begin.elapsed() < Duration::from_secs(3) {
            for name in 0..NAMES {
                client.send(get(&format!("/name/{name}"), ""));
                let response = client.response();
                match response.status {
                    200 if response.text() == "inside" => found += 1,
                    404 => missed += 1,
                    _ => {
                        done.store(true, Ordering::Relaxed);
                        panic!("{} {}", response.status, response.text());
                    }
                }
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(found > 0 && missed > 0, "no race: {found} found, {missed} missed");
}
