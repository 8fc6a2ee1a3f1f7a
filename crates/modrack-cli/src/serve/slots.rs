//! What the rack has: its slots, and the modules of its catalog. Nothing is loaded to answer.

use std::sync::Arc;

use axum::extract::State;
use modrack_runtime::Slot;
use serde_json::{Value as Json, json};

use crate::serve::answer::Answer;
use crate::serve::app::App;
use crate::serve::named::Named;
use crate::serve::remembered::looked;
use crate::verb::{inspect, list};

/// `GET /v1/slots`: the slots that the rack declares, and what serves in each.
pub(crate) async fn all(State(app): State<Arc<App>>) -> Answer {
    looked(&app, |app| {
        let names: Vec<_> = app.rack().plan().slots.keys().cloned().collect();
        let slots = names.iter().map(|name| Ok(brief(&app.slot(name.as_str())?)));
        Ok(json!({ "slots": slots.collect::<modrack_core::Result<Vec<_>>>()? }))
    })
    .await
}

/// `GET /v1/slots/{slot}`: all that is known of it without running it, and what serves in it.
pub(crate) async fn one(State(app): State<Arc<App>>, Named(slot): Named<String>) -> Answer {
    let slot = app.slot(&slot)?;
    looked(&app, move |_| {
        let mut document = inspect::document(&slot)?;
        if let (Json::Object(all), Json::Object(brief)) = (&mut document, brief(&slot)) {
            all.extend(brief);
        }
        Ok(document)
    })
    .await
}

/// `GET /v1/catalog`.
pub(crate) async fn catalog(State(app): State<Arc<App>>) -> Answer {
    looked(&app, |app| Ok(json!({ "catalog": list::catalog(app.rack())? }))).await
}

fn brief(slot: &Slot) -> Json {
    let (plan, serving) = (slot.plan(), slot.serving());
    let hash = serving.as_ref().and_then(|served| served.hash.as_ref());
    json!({
        "slot": slot.name().as_str(),
        "use": plan.use_text,
        "lazy": plan.lazy,
        "state": if serving.is_some() { "serving" } else { "empty" },
        "serves": serving.as_ref().map(|served| &served.module),
        "generation": serving.as_ref().map(|served| served.generation.0),
        "hash": hash.map(modrack_core::ContentHash::as_str),
    })
}
