//! What every request is answered from, and the routes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use modrack_core::{Code, Error, SlotName, nearest};
use modrack_runtime::{Rack, Slot};

use crate::serve::access::{Access, Via};
use crate::serve::answer::{Answer, Refusal};
use crate::serve::pool::Pool;
use crate::serve::readiness::Readiness;
use crate::serve::{calls, health, slots};

/// What is served, and what the server knows of itself.
pub(crate) struct App {
    pub(crate) rack: Rack,
    pub(crate) pool: Pool,
    pub(crate) access: Access,
    pub(crate) readiness: Readiness,
    stopping: AtomicBool,
}

impl App {
    /// Nothing of the rack has started yet.
    pub(crate) fn new(rack: Rack, access: Access) -> Arc<Self> {
        let (pool, readiness) = (Pool::new(&rack), Readiness::of(&rack));
        Arc::new(Self { rack, pool, access, readiness, stopping: AtomicBool::new(false) })
    }

    /// The slot that the rack declares by this name. No other text is understood over HTTP: a `use` would run what it names.
    ///
    /// # Errors
    /// [`Code::UnknownSlot`].
    pub(crate) fn slot(&self, name: &str) -> modrack_core::Result<Slot> {
        let plan = self.rack.plan();
        match SlotName::parse(name) {
            Ok(known) if plan.slots.contains_key(&known) => self.rack.slot(name),
            _ => {
                let error = Error::new(Code::UnknownSlot, format!("The rack has no slot `{name}`"));
                Err(match nearest(name, plan.slots.keys().map(SlotName::as_str)) {
                    Some(near) => error.hint(format!("Did you mean `{near}`?")),
                    None => error.hint("`/v1/slots` lists them"),
                })
            }
        }
    }

    /// Answers nothing new from now on.
    pub(crate) fn begin_to_stop(&self) {
        self.stopping.store(true, Ordering::Release);
    }

    /// Whether the server stops.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}

/// The routes, for requests that come this way.
pub(crate) fn routes(app: &Arc<App>, via: Via) -> Router {
    let about = Router::new().route("/healthz", get(health::alive)).route("/readyz", get(health::ready));
    let asking = Router::new()
        .route("/v1/slots", get(slots::all))
        .route("/v1/slots/{slot}/call/{function}", post(calls::call))
        .route("/v1/slots/{slot}/attribute/{name}", get(calls::attribute))
        .route_layer(from_fn_with_state(app.clone(), not_when_stopping));
    about
        .merge(asking)
        .fallback(nothing_there)
        .method_not_allowed_fallback(not_so)
        .layer(from_fn_with_state(app.clone(), admit))
        .layer(axum::Extension(via))
        .layer(from_fn(plainly))
        .with_state(app.clone())
}

/// Looks at a request before anything else does.
async fn admit(State(app): State<Arc<App>>, request: Request, next: Next) -> Answer {
    let via = request.extensions().get().copied().unwrap_or(Via::Tcp);
    app.access.admit(via, request.method(), request.uri(), request.headers())?;
    Ok(next.run(request).await)
}

async fn not_when_stopping(State(app): State<Arc<App>>, request: Request, next: Next) -> Answer {
    if app.is_stopping() {
        return Err(Error::new(Code::RackStopped, "The server is stopping").into());
    }
    Ok(next.run(request).await)
}

/// No answer is kept by anybody, or taken for something else than it says.
async fn plainly(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

async fn nothing_there(request: Request) -> Response {
    let message = format!("There is nothing at `{}`", request.uri().path());
    let error = Error::new(Code::BadRequest, message);
    Refusal::new(StatusCode::NOT_FOUND, error)
        .hint("What there is begins with `/v1/`, such as `/v1/slots`")
        .into_response()
}

async fn not_so(request: Request) -> Response {
    let message = format!("`{}` does not take {}", request.uri().path(), request.method());
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, Error::new(Code::BadRequest, message)).into_response()
}
