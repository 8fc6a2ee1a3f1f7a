//! Connections: accepted while the server serves, each seen to until it ends.
//!
//! However many clients there are, slow, silent or gone, the number of connections is bounded, apart for TCP and the socket, so that whoever
//! has the socket can always reach the server.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc, watch};

/// The most connections at once, on each listener.
pub(super) const MOST: usize = 512;
/// How long the headers of a request may take, and a connection may be idle.
const HEADERS_WITHIN: Duration = Duration::from_secs(30);
/// The most bytes that the headers of a request may have.
const MOST_HEADERS: usize = 64 << 10;
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
async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    router: Router,
    mut told: Told,
) {
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADERS_WITHIN)
            .max_buf_size(MOST_HEADERS)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        _ = told.closing.wait_for(|closing| *closing) => None,
    };
    if ended.is_none() {
        connection.as_mut().graceful_shutdown();
        let _ = connection.await;
    }
}

fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}
