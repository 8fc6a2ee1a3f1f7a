//! Connections: accepted while the server serves, each seen to until it ends.
//!
//! However many clients there are, slow, silent or gone, the number of connections is bounded, apart for TCP and the socket, so that whoever
//! has the socket can always reach the server. None of them lasts for what does not come: the headers of a request, or somebody who reads
//! the answer; and when the server stops, only what it is asked for by then is waited for.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::timeout;

use crate::serve::asked::Asked;
use crate::serve::stream::{self, Stream};

/// The most connections at once, on each listener.
pub(super) const MOST: usize = 512;
/// How long the headers of a request may take, and a connection may be idle.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// The most bytes that the headers of a request may have.
const MOST_HEADERS: usize = 64 << 10;
/// How long nothing may come or be read once the server stops.
const LAST: Duration = Duration::from_secs(1);
/// How long it is before a system that refuses connections is asked again.
const AGAIN: Duration = Duration::from_millis(100);

/// The connections of a server.
pub(crate) struct Connections {
    closing: watch::Sender<bool>,
    /// Closed once the last connection has ended.
    open: mpsc::Receiver<()>,
}

/// What every connection is told.
#[derive(Clone)]
struct Told {
    closing: watch::Receiver<bool>,
    _open: mpsc::Sender<()>,
}

impl Connections {
    /// Accepts connections from now on, and has their requests answered.
    pub(crate) fn begin(
        runtime: &Runtime,
        tcp: (TcpListener, Router),
        socket: Option<(UnixListener, Router)>,
    ) -> Self {
        let (closing, told) = watch::channel(false);
        let (alive, open) = mpsc::channel(1);
        let told = Told { closing: told, _open: alive };
        runtime.spawn(accept(tcp.0, tcp.1, told.clone()));
        if let Some((listener, router)) = socket {
            runtime.spawn(accept(listener, router, told));
        }
        Self { closing, open }
    }

    /// Accepts no more connections; those that are idle end now, the others with their answer.
    pub(crate) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Waits until the last connection has ended.
    pub(crate) async fn ended(&mut self) {
        while self.open.recv().await.is_some() {}
    }
}

/// What connections come from.
trait Source: Send + Sync + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// The next connection; none when it is nobody's who may connect.
    fn next(&self) -> impl Future<Output = io::Result<Option<Self::Stream>>> + Send;
}

impl Source for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<Option<TcpStream>> {
        let (stream, _) = self.accept().await?;
        // An answer is one piece mostly: it is not held back to be sent with more.
        let _ = stream.set_nodelay(true);
        // Who vanished without a word acknowledges nothing. Where the system does not look, it takes the system's own time.
        let vanished = u32::try_from(stream::UNREAD.as_millis()).unwrap_or(u32::MAX);
        let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, vanished);
        Ok(Some(stream))
    }
}

impl Source for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<Option<UnixStream>> {
        let (stream, _) = self.accept().await?;
        let user = stream.peer_cred()?.uid();
        // The socket's mode keeps others out. Who can pass by that is the superuser alone.
        let is_same = user == rustix::process::geteuid().as_raw() || user == 0;
        Ok(is_same.then_some(stream))
    }
}

/// Accepts connections until they are closed.
async fn accept(source: impl Source, router: Router, mut told: Told) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            _ = told.closing.wait_for(|closing| *closing) => return,
        };
        let accepted = tokio::select! {
            accepted = source.next() => accepted,
            _ = told.closing.wait_for(|closing| *closing) => return,
        };
        match accepted {
            Ok(Some(stream)) => {
                let (router, told) = (router.clone(), told.clone());
                tokio::spawn(async move {
                    serve(stream, router, told).await;
                    drop(place);
                });
            }
            Ok(None) => {}
            // A client that was gone before it was seen; or a process with too many files open, which has to wait.
            Err(error) if is_of_the_connection(&error) => {}
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// Sees to one connection until it ends. How it ended concerns nobody: its client knows.
async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, router: Router, told: Told) {
    let mut stream = Stream::new(stream);
    if answer(&mut stream, router, told).await {
        stream.linger().await;
    }
}

/// Answers what a connection asks for, and gives whether there may be more to it than was read.
async fn answer<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut Stream<S>,
    router: Router,
    mut told: Told,
) -> bool {
    let sent = stream.sent();
    let asked = Arc::new(Asked::default());
    let router = TowerToHyperService::new(router);
    let service = service_fn(|request| {
        let (request, answering) = asked.begin(request);
        let answer = router.call(request);
        async move {
            let answer = answer.await;
            drop(answering);
            answer
        }
    });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN)
            .max_header_size(MOST_HEADERS)
            .max_buf_size(MOST_HEADERS)
            .serve_connection(TokioIo::new(stream), service)
    );
    tokio::select! {
        ended = connection.as_mut() => return ended.is_err() || asked.is_unread(),
        _ = told.closing.wait_for(|closing| *closing) => {}
    }
    connection.as_mut().graceful_shutdown();
    let now = || (asked.is_answering(), sent.load(Ordering::Relaxed));
    loop {
        let before = now();
        if let Ok(ended) = timeout(LAST, connection.as_mut()).await {
            return ended.is_err() || asked.is_unread();
        }
        // A request that has not come by now, or an answer that nobody reads.
        if !before.0 && before == now() {
            return false;
        }
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use axum::body::{Body, Bytes};
    use axum::extract::Request;
    use axum::routing::{get, post};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::{Instant, advance};

    use super::*;
    use crate::serve::events::Pieces;
    use crate::serve::stream::{LINGERS, UNREAD};

    /// Two times that are hardly apart.
    const HARDLY: Duration = Duration::from_millis(10);
    const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    const POST: &[u8] = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n";
    /// More than a connection holds.
    const LARGE: usize = 1 << 20;
    static FILLED: [u8; LARGE] = [b'a'; LARGE];

    /// A connection with a server of its own.
    struct Connected {
        client: DuplexStream,
        closing: watch::Sender<bool>,
        ends: JoinHandle<Duration>,
    }

    fn connect(router: Router) -> Connected {
        let (client, stream) = duplex(1 << 10);
        let ((closing, told), (open, _)) = (watch::channel(false), mpsc::channel(1));
        let told = Told { closing: told, _open: open };
        let ends = tokio::spawn(async move {
            let begin = Instant::now();
            serve(stream, router, told).await;
            begin.elapsed()
        });
        Connected { client, closing, ends }
    }

    /// What is asked for is as large as `LARGE`.
    fn large() -> Router {
        Router::new().route("/", get(|| async { Bytes::from_static(&FILLED) }))
    }

    /// Refuses what is posted, and reads none of it.
    fn refuses() -> Router {
        Router::new().route("/", post(|_: Request| async { axum::http::StatusCode::PAYLOAD_TOO_LARGE }))
    }

    /// Holds when the connection ended after this long, with its client there.
    async fn check_end(connected: Connected, wanted: Duration) {
        let took = connected.ends.await.unwrap();
        assert!(took >= wanted && took < wanted + HARDLY, "{took:?} {wanted:?}");
        drop((connected.client, connected.closing));
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_nothing_of_an_answer_is_cut_off() {
        let mut connected = connect(large());
        connected.client.write_all(GET).await.unwrap();
        check_end(connected, UNREAD).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_reads_slowly_gets_all_of_it() {
        let mut connected = connect(large());
        connected.client.write_all(GET).await.unwrap();
        let mut count = 0;
        let mut bytes = vec![0; LARGE / 64];
        while count < LARGE {
            advance(UNREAD - HARDLY).await;
            count += connected.client.read_exact(&mut bytes).await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_listens_while_nothing_happens_is_kept() {
        let (tells, told) = mpsc::channel(1);
        let body = Arc::new(Mutex::new(Some(Body::from_stream(Pieces(told)))));
        let route = get(move || async move { body.lock().unwrap().take().unwrap() });
        let mut connected = connect(Router::new().route("/", route));
        connected.client.write_all(GET).await.unwrap();
        let mut heard = Vec::new();
        for at in 0..3 {
            tells.send(format!("piece {at};")).await.unwrap();
            while !String::from_utf8_lossy(&heard).contains(&format!("piece {at};")) {
                assert_ne!(connected.client.read_buf(&mut heard).await.unwrap(), 0);
            }
            advance(UNREAD * 10).await;
        }
        assert!(!connected.ends.is_finished());
        // Who goes is noticed though nothing happens.
        drop(connected.client);
        tells.closed().await;
        connected.ends.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn headers_that_do_not_come_are_not_waited_for() {
        for begun in [&b""[..], b"GET / HT", &GET[..GET.len() - 1]] {
            let mut connected = connect(large());
            connected.client.write_all(begun).await.unwrap();
            check_end(connected, HEADERS_WITHIN + LINGERS).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_still_sending_hears_why_nobody_listens() {
        let mut connected = connect(refuses());
        connected.client.write_all(POST).await.unwrap();
        connected.client.write_all(&FILLED).await.unwrap();
        let mut answer = [0; 12];
        connected.client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 413");
        // Not for ever.
        while connected.client.write_all(b"a").await.is_ok() {
            advance(HARDLY).await;
        }
        connected.ends.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_waits_for_no_request_and_no_reader() {
        for begun in [&b"GET / HT"[..], GET] {
            let mut connected = connect(large());
            connected.client.write_all(begun).await.unwrap();
            // It has read what there is, and has begun to answer what it could.
            tokio::task::yield_now().await;
            connected.closing.send_replace(true);
            check_end(connected, LAST).await;
        }
        let connected = connect(large());
        connected.closing.send_replace(true);
        check_end(connected, Duration::ZERO).await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_stops_gives_the_answers_that_are_asked_for() {
        const TAKES: Duration = Duration::from_secs(60);
        let (begun, mut has_begun) = mpsc::channel(1);
        let route = get(move || {
            let begun = begun.clone();
            async move {
                begun.send(()).await.unwrap();
                tokio::time::sleep(TAKES).await;
                Bytes::from_static(&FILLED)
            }
        });
        let mut connected = connect(Router::new().route("/", route));
        connected.client.write_all(GET).await.unwrap();
        has_begun.recv().await.unwrap();
        connected.closing.send_replace(true);
        let mut bytes = vec![0; LARGE / 64];
        let mut count = 0;
        // As slowly as it may be read then.
        while let Ok(some @ 1..) = connected.client.read(&mut bytes).await {
            count += some;
            advance(HARDLY).await;
        }
        assert!(count > LARGE);
        connected.ends.await.unwrap();
    }

    #[test]
    fn who_vanished_is_given_up() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            let stream = Source::next(&listener).await.unwrap().unwrap();
            let within = rustix::net::sockopt::tcp_user_timeout(&stream).unwrap();
            assert_eq!(Duration::from_millis(within.into()), UNREAD);
        });
    }
}
