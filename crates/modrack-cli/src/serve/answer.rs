//! Answers: JSON, and failures as JSON with the status that they stand for.
//!
//! Nothing here decides what goes wrong; it only says so.

use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use modrack_core::{Code, Error, Kind};
use modrack_runtime::{ConfigureFailed, SwapFailed};
use serde_json::{Map, Value as Json};

use crate::wire;

/// What comes of a request.
pub(crate) type Answer = Result<Response, Refusal>;

/// A failure, as it is answered.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) error: Error,
    /// Further keys beside those that every failure has.
    more: Map<String, Json>,
}

impl Refusal {
    /// A failure that is answered with this status.
    pub(crate) fn new(status: StatusCode, error: Error) -> Self {
        Self { status, error, more: Map::new() }
    }

    /// A request that cannot be understood.
    pub(crate) fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Error::new(Code::BadRequest, message.into()))
    }

    /// With this hint.
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { error: self.error.hint(hint.into()), ..self }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::new(status(&error), error)
    }
}

impl From<SwapFailed> for Refusal {
    fn from(failed: SwapFailed) -> Self {
        let status = match status(&failed.error) {
            // What was asked for is not there at all, or nobody can have it now.
            status @ (StatusCode::NOT_FOUND | StatusCode::SERVICE_UNAVAILABLE)
                if matches!(failed.error.code(), Code::UnknownSlot | Code::RackStopped) =>
            {
                status
            }
            _ => StatusCode::CONFLICT,
        };
        let mut refusal = Self::new(status, failed.error);
        refusal.more.insert("slot".into(), failed.slot.as_str().into());
        refusal.more.insert("step".into(), failed.step.as_str().into());
        refusal
    }
}

impl From<ConfigureFailed> for Refusal {
    fn from(failed: ConfigureFailed) -> Self {
        match failed {
            ConfigureFailed::Swap(failed) => failed.into(),
            ConfigureFailed::Plan(error) => {
                let status = match status(&error) {
                    StatusCode::NOT_FOUND if error.code() == Code::UnknownEntry => StatusCode::NOT_FOUND,
                    StatusCode::SERVICE_UNAVAILABLE => StatusCode::SERVICE_UNAVAILABLE,
                    _ => StatusCode::CONFLICT,
                };
                Self::new(status, error)
            }
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut document = wire::document(&self.error);
        if let Json::Object(fields) = &mut document["error"] {
            fields.extend(self.more);
        }
        if let Json::Object(document) = &mut document
            && self.error.each().count() == 1
        {
            document.shift_remove("errors");
        }
        let mut response = json_with(self.status, &document);
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// An answer of this JSON.
pub(crate) fn json_of(document: &Json) -> Response {
    json_with(StatusCode::OK, document)
}

/// An answer of this JSON with a status of its own.
pub(crate) fn json_with(status: StatusCode, document: &Json) -> Response {
    text_with(status, format!("{document}\n"), "application/json")
}

/// An answer of text that is of type `media`.
pub(crate) fn text_with(status: StatusCode, text: String, media: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// That the server answers nothing new.
pub(crate) fn stopping() -> Error {
    Error::new(Code::RackStopped, "The server is stopping")
}

/// The status that a failure stands for.
fn status(error: &Error) -> StatusCode {
    match (error.code(), error.kind()) {
        (
            Code::UnknownSlot
            | Code::UnknownFunction
            | Code::UnknownAttribute
            | Code::NotInCatalog
            | Code::ContentGone
            | Code::UnknownEntry,
            _,
        ) => StatusCode::NOT_FOUND,
        (
            Code::BadArguments
            | Code::NotCallable
            | Code::Usage
            | Code::BadRequest
            | Code::BadUse
            | Code::BadValue,
            _,
        ) => StatusCode::BAD_REQUEST,
        (Code::RackStopped | Code::HeldBack | Code::ServerBusy | Code::Interrupted | Code::Cancelled, _) => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        (_, Kind::Timeout) => StatusCode::GATEWAY_TIMEOUT,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
