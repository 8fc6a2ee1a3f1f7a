//! What a connection is asked for just now: whether it is still being answered, and whether all of it was read.
//!
//! A connection has one request at a time. Nothing here looks at what it says.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Bytes, HttpBody};
use hyper::Request;
use hyper::body::{Frame, Incoming, SizeHint};

/// What is known of a connection's last request.
#[derive(Debug, Default)]
pub(super) struct Asked {
    is_answering: AtomicBool,
    is_unread: AtomicBool,
}

impl Asked {
    /// Takes the next request: it is being answered until what this gives with it is dropped.
    pub(super) fn begin(self: &Arc<Self>, request: Request<Incoming>) -> (Request<Read>, Answering) {
        self.is_answering.store(true, Ordering::Relaxed);
        self.is_unread.store(!request.body().is_end_stream(), Ordering::Relaxed);
        let request = request.map(|body| Read { body, asked: self.clone() });
        (request, Answering(self.clone()))
    }

    /// Whether nobody knows the answer yet.
    pub(super) fn is_answering(&self) -> bool {
        self.is_answering.load(Ordering::Relaxed)
    }

    /// Whether the answer was given without all being read that was sent.
    pub(super) fn is_unread(&self) -> bool {
        self.is_unread.load(Ordering::Relaxed)
    }
}

/// Held while a request is being answered.
#[derive(Debug)]
pub(super) struct Answering(Arc<Asked>);

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.is_answering.store(false, Ordering::Relaxed);
    }
}

/// The body of a request, that says when it was read to its end.
#[derive(Debug)]
pub(super) struct Read {
    body: Incoming,
    asked: Arc<Asked>,
}

impl HttpBody for Read {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if frame.is_none() || self.body.is_end_stream() {
            self.asked.is_unread.store(false, Ordering::Relaxed);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
