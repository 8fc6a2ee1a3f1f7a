//! The server of a rack, asked by the command: over the socket in the rack's state folder, and nothing else.
//!
//! Whether somebody serves costs one look at a file. Who left without taking the file away does not answer, and then nobody
//! serves. Nothing here knows what is asked.

use std::fs;
use std::future::Future;
use std::io;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use modrack::text::Source;
use modrack_core::{Cancel, Code, Error, Result};
use rustix::fs::{Mode, OFlags};
use serde_json::Value as Json;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::output::reason;
use crate::wire;

/// The file in the state folder that says who serves.
const PRESENCE: &str = "serve.json";
/// The socket beside it.
const SOCKET: &str = "serve.sock";
/// A socket's address has room for this many bytes of a path.
const LONGEST_PATH: usize = 107;
/// How often a wait for the server is left to see whether the verb was given up.
const PATIENCE: Duration = Duration::from_millis(50);

/// A server that answers.
#[derive(Debug)]
pub(crate) struct Client {
    stream: UnixStream,
    /// What it says of itself: `address`, `rack`, `pid`, `socket`, `started`.
    pub(crate) presence: Json,
}

/// Whether a rack is served.
#[derive(Debug)]
pub(crate) enum Found {
    /// It is.
    Served(Client),
    /// It is not: nothing says so.
    Not,
    /// Something says that it is, and nobody answers; why not.
    Silent(String),
    /// It is not: the server of the state folder has another rack, this one.
    Other(String),
}

/// What a server says instead of doing what it was asked.
#[derive(Debug)]
pub(crate) struct Refused {
    /// Why.
    pub(crate) error: Error,
    /// The whole answer.
    pub(crate) document: Json,
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self { error, document: Json::Null }
    }
}

/// What is heard of a stream of events.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// Whatever happens from now on is heard.
    Begun,
    /// An event.
    Told(Told),
}

/// One event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its name.
    pub(crate) name: String,
    /// What it tells, as JSON text.
    pub(crate) data: String,
}

impl Client {
    /// The server of the rack whose state is in `folder`, and whose file is `rack`.
    pub(crate) fn find(folder: &Path, rack: Option<&Path>) -> Found {
        let Ok(text) = fs::read(folder.join(PRESENCE)) else { return Found::Not };
        let presence: Json = serde_json::from_slice(&text).unwrap_or_default();
        // One state folder may be that of several racks, one after the other.
        if let (Some(theirs), Some(ours)) = (presence["rack"].as_str(), rack) {
            let whole = |path: &Path| match Source::of(path).absolute() {
                Source::File(file) => fs::canonicalize(&file).unwrap_or(file),
                row @ Source::Row(_) => row.file(),
            };
            if whole(Path::new(theirs)) != whole(ours) {
                return Found::Other(theirs.to_owned());
            }
        }
        match connect(folder) {
            Ok(stream) => Found::Served(Self { stream, presence }),
            Err(why) => Found::Silent(reason(&why).to_string()),
        }
    }

    /// Asks once, and gives the text of the answer.
    ///
    /// # Errors
    /// What the server says is wrong, [`Code::ServerGone`] when it goes away before it answered, and [`Code::Interrupted`].
    pub(crate) fn ask(
        self,
        method: &Method,
        path: &str,
        body: Option<&Json>,
        cancel: &Cancel,
    ) -> Result<String, Refused> {
        let runtime = runtime()?;
        let asked: Result<_> = runtime.block_on(unless(cancel, async {
            let response = self.send(&runtime, method, path, body).await?;
            let status = response.status();
            let bytes = response.into_body().collect().await.map_err(|why| gone(&why))?.to_bytes();
            Ok((status, bytes))
        }))?;
        let (status, bytes) = asked?;
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if status.is_success() {
            return Ok(text);
        }
        let document: Json = serde_json::from_str(&text).unwrap_or_default();
        let error = wire::error_of(&document).unwrap_or_else(|| {
            let first = text.lines().next().unwrap_or_default();
            Error::new(Code::ServerGone, format!("The server of the rack answered `{status}`: {first}"))
                .hint("It may be another version of modrack: `modrack version` shows which this is")
        });
        Err(Refused { error, document })
    }

    /// Asks for a stream of events, and gives each on until there are no more, `each` breaks off, or `is_enough`, which is asked
    /// also while nothing is told.
    ///
    /// # Errors
    /// As [`Client::ask`], and what `each` fails with.
    pub(crate) fn listen<E: From<Error>>(
        self,
        path: &str,
        cancel: &Cancel,
        is_enough: impl Fn() -> bool,
        mut each: impl FnMut(Heard) -> Result<ControlFlow<()>, E>,
    ) -> Result<(), E> {
        let runtime = runtime()?;
        runtime.block_on(async {
            let asked = unless(cancel, self.send(&runtime, &Method::GET, path, None)).await??;
            let status = asked.status();
            let mut body = asked.into_body();
            if !status.is_success() {
                let bytes = unless(cancel, body.collect()).await?.map_err(|why| gone(&why))?.to_bytes();
                let document: Json = serde_json::from_slice(&bytes).unwrap_or_default();
                let other =
                    || Error::new(Code::ServerGone, format!("The server of the rack answered `{status}`"));
                return Err(wire::error_of(&document).unwrap_or_else(other).into());
            }
            if each(Heard::Begun)?.is_break() {
                return Ok(());
            }
            let mut lines = Lines::default();
            loop {
                let mut frame = pin!(body.frame());
                let frame = loop {
                    match timeout(PATIENCE, frame.as_mut()).await {
                        Ok(frame) => break frame,
                        Err(_) if cancel.is_cancelled() => return Err(interrupted().into()),
                        Err(_) if is_enough() => return Ok(()),
                        Err(_) => {}
                    }
                };
                let Some(frame) = frame else { return Ok(()) };
                let Ok(data) = frame.map_err(|why| gone(&why))?.into_data() else { continue };
                for told in lines.take(&data) {
                    if each(Heard::Told(told))?.is_break() {
                        return Ok(());
                    }
                }
            }
        })
    }

    /// Sends a request, and gives the answer as it begins.
    async fn send(
        self,
        runtime: &Runtime,
        method: &Method,
        path: &str,
        body: Option<&Json>,
    ) -> Result<Response<Incoming>> {
        let stream = self.stream;
        stream.set_nonblocking(true).map_err(|why| gone(&why))?;
        let stream = tokio::net::UnixStream::from_std(stream).map_err(|why| gone(&why))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|why| gone(&why))?;
        // How the connection ended is told by the request.
        drop(runtime.spawn(connection));
        let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        let mut request = Request::builder().method(method).uri(path).header("host", "modrack");
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(bytes)).map_err(|why| {
            Error::new(Code::Internal, format!("A request for `{path}` cannot be made: {why}"))
        })?;
        sender.send_request(request).await.map_err(|why| gone(&why))
    }
}

/// `text` as one step of a path or one value of a query.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => escaped.push(byte.into()),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn connect(folder: &Path) -> io::Result<UnixStream> {
    let path = folder.join(SOCKET);
    if path.as_os_str().len() <= LONGEST_PATH {
        return UnixStream::connect(path);
    }
    // The folder by its descriptor: that is short.
    let folder = rustix::fs::open(folder, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    UnixStream::connect(PathBuf::from(format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd())))
}

fn runtime() -> Result<Runtime> {
    Builder::new_current_thread().enable_io().enable_time().build().map_err(|why| {
        Error::new(Code::Internal, format!("The rack's server cannot be waited for: {}", reason(&why)))
    })
}

/// What comes of `work`, unless the verb is given up before.
async fn unless<T>(cancel: &Cancel, work: impl Future<Output = T>) -> Result<T> {
    let mut work = pin!(work);
    loop {
        match timeout(PATIENCE, work.as_mut()).await {
            Ok(done) => return Ok(done),
            Err(_) if cancel.is_cancelled() => return Err(interrupted()),
            Err(_) => {}
        }
    }
}

fn interrupted() -> Error {
    Error::new(Code::Interrupted, "Interrupted")
}

fn gone(why: &dyn std::error::Error) -> Error {
    Error::new(Code::ServerGone, format!("The server of the rack went away before it had answered: {why}"))
        .hint("What it was asked for may have been done: `modrack history` tells what was. `--local` asks no server")
}

/// The lines of a stream of events, which come in pieces.
#[derive(Default)]
struct Lines {
    rest: Vec<u8>,
    told: Told,
}

impl Lines {
    /// The events that end in this piece.
    fn take(&mut self, piece: &[u8]) -> Vec<Told> {
        self.rest.extend_from_slice(piece);
        let mut ended = Vec::new();
        while let Some(at) = self.rest.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=at).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let told = std::mem::take(&mut self.told);
                // A line that keeps the connection awake tells nothing.
                if !told.data.is_empty() {
                    ended.push(told);
                }
                continue;
            }
            let (key, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match key {
                "event" => self.told.name = value.to_owned(),
                "data" if self.told.data.is_empty() => self.told.data = value.to_owned(),
                "data" => self.told.data.extend(["\n", value]),
                _ => {}
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;
    use std::thread::{self, JoinHandle};
    use tempfile::TempDir;

    /// A state folder with a server that gives one answer, whatever it is asked, and tells what that was.
    fn server(answer: &'static str) -> (TempDir, JoinHandle<String>) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(PRESENCE), json!({ "pid": 1 }).to_string()).unwrap();
        let listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let asked = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = vec![0; 1 << 12];
            let count = stream.read(&mut asked).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&asked[..count]).into_owned()
        });
        (folder, asked)
    }

    fn client(folder: &TempDir) -> Client {
        match Client::find(folder.path(), None) {
            Found::Served(client) => client,
            other => panic!("{other:?}"),
        }
    }

    fn check(answer: &'static str, wanted: Result<&str, (Code, &str)>) {
        let (folder, asked) = server(answer);
        let got = client(&folder).ask(&Method::POST, "/v1/x", Some(&json!([1])), &Cancel::default());
        let got = got.map_err(|refused| (refused.error.code(), refused.error.message().to_owned()));
        match (got, wanted) {
            (Ok(got), Ok(wanted)) => assert_eq!(got, wanted),
            (Err((code, message)), Err((wanted, part))) => {
                assert_eq!(code, wanted);
                assert!(message.contains(part), "{message}");
            }
            (got, wanted) => panic!("{got:?} {wanted:?}"),
        }
        let asked = asked.join().unwrap();
        assert!(asked.starts_with("POST /v1/x HTTP/1.1\r\n"), "{asked}");
    }

    #[test]
    fn an_answer_is_its_text_or_the_failure_that_it_tells() {
        check("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n42", Ok("42"));
        let refusal = "{\"error\":{\"code\":\"M0504\",\"message\":\"It raised\"}}";
        let answer = format!("HTTP/1.1 500 E\r\ncontent-length: {}\r\n\r\n{refusal}", refusal.len());
        check(answer.leak(), Err((Code::Raised, "It raised")));
        check("HTTP/1.1 502 E\r\ncontent-length: 3\r\n\r\nbad", Err((Code::ServerGone, "502")));
        check("HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n42", Err((Code::ServerGone, "went away")));
        check("", Err((Code::ServerGone, "went away")));
        check("SSH-2.0\r\n", Err((Code::ServerGone, "went away")));
    }

    #[test]
    fn who_gives_up_is_not_kept_waiting() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(PRESENCE), "{}").unwrap();
        // It takes the connection, and never answers.
        let _listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let cancel = Cancel::default();
        cancel.cancel();
        let refused = client(&folder).ask(&Method::GET, "/", None, &cancel).unwrap_err();
        assert_eq!(refused.error.code(), Code::Interrupted);
    }

    #[test]
    fn a_server_that_is_gone_or_has_another_rack_is_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Client::find(folder.path(), None), Found::Not));
        fs::write(folder.path().join(PRESENCE), "{\"rack\": \"/srv/other.yaml\"}").unwrap();
        assert!(matches!(Client::find(folder.path(), None), Found::Silent(_)));
        drop(UnixListener::bind(folder.path().join(SOCKET)).unwrap());
        let find = |rack| Client::find(folder.path(), rack);
        assert!(matches!(find(None), Found::Silent(why) if why == "Connection refused"));
        let other = find(Some(Path::new("/srv/rack.yaml")));
        assert!(matches!(other, Found::Other(rack) if rack == "/srv/other.yaml"));
    }

    #[test]
    fn a_path_that_is_too_long_for_a_socket_is_reached() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(100)).join("y".repeat(100));
        fs::create_dir_all(&deep).unwrap();
        fs::write(deep.join(PRESENCE), "{}").unwrap();
        let opened = rustix::fs::open(&deep, OFlags::PATH, Mode::empty()).unwrap();
        let short = format!("/proc/self/fd/{}/{SOCKET}", opened.as_raw_fd());
        let _listener = UnixListener::bind(short).unwrap();
        assert!(matches!(Client::find(&deep, None), Found::Served(_)));
    }

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let stream = ": awake\n\nid: 1\nevent: swap.swapped\ndata: {\"a\":1}\n\nevent: x\r\ndata: 1\r\ndata: 2\r\n\r\nid: 9\n\n";
        let told = |name: &str, data: &str| Told { name: name.into(), data: data.into() };
        let wanted = [told("swap.swapped", "{\"a\":1}"), told("x", "1\n2")];
        for size in 1..stream.len() {
            let mut lines = Lines::default();
            let got: Vec<Told> = stream.as_bytes().chunks(size).flat_map(|piece| lines.take(piece)).collect();
            assert_eq!(got, wanted, "{size}");
        }
    }

    #[test]
    fn what_stands_in_a_path_is_one_step_of_it() {
        assert_eq!(escaped("price/a b?ü"), "price%2Fa%20b%3F%C3%BC");
    }
}
