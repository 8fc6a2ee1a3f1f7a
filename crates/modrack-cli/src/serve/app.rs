//! What every request is answered from, and the routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use modrack::live::LiveRack;
use modrack_core::{Code, Error, SlotName, nearest};
use modrack_runtime::{Rack, Slot};
use tokio::sync::watch;

use crate::serve::access::{Access, Apart, Via};
use crate::serve::answer::{Answer, Refusal};
use crate::serve::body::{Bodies, Received};
use crate::serve::events::Listeners;
use crate::serve::metrics::Swaps;
use crate::serve::pool::{Pool, Work};
use crate::serve::{answer, calls, changes, events, health, metrics, remembered, slots};

/// What is served, and what the server knows of itself.
pub(crate) struct App {
    pub(crate) live: LiveRack,
    pub(crate) pool: Pool,
    pub(crate) access: Access,
    pub(crate) swaps: Arc<Swaps>,
    pub(crate) listeners: Apart<Listeners>,
    bodies: Apart<Bodies>,
    stopping: watch::Sender<bool>,
}

impl App {
    /// Nothing of the rack has started yet.
    pub(crate) fn new(live: LiveRack, access: Access) -> Arc<Self> {
        let (pool, swaps) = (Pool::new(live.rack()), Swaps::of(live.rack()));
        let (listeners, bodies) = (Apart::new(Listeners::default), Apart::new(Bodies::default));
        Arc::new(Self { live, pool, access, swaps, listeners, bodies, stopping: watch::channel(false).0 })
    }

    /// The rack.
    pub(crate) fn rack(&self) -> &Rack {
        self.live.rack()
    }

    /// The slot that the rack declares by this name. No other text is understood over HTTP: a `use` would run what it names.
    ///
    /// # Errors
    /// [`Code::UnknownSlot`].
    pub(crate) fn slot(&self, name: &str) -> modrack_core::Result<Slot> {
        let plan = self.rack().plan();
        match SlotName::parse(name) {
            Ok(known) if plan.slots.contains_key(&known) => self.rack().slot(name),
            _ => {
                let error = Error::new(Code::UnknownSlot, format!("The rack has no slot `{name}`"));
                Err(match nearest(name, plan.slots.keys().map(SlotName::as_str)) {
                    Some(near) => error.hint(format!("Did you mean `{near}`?")),
                    None => error.hint("`/v1/slots` lists them"),
                })
            }
        }
    }

    /// Receives the body of a request that asks for work of this sort, unless there is no place for any more of that.
    ///
    /// # Errors
    /// [`Code::ServerBusy`], [`Code::RackStopped`], and what is wrong with the body.
    pub(crate) async fn receive(&self, via: Via, what: Work, request: Request) -> Result<Received, Refusal> {
        self.pool.has_room(what)?;
        self.bodies.of(via).receive(request.into_body(), self.closing()).await
    }

    /// Answers nothing new from now on.
    pub(crate) fn begin_to_stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Whether the server stops.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    /// Tells when the server stops.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.stopping.subscribe()
    }

    /// Whether every slot that is not lazy serves, and the server goes on.
    pub(crate) fn is_ready(&self) -> bool {
        !self.is_stopping() && self.live.readiness().is_ready()
    }
}

/// The routes, for requests that come this way.
pub(crate) fn routes(app: &Arc<App>, via: Via) -> Router {
    let about = Router::new()
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::all));
    let asking = Router::new()
        .route("/v1/slots", get(slots::all))
        .route("/v1/slots/{slot}", get(slots::one))
        .route("/v1/catalog", get(slots::catalog))
        .route("/v1/status", get(remembered::status))
        .route("/v1/stats", get(remembered::stats))
        .route("/v1/history", get(remembered::history))
        .route("/v1/events", get(events::listen))
        .route("/v1/slots/{slot}/call/{function}", post(calls::call))
        .route("/v1/slots/{slot}/attribute/{name}", get(calls::attribute))
        .route_layer(from_fn_with_state(app.clone(), not_when_stopping));
    // A rack's text may say what concerns nobody else: it is shown to who could change it.
    let permitted = Router::new()
        .route("/v1/configurations", get(remembered::configurations))
        .route("/v1/configurations/{hash}", get(remembered::configuration))
        .route("/v1/slots/{slot}/swap", post(changes::swap))
        .route("/v1/swap", post(changes::swap_all))
        .route("/v1/reload", post(changes::reload))
        .route("/v1/configurations/{hash}/restore", post(changes::restore))
        .route("/v1/slots/{slot}/rollback", post(changes::rollback))
        .route("/v1/slots/{slot}/unload", post(changes::unload))
        .route_layer(from_fn_with_state(app.clone(), not_when_stopping))
        .route_layer(from_fn_with_state(app.clone(), permit));
    about
        .merge(asking)
        .merge(permitted)
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

/// Holds that whoever asks may change the rack.
async fn permit(State(app): State<Arc<App>>, request: Request, next: Next) -> Answer {
    let via = request.extensions().get().copied().unwrap_or(Via::Tcp);
    app.access.permit(via, request.headers())?;
    Ok(next.run(request).await)
}

async fn not_when_stopping(State(app): State<Arc<App>>, request: Request, next: Next) -> Answer {
    if app.is_stopping() {
        return Err(answer::stopping().into());
    }
    Ok(next.run(request).await)
}

/// No answer is kept by anybody, or taken for something else than it says.
async fn plainly(request: Request, next: Next) -> Response {
    let is_chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if is_chunked {
        // It may have said its length as well. A proxy that believes that takes what comes next for another request than it is.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
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
