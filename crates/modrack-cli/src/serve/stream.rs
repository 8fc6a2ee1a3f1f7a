//! The bytes of a connection, either way. Who reads nothing for too long while there is something to read is cut off, and who is still
//! sending when the last answer is written hears that answer.
//!
//! Nothing here knows what the bytes mean.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep, timeout};

/// How long nothing may be read of what is due.
pub(super) const UNREAD: Duration = Duration::from_secs(30);
/// How long what is sent beyond the last answer is taken and thrown away. A connection that is closed over it takes the answer with it.
pub(super) const LINGERS: Duration = Duration::from_secs(1);

/// A connection's stream.
pub(super) struct Stream<S> {
    stream: S,
    /// Runs while what is due is not read.
    unread: Option<Pin<Box<Sleep>>>,
    sent: Arc<AtomicU64>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream<S> {
    /// Of a connection that was just made.
    pub(super) fn new(stream: S) -> Self {
        Self { stream, unread: None, sent: Arc::default() }
    }

    /// How many bytes were sent so far.
    pub(super) fn sent(&self) -> Arc<AtomicU64> {
        self.sent.clone()
    }

    /// Ends the stream: nothing is sent any more, and what still comes is thrown away for a moment.
    pub(super) async fn linger(mut self) {
        // Who has not read what was due reads no more of it now.
        if self.unread.is_some() {
            return;
        }
        let rest = async {
            let ended = poll_fn(|context| Pin::new(&mut self.stream).poll_shutdown(context)).await;
            while ended.is_ok() && self.takes_more().await {}
        };
        // Who sends on and on is not listened to for ever.
        let _ = timeout(LINGERS, rest).await;
    }

    /// Takes what comes next, and gives whether more may come.
    async fn takes_more(&mut self) -> bool {
        poll_fn(|context| {
            let mut bytes = [0; 16 << 10];
            let mut taken = ReadBuf::new(&mut bytes);
            let read = ready!(Pin::new(&mut self.stream).poll_read(context, &mut taken));
            Poll::Ready(read.is_ok() && !taken.filled().is_empty())
        })
        .await
    }

    /// What came of sending: a failure when nothing was read for too long.
    fn in_time(
        &mut self,
        context: &mut Context<'_>,
        sent: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        if let Poll::Ready(sent) = sent {
            self.unread = None;
            let count = sent.as_ref().map_or(0, |&count| u64::try_from(count).unwrap_or(u64::MAX));
            self.sent.fetch_add(count, Ordering::Relaxed);
            return Poll::Ready(sent);
        }
        ready!(self.unread.get_or_insert_with(|| Box::pin(sleep(UNREAD))).as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Stream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.in_time(context, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.in_time(context, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
