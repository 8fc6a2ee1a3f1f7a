//! `GET /v1/events`: what happens in the rack, as it happens (server-sent events).
//!
//! Who listens too slowly loses events and is told how many; nobody else waits for it. Who says which event it heard last is told
//! what came after it first, as far as that is known.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Extension;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::Response;
use futures_core::Stream;
use modrack_core::{Code, Error, Value};
use modrack_runtime::{Pattern, Told};
use serde_json::{Value as Json, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use crate::clock::at_rfc3339;
use crate::json::to_text;
use crate::serve::access::Via;
use crate::serve::answer::{Answer, Refusal};
use crate::serve::app::App;
use crate::serve::remembered::{Asked, query};

const LAST: HeaderName = HeaderName::from_static("last-event-id");
/// How many listeners there may be at once that come the same way.
const LISTENERS: usize = 64;
/// How many events wait for a listener before it loses some.
const WAITING: usize = 256;
/// How often a silent connection is kept awake.
const AWAKE: Duration = Duration::from_secs(15);

/// Places for listeners. Each is taken until its connection ends, so that they are fewer than connections.
pub(crate) struct Listeners(Arc<Semaphore>);

impl Default for Listeners {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(LISTENERS)))
    }
}

impl Listeners {
    fn place(&self) -> Result<OwnedSemaphorePermit, Error> {
        self.0.clone().try_acquire_owned().map_err(|_| {
            Error::new(Code::ServerBusy, format!("{LISTENERS} listeners hear what happens already"))
                .hint("Ask again when one of them has gone")
        })
    }
}

/// Tells what happens until the listener goes, or the server stops.
pub(crate) async fn listen(
    State(app): State<Arc<App>>,
    Extension(via): Extension<Via>,
    headers: HeaderMap,
    asked: Asked,
) -> Answer {
    let mut asked = query(asked, &["pattern"])?;
    let pattern = Pattern::parse(asked.remove("pattern").as_deref().unwrap_or("*"))
        .map_err(|error| Refusal::new(axum::http::StatusCode::BAD_REQUEST, error))?;
    let last = match headers.get(LAST) {
        None => None,
        Some(last) => {
            let last = last.to_str().ok().and_then(|last| last.trim().parse::<u64>().ok());
            Some(last.ok_or_else(|| Refusal::bad("`Last-Event-ID` must be the number of an event"))?)
        }
    };
    let place = app.listeners.of(via).place()?;
    let (heard, hears) = mpsc::channel(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let counts = lost.clone();
    let subscription = app.rack().subscribe(&pattern, move |told| {
        if heard.try_send(told.clone()).is_err() {
            counts.fetch_add(1, Ordering::Relaxed);
        }
    });
    let known = last.map_or_else(Vec::new, |_| app.rack().events_since(0));
    let numbers = known.first().zip(known.last()).map(|(first, last)| (first.number, last.number));
    let (last, gap) = last.map_or((0, 0), |last| heard_to(last, numbers));
    let is_news = |told: &Arc<Told>| told.number > last && pattern.matches(told.name);
    let before = known.into_iter().filter(is_news).collect();
    let (pieces, body) = mpsc::channel(1);
    let listening = Listening { hears, lost, pieces, closing: app.closing() };
    tokio::spawn(async move {
        listening.tell(before, last, gap).await;
        drop((subscription, place));
    });
    let mut response = Response::new(Body::from_stream(Pieces(body)));
    let media = HeaderValue::from_static("text/event-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, media);
    Ok(response)
}

/// One listener.
struct Listening {
    hears: mpsc::Receiver<Arc<Told>>,
    /// How many events it was too slow for since it was last told.
    lost: Arc<AtomicU64>,
    pieces: mpsc::Sender<String>,
    closing: watch::Receiver<bool>,
}

impl Listening {
    async fn tell(mut self, before: Vec<Arc<Told>>, mut last: u64, gap: u64) {
        // The answer begins now, so that who asked knows that it hears.
        let mut next = Some(": listening\n\n".to_owned());
        if gap > 0 {
            next = next.map(|begin| begin + &missed_event(gap));
        }
        let mut before = before.into_iter();
        let mut awake = tokio::time::interval(AWAKE);
        awake.reset();
        loop {
            if let Some(piece) = next.take() {
                // Who does not read does not keep the server from stopping.
                tokio::select! {
                    sent = self.pieces.send(piece) => if sent.is_err() { return },
                    _ = self.closing.wait_for(|closing| *closing) => return,
                }
            }
            if let Some(told) = before.next() {
                last = last.max(told.number);
                next = Some(event(&told));
                continue;
            }
            let lost = self.lost.swap(0, Ordering::Relaxed);
            if lost > 0 {
                next = Some(missed_event(lost));
                continue;
            }
            next = tokio::select! {
                told = self.hears.recv() => match told {
                    // What was told while the listener came is known from before.
                    Some(told) if told.number <= last => None,
                    Some(told) => Some(event(&told)),
                    None => return,
                },
                _ = awake.tick() => Some(": awake\n\n".to_owned()),
                () = self.pieces.closed() => return,
                _ = self.closing.wait_for(|closing| *closing) => return,
            };
        }
    }
}

fn event(told: &Told) -> String {
    format!("id: {}\nevent: {}\ndata: {}\n\n", told.number, told.name, document(told))
}

/// An event as JSON.
pub(crate) fn document(told: &Told) -> Json {
    let fields = to_text(&Value::from(told.fields.clone()));
    let fields = fields.ok().and_then(|text| serde_json::from_str::<Json>(&text).ok());
    json!({
        "number": told.number,
        "at": at_rfc3339(told.at),
        "event": told.name,
        "slot": told.slot.as_ref().map(|slot| slot.as_str()),
        "fields": fields,
    })
}

/// From which event on somebody is told who has heard `last`, where the first and the last that are known have these numbers; and how many
/// are not known any more. Numbers begin anew with each process: one that was not told yet is of another server.
fn heard_to(last: u64, known: Option<(u64, u64)>) -> (u64, u64) {
    match known {
        Some((first, newest)) if last <= newest => (last, first.saturating_sub(last.saturating_add(1))),
        Some((first, _)) => (0, first.saturating_sub(1)),
        None => (0, 0),
    }
}

fn missed_event(count: u64) -> String {
    format!("event: missed\ndata: {}\n\n", missed(count))
}

fn missed(count: u64) -> Json {
    let at = crate::clock::now_rfc3339();
    json!({ "number": null, "at": at, "event": "missed", "slot": null, "fields": { "count": count } })
}

/// The pieces of an answer that goes on.
pub(super) struct Pieces(pub(super) mpsc::Receiver<String>);

impl Stream for Pieces {
    type Item = Result<String, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|piece| piece.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_comes_back_is_told_what_came_meanwhile_and_how_much_is_gone() {
        for (last, known, wanted) in [
            (0, Some((1, 9)), (0, 0)),
            (4, Some((1, 9)), (4, 0)),
            (9, Some((1, 9)), (9, 0)),
            (4, Some((5, 9)), (4, 0)),
            (4, Some((8, 9)), (4, 3)),
            (10, Some((1, 9)), (0, 0)),
            (u64::MAX, Some((8, 9)), (0, 7)),
            (3, None, (0, 0)),
        ] {
            assert_eq!(heard_to(last, known), wanted, "{last} {known:?}");
        }
    }
}
