//! The body of a request: JSON of a bounded size, within a bounded time, with the keys that are known.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::StatusCode;
use modrack_core::{Code, Error};
use serde_json::{Map, Value as Json};

use crate::json;
use crate::serve::answer::Refusal;

/// The most bytes that a body may have.
const MOST: usize = 64 << 20;
/// How long a body may take to arrive.
const WITHIN: Duration = Duration::from_secs(60);

/// The mapping that a request consists of; empty for an empty body.
#[derive(Debug)]
pub(crate) struct Asked(Map<String, Json>);

impl Asked {
    /// Reads all of it.
    ///
    /// # Errors
    /// What is too large, too slow, or no JSON mapping with keys among `known`.
    pub(crate) async fn read(body: Body, known: &[&str]) -> Result<Self, Refusal> {
        let bytes = match tokio::time::timeout(WITHIN, to_bytes(body, MOST)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) if is_too_long(&error) => {
                let message = format!("The body is larger than {} MiB", MOST >> 20);
                return Err(Refusal::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    Error::new(Code::BadRequest, message),
                ));
            }
            Ok(Err(error)) => return Err(Refusal::bad(format!("The body cannot be read: {error}"))),
            Err(_) => {
                let message = format!("The body did not arrive within {} seconds", WITHIN.as_secs());
                return Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, Error::new(Code::BadRequest, message)));
            }
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| Refusal::bad("The body is not UTF-8"))?;
        Self::parse(text, known)
    }

    fn parse(text: &str, known: &[&str]) -> Result<Self, Refusal> {
        if text.trim().is_empty() {
            return Ok(Self(Map::new()));
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
        Ok(Self(keys))
    }

    /// Takes the value of a key; a null is none.
    pub(crate) fn take(&mut self, key: &str) -> Option<Json> {
        self.0.remove(key).filter(|value| !value.is_null())
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

fn wrong(key: &str, wanted: &str) -> Refusal {
    Refusal::bad(format!("`{key}` must be {wanted}"))
}

/// Whether reading ended because the body is longer than it may be.
fn is_too_long(error: &axum::Error) -> bool {
    let mut source: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = source {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        source = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

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
