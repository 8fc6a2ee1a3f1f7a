//! How the rack stands, and what it remembers.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use modrack_core::SlotName;
use serde_json::Value as Json;
use std::collections::HashMap;

use crate::figures;
use crate::live_json;
use crate::serve::answer::{Answer, Refusal, json_of};
use crate::serve::app::App;
use crate::serve::named::Named;
use crate::serve::pool::Work;

/// How many entries of the history are told where nobody says.
const ENTRIES: usize = 100;

/// What stands behind the `?` of a request.
pub(crate) type Asked = Result<Query<HashMap<String, String>>, QueryRejection>;

/// `GET /v1/status`.
pub(crate) async fn status(State(app): State<Arc<App>>) -> Answer {
    looked(&app, |app| Ok(live_json::status(&app.live.status()?))).await
}

/// `GET /v1/stats`.
pub(crate) async fn stats(State(app): State<Arc<App>>) -> Answer {
    looked(&app, |app| Ok(figures::document(&app.rack().stats()))).await
}

/// `GET /v1/history?slot=&most=`.
pub(crate) async fn history(State(app): State<Arc<App>>, asked: Asked) -> Answer {
    let mut asked = query(asked, &["slot", "most"])?;
    let slot = asked.remove("slot").map(|slot| SlotName::parse(&slot)).transpose()?;
    let most = match asked.remove("most") {
        None => ENTRIES,
        Some(most) => most.parse().map_err(|_| Refusal::bad("`most` must be a number"))?,
    };
    looked(&app, move |app| Ok(live_json::history(&app.live.history(slot.as_ref(), most)?))).await
}

/// `GET /v1/configurations`.
pub(crate) async fn configurations(State(app): State<Arc<App>>) -> Answer {
    looked(&app, |app| Ok(live_json::configurations(&app.live.configurations()?))).await
}

/// `GET /v1/configurations/{hash}`.
pub(crate) async fn configuration(State(app): State<Arc<App>>, Named(hash): Named<String>) -> Answer {
    looked(&app, move |app| Ok(live_json::configuration(&app.live.configuration(&hash)?))).await
}

/// The keys behind the `?`, of which only these are known.
pub(crate) fn query(asked: Asked, known: &[&str]) -> Result<HashMap<String, String>, Refusal> {
    let Query(keys) = asked.map_err(|why| Refusal::bad(format!("What is asked cannot be read: {why}")))?;
    match keys.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Refusal::bad(format!("`{key}` is not asked for here"))),
        None => Ok(keys),
    }
}

/// What somebody looks up, on a thread that may wait for the disk.
pub(crate) async fn looked(
    app: &Arc<App>,
    look: impl FnOnce(&App) -> modrack_core::Result<Json> + Send + 'static,
) -> Answer {
    let here = app.clone();
    app.pool.run(Work::Look, move |_| look(&here)).await.map(|found| json_of(&found)).map_err(Refusal::from)
}
