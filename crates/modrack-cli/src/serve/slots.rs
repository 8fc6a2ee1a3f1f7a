//! What the rack has: its slots.

use std::sync::Arc;

use axum::extract::State;
use serde_json::{Value as Json, json};

use crate::serve::answer::{Answer, json_of};
use crate::serve::app::App;

/// `GET /v1/slots`: the slots that the rack declares.
pub(crate) async fn all(State(app): State<Arc<App>>) -> Answer {
    let plan = app.rack.plan();
    let slots: Vec<Json> = plan
        .slots
        .iter()
        .map(|(name, slot)| json!({ "slot": name.as_str(), "use": slot.use_text, "lazy": slot.lazy }))
        .collect();
    Ok(json_of(&json!({ "slots": slots })))
}
