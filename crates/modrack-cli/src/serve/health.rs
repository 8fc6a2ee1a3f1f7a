//! Whether the server lives, and whether all that it is to serve has started.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::json;

use crate::serve::answer::{json_of, json_with};
use crate::serve::app::App;
use crate::wire;

/// `GET /healthz`: it answers.
pub(crate) async fn alive() -> Response {
    json_of(&json!({ "status": "alive" }))
}

/// `GET /readyz`: 503 until every slot that is not lazy has started, and when the server stops.
pub(crate) async fn ready(State(app): State<Arc<App>>) -> Response {
    if app.is_stopping() {
        return json_with(StatusCode::SERVICE_UNAVAILABLE, &json!({ "status": "stopping", "slots": [] }));
    }
    let readiness = app.live.readiness();
    if readiness.is_ready() {
        return json_of(&json!({ "status": "ready", "slots": [] }));
    }
    let waiting = readiness
        .waiting
        .iter()
        .map(|slot| json!({ "slot": slot.as_str(), "state": "starting", "error": null }));
    let failed = readiness
        .failed
        .iter()
        .map(|(slot, why)| json!({ "slot": slot.as_str(), "state": "failed", "error": wire::record(why) }));
    let each = failed.chain(waiting);
    let document = json!({ "status": "not-ready", "slots": each.collect::<Vec<_>>() });
    json_with(StatusCode::SERVICE_UNAVAILABLE, &document)
}
