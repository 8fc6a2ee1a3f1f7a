//! Calls of functions, and attributes: what comes in as JSON goes to the module that serves now, and its answer says which
//! generation gave it.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use modrack_core::{Args, Call, Cancel, Chain, Code, Error, Result, Results, Text, Value};
use modrack_runtime::{Pin, Slot};

use crate::arguments::Arguments;
use crate::json;
use crate::reading::Words;
use crate::serve::access::Via;
use crate::serve::answer::{Answer, Refusal, text_with};
use crate::serve::app::App;
use crate::serve::body::Asked;
use crate::serve::named::Named;
use crate::serve::pool::Work;

/// The most bytes of JSON that values which come one by one are collected to.
const MOST: usize = 64 << 20;

/// What a function is given.
enum Given {
    /// Values.
    Values(Arguments),
    /// The ARGs of a command line.
    Words(Words),
}

/// `POST /v1/slots/{slot}/call/{function}`.
pub(crate) async fn call(
    State(app): State<Arc<App>>,
    Extension(via): Extension<Via>,
    Named((slot, function)): Named<(String, String)>,
    request: Request,
) -> Answer {
    let slot = app.slot(&slot)?;
    let received = app.receive(via, Work::Call, request).await?;
    let work = move |cancel: &Cancel| {
        let mut asked = received.read(&["args", "kwargs", "words", "read"])?;
        let given = given(&mut asked, via)?;
        let name = (function != "_").then_some(&*function);
        bounded(cancel, || {
            let pin = slot.pin()?;
            let arguments = match given {
                Given::Values(arguments) => arguments,
                Given::Words(words) => {
                    let (name, function) = pin.function(name)?;
                    let read = || pin.description().function(&name).map(|known| known.signature.clone());
                    words.parse(function.signature().cloned().or_else(read).as_ref())?
                }
            };
            let call = Call {
                args: Args { positional: &arguments.positional, named: &arguments.named },
                deadline: None,
                cancel: Some(cancel),
                results: Results::Converted,
            };
            pin.within(|| {
                let value = slot.function(name)?.call(call)?;
                written("result", &value, &pin, cancel)
            })
        })
        .map_err(Refusal::from)
    };
    app.pool.run(Work::Call, work).await.map(answered)
}

/// `GET /v1/slots/{slot}/attribute/{name}`.
pub(crate) async fn attribute(
    State(app): State<Arc<App>>,
    Named((slot, name)): Named<(String, String)>,
) -> Answer {
    let slot: Slot = app.slot(&slot)?;
    let work = move |cancel: &Cancel| {
        bounded(cancel, || {
            let pin = slot.pin()?;
            pin.within(|| written("value", &slot.attribute(&name)?, &pin, cancel))
        })
    };
    app.pool.run(Work::Call, work).await.map(answered).map_err(Refusal::from)
}

/// Runs `run` with all that comes of it given up when `cancel` says so.
fn bounded<R>(cancel: &Cancel, run: impl FnOnce() -> Result<R>) -> Result<R> {
    let given_up = Call { cancel: Some(cancel), ..Call::default() };
    Chain::bounded(&given_up, run)
}

fn answered(text: String) -> Response {
    text_with(StatusCode::OK, text, "application/json")
}

fn given(asked: &mut Asked, via: Via) -> std::result::Result<Given, Refusal> {
    if let Some(words) = asked.take("words") {
        if via != Via::Socket {
            return Err(Refusal::bad("`words` are for the socket; send `args` and `kwargs`"));
        }
        let document = serde_json::json!({ "words": words, "read": asked.mapping("read")? });
        let words =
            Words::from_json(&document).ok_or_else(|| Refusal::bad("`words` must be a list of texts"))?;
        return Ok(Given::Words(words));
    }
    let positional = asked.list("args")?.into_iter().map(json::from_json).collect();
    let named = asked.mapping("kwargs")?;
    let named = named.into_iter().map(|(name, value)| (Text::from(name), json::from_json(value))).collect();
    Ok(Given::Values(Arguments { positional, named }))
}

/// A value of what `pin` holds as an answer: `{KEY: value, "generation": number}`.
///
/// What yields its values one by one is read to its end, as a list, with the generation kept until then; the answer says so.
fn written(key: &str, value: &Value, pin: &Pin, cancel: &Cancel) -> Result<String> {
    let items = match value {
        Value::Foreign(object) => object.items(),
        _ => None,
    };
    let yielded = if items.is_some() { ",\"yielded\":true" } else { "" };
    let text = match items {
        None => json::to_text(value).map_err(|error| pin.blame(error))?,
        Some(items) => {
            let mut text = String::from("[");
            for item in items {
                if cancel.is_cancelled() {
                    return Err(pin.blame(Error::new(Code::Cancelled, "The caller gave up")));
                }
                let item = item.and_then(|item| json::to_text(&item)).map_err(|error| pin.blame(error))?;
                if text.len() + item.len() > MOST {
                    let message = format!("The values that it yields are longer than {} MiB", MOST >> 20);
                    return Err(pin.blame(
                        Error::new(Code::OutputTooLarge, message)
                            .hint("Have it end sooner, or read it with `modrack call --local`"),
                    ));
                }
                if text.len() > 1 {
                    text.push(',');
                }
                text.push_str(&item);
            }
            text.push(']');
            text
        }
    };
    let mut answer = String::with_capacity(text.len() + 64);
    let _ = writeln!(answer, "{{\"{key}\":{text},\"generation\":{}{yielded}}}", pin.generation().0);
    Ok(answer)
}
