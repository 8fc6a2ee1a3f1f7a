//! The body of a request: JSON of a bounded size, within a bounded time, with the keys that are known.
//!
//! It is received by the threads that see to connections, and read by those that may take their time. However many requests come, what is
//! received of all of them has room for so many bytes; it is given back when the work is done that was asked for.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use modrack_core::{Code, Error};
use serde_json::{Map, Value as Json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::json;
use crate::serve::answer::{Refusal, stopping};

/// The most bytes that a body may have.
const MOST: usize = 64 << 20;
/// The most bytes that all the bodies may have that are there at once.
const MOST_OF_ALL: usize = 8 * MOST;
/// How long a body may take to arrive.
const WITHIN: Duration = Duration::from_secs(60);

/// Room for the bodies of requests.
pub(crate) struct Bodies {
    room: Arc<Semaphore>,
    most: usize,
}

impl Default for Bodies {
    fn default() -> Self {
        Self::of(MOST_OF_ALL)
    }
}

impl Bodies {
    fn of(most: usize) -> Self {
        Self { room: Arc::new(Semaphore::new(most)), most }
    }

    /// Receives all of a body, unless the server stops before it is there.
    ///
    /// # Errors
    /// What is too large or too slow, [`Code::ServerBusy`] when there is no room for it, and [`Code::RackStopped`].
    pub(crate) async fn receive(
        &self,
        body: Body,
        mut closing: watch::Receiver<bool>,
    ) -> Result<Received, Refusal> {
        if body.size_hint().lower() > MOST as u64 {
            return Err(too_large());
        }
        tokio::select! {
            biased;
            received = tokio::time::timeout(WITHIN, self.collect(body)) => received.unwrap_or_else(|_| Err(too_slow())),
            _ = closing.wait_for(|closing| *closing) => Err(stopping().into()),
        }
    }

    async fn collect(&self, mut body: Body) -> Result<Received, Refusal> {
        let mut received = Received { bytes: Vec::new(), room: None };
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| Refusal::bad(format!("The body cannot be read: {error}")))?;
            // What comes behind a body says nothing here.
            let Ok(bytes) = frame.into_data() else { continue };
            if received.bytes.len() + bytes.len() > MOST {
                return Err(too_large());
            }
            received.add(&bytes, self.room_for(&bytes)?);
        }
        Ok(received)
    }

    fn room_for(&self, bytes: &Bytes) -> Result<OwnedSemaphorePermit, Refusal> {
        let count = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.room.clone().try_acquire_many_owned(count).map_err(|_| {
            let message = format!("The bodies of requests have taken all of {} MiB", self.most >> 20);
            Error::new(Code::ServerBusy, message).hint("Ask again later").into()
        })
    }
}

/// A body that is there, and not read yet.
#[derive(Debug)]
pub(crate) struct Received {
    bytes: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
}

impl Received {
    fn add(&mut self, bytes: &[u8], room: OwnedSemaphorePermit) {
        self.bytes.extend_from_slice(bytes);
        match &mut self.room {
            Some(taken) => taken.merge(room),
            None => self.room = Some(room),
        }
    }

    /// Reads it.
    ///
    /// # Errors
    /// What is no JSON mapping with keys among `known`.
    pub(crate) fn read(self, known: &[&str]) -> Result<Asked, Refusal> {
        let text = std::str::from_utf8(&self.bytes).map_err(|_| Refusal::bad("The body is not UTF-8"))?;
        Ok(Asked { _room: self.room, ..Asked::parse(text, known)? })
    }
}

/// The mapping that a request consists of; empty for an empty body.
#[derive(Debug)]
pub(crate) struct Asked {
    keys: Map<String, Json>,
    _room: Option<OwnedSemaphorePermit>,
}

impl Asked {
    fn parse(text: &str, known: &[&str]) -> Result<Self, Refusal> {
        if text.trim().is_empty() {
            return Ok(Self::from(Map::new()));
        }
        let parsed = json::read(text).map_err(|error| Refusal::new(StatusCode::BAD_REQUEST, error))?;
        Self::of(parsed, known)
    }

    /// A part of a request, likewise.
    ///
    /// # Errors
    /// What is no mapping with keys among `known`.
    pub(crate) fn of(parsed: Json, known: &[&str]) -> Result<Self, Refusal> {
        let Json::Object(keys) = parsed else {
            return Err(Refusal::bad("The body must be a JSON mapping"));
        };
        if let Some(key) = keys.keys().find(|key| !known.contains(&key.as_str())) {
            let listed: Vec<_> = known.iter().map(|key| format!("`{key}`")).collect();
            let takes = if listed.is_empty() { "no keys".to_owned() } else { listed.join(", ") };
            return Err(Refusal::bad(format!("Unknown key `{key}`")).hint(format!("This takes {takes}")));
        }
        Ok(Self::from(keys))
    }

    /// Takes the value of a key; a null is none.
    pub(crate) fn take(&mut self, key: &str) -> Option<Json> {
        self.keys.remove(key).filter(|value| !value.is_null())
    }

    /// Takes a text.
    ///
    /// # Errors
    /// Something else.
    pub(crate) fn text(&mut self, key: &str) -> Result<Option<String>, Refusal> {
        match self.take(key) {
            None => Ok(None),
            Some(Json::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(key, "a text")),
        }
    }

    /// Takes a flag; one that is left out is down.
    ///
    /// # Errors
    /// Something else.
    pub(crate) fn flag(&mut self, key: &str) -> Result<bool, Refusal> {
        match self.take(key) {
            None => Ok(false),
            Some(Json::Bool(flag)) => Ok(flag),
            Some(_) => Err(wrong(key, "`true` or `false`")),
        }
    }

    /// Takes a list; one that is left out is empty.
    ///
    /// # Errors
    /// Something else.
    pub(crate) fn list(&mut self, key: &str) -> Result<Vec<Json>, Refusal> {
        match self.take(key) {
            None => Ok(Vec::new()),
            Some(Json::Array(items)) => Ok(items),
            Some(_) => Err(wrong(key, "a list")),
        }
    }

    /// Takes a list of texts; one that is left out is empty.
    ///
    /// # Errors
    /// Something else.
    pub(crate) fn texts(&mut self, key: &str) -> Result<Vec<String>, Refusal> {
        let text = |item| match item {
            Json::String(text) => Ok(text),
            _ => Err(wrong(key, "a list of texts")),
        };
        self.list(key)?.into_iter().map(text).collect()
    }

    /// Takes a mapping; one that is left out is empty.
    ///
    /// # Errors
    /// Something else.
    pub(crate) fn mapping(&mut self, key: &str) -> Result<Map<String, Json>, Refusal> {
        match self.take(key) {
            None => Ok(Map::new()),
            Some(Json::Object(fields)) => Ok(fields),
            Some(_) => Err(wrong(key, "a mapping")),
        }
    }
}

impl From<Map<String, Json>> for Asked {
    fn from(keys: Map<String, Json>) -> Self {
        Self { keys, _room: None }
    }
}

fn wrong(key: &str, wanted: &str) -> Refusal {
    Refusal::bad(format!("`{key}` must be {wanted}"))
}

fn too_large() -> Refusal {
    let message = format!("The body is larger than {} MiB", MOST >> 20);
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, Error::new(Code::BadRequest, message))
}

fn too_slow() -> Refusal {
    let message = format!("The body did not arrive within {} seconds", WITHIN.as_secs());
    Refusal::new(StatusCode::REQUEST_TIMEOUT, Error::new(Code::BadRequest, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::events::Pieces;

    /// A body that has begun, and how it goes on.
    fn begun() -> (tokio::sync::mpsc::Sender<String>, Body) {
        let (tells, told) = tokio::sync::mpsc::channel(1);
        tells.try_send("{}".to_owned()).unwrap();
        (tells, Body::from_stream(Pieces(told)))
    }

    fn refused(received: Result<Received, Refusal>) -> (u16, Code) {
        let refusal = received.unwrap_err();
        (refusal.status.as_u16(), refusal.error.code())
    }

    #[tokio::test(start_paused = true)]
    async fn bodies_have_room_until_their_work_is_done() {
        let (closing, told) = watch::channel(false);
        let bodies = Bodies::of(9);
        let receive = |text: &'static str| bodies.receive(Body::from(text), told.clone());
        let first = receive("{\"a\": 1}").await.unwrap();
        assert_eq!(refused(receive("{}").await), (503, Code::ServerBusy));
        let asked = first.read(&["a"]).unwrap();
        assert_eq!(refused(receive("{}").await), (503, Code::ServerBusy));
        drop(asked);
        let (_tells, slow) = begun();
        assert_eq!(refused(bodies.receive(slow, told.clone()).await), (408, Code::BadRequest));
        let large = Body::from(vec![0; MOST + 1]);
        assert_eq!(refused(bodies.receive(large, told.clone()).await), (413, Code::BadRequest));
        let (_tells, slow) = begun();
        closing.send_replace(true);
        assert_eq!(refused(bodies.receive(slow, told.clone()).await), (503, Code::RackStopped));
        assert!(receive("{\"a\": 1}").await.is_ok());
    }

    #[tokio::test]
    async fn a_body_that_is_longer_than_it_said_is_not_taken() {
        let (_closing, told) = watch::channel(false);
        let (tells, body) = begun();
        let piece = "a".repeat(MOST / 2);
        tokio::spawn(async move { while tells.send(piece.clone()).await.is_ok() {} });
        let bodies = Bodies::default();
        assert_eq!(refused(bodies.receive(body, told).await), (413, Code::BadRequest));
        assert_eq!(bodies.room.available_permits(), MOST_OF_ALL);
    }

    #[test]
    fn a_body_is_a_mapping_with_known_keys() {
        let known = ["args", "force"];
        let said =
            |text: &str| Asked::parse(text, &known).map(drop).map_err(|refusal| refusal.error.to_string());
        assert_eq!(said(""), Ok(()));
        assert_eq!(said("{\"args\": []}"), Ok(()));
        for (text, wanted) in [
            ("[]", "The body must be a JSON mapping [M0832]"),
            ("{\"arg\": []}", "Unknown key `arg` [M0832]"),
            ("{\"args\": [], \"args\": []}", "The key `args` is given twice in one mapping [M0116]"),
            ("{\"args\": 99999999999999999999}", "`99999999999999999999` does not fit 64 bits [M0506]"),
        ] {
            assert_eq!(said(text), Err(wanted.to_owned()));
        }
        assert!(said("{").unwrap_err().starts_with("The JSON cannot be read"));
        let mut asked = Asked::parse("{\"args\": [1], \"force\": 1}", &known).unwrap();
        assert!(asked.flag("force").is_err());
        assert_eq!(asked.list("args").unwrap(), [Json::from(1)]);
        assert!(asked.texts("args").unwrap().is_empty());
        assert_eq!(asked.text("args").unwrap(), None);
    }
}
