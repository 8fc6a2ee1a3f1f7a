//! `modrack serve`: the rack behind HTTP, on a TCP address and on a socket in the state folder.
//!
//! This is the edge: requests become calls of the rack, and what comes of them becomes JSON. Nothing here knows how a
//! module is called or replaced. What a module does never runs on the threads that see to connections ([`pool`]), and
//! no request is looked at before it is known whose it is ([`access`]).

mod access;
mod answer;
mod app;
mod body;
mod calls;
mod connections;
mod health;
mod listen;
mod pool;
mod presence;
mod readiness;
mod signals;
mod slots;
mod socket;
mod token;
mod words;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use modrack_core::{Call, Chain, Code, Error, Result};
use modrack_runtime::Rack;
use tokio::runtime::{Builder, Runtime};

use crate::args;
use crate::output::Outcome;
use crate::serve::access::{Access, Via};
use crate::serve::app::App;
use crate::serve::connections::Connections;
use crate::serve::presence::Presence;
use crate::serve::signals::{Signals, Wish};
use crate::session::{self, Session};

/// How long what was told to end has to do so, beyond the time that calls have by themselves.
const PATIENCE: Duration = Duration::from_secs(5);
/// How deep calls may be nested on the threads that make them, as on the first thread of a process.
const STACK: usize = 8 << 20;

/// Serves the rack until a signal asks it to stop.
pub(crate) fn run(what: &args::Serve, session: &mut Session) -> Outcome {
    let plan = session.plan_there()?;
    let folder = session::state(&plan);
    let rack = session.open(plan)?;
    session.needs_python_for_any(&rack)?;
    let address = SocketAddr::new(what.listen.ip(), what.port.unwrap_or(what.listen.port()));
    rack.measure(true);
    let signals = Signals::watch()?;
    let done = serve(&rack, folder.as_deref(), address, what, &signals, session);
    session.close(&rack, done)
}

fn serve(
    rack: &Rack,
    folder: Option<&Path>,
    address: SocketAddr,
    what: &args::Serve,
    signals: &Signals,
    session: &mut Session,
) -> Outcome {
    if folder.is_none() && !address.ip().is_loopback() {
        let message = format!(
            "`{address}` can be reached from elsewhere, and the rack has no state folder for a token"
        );
        return Err(Error::new(Code::Usage, message)
            .hint("Listen on `127.0.0.1`, or name a folder with `state:` or `MODRACK_STATE`")
            .into());
    }
    let runtime = runtime()?;
    let tcp = listen::tcp(&runtime, address)?;
    let address = tcp.address;
    let presence = folder.map(Presence::begin).transpose()?;
    if let Some(presence) = &presence {
        let files = presence.files();
        signals.before_leaving(move || files.clear());
    }
    let token = presence.as_ref().map(|presence| presence.token.clone());
    let app = App::new(rack.clone(), Access::new(address, &what.host, token));
    let socket = match &presence {
        Some(presence) => Some((listen::socket(&runtime, &presence.folder)?, app::routes(&app, Via::Socket))),
        None => None,
    };
    let connections = Connections::begin(&runtime, (tcp.listener, app::routes(&app, Via::Tcp)), socket);
    if let Some(presence) = &presence {
        presence.tell(address, rack.plan().file.as_deref())?;
    }
    words::listening(session, rack, address, presence.as_ref())?;
    start(&app, signals, session)?;
    while signals.next() != Wish::Stop {}
    stop(&app, runtime, connections, what.grace, session)?;
    drop(presence);
    words::stopped(session)?;
    Ok(0)
}

fn runtime() -> Result<Runtime> {
    Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(pool::THREADS)
        .thread_name("modrack-serve")
        .thread_stack_size(STACK)
        .enable_all()
        .build()
        .map_err(|why| Error::new(Code::Internal, format!("The server's threads cannot be made: {why}")))
}

/// Starts every slot that is not lazy, one after the other, on the thread that signals are for in an interpreter. A slot that fails
/// does not keep the others from starting.
fn start(
    app: &App,
    signals: &Signals,
    session: &mut Session,
) -> std::result::Result<(), crate::output::Failure> {
    let cancel = signals.cancel();
    let given_up = Call { cancel: Some(&cancel), ..Call::default() };
    for (slot, _) in app.readiness.missing() {
        if signals.is_stopping() {
            return Ok(());
        }
        let started = Chain::bounded(&given_up, || app.slot(slot.as_str()).and_then(|slot| slot.pin()));
        if let Err(error) = &started
            && !signals.is_stopping()
        {
            session.output.report(error);
        }
        app.readiness.note(&slot, started.err());
    }
    words::started(session, app)
}

/// Ends the server: no connection comes any more, the calls under way end by themselves or are given up, and the modules stop.
fn stop(
    app: &App,
    runtime: Runtime,
    mut connections: Connections,
    grace: Duration,
    session: &mut Session,
) -> std::result::Result<(), crate::output::Failure> {
    app.begin_to_stop();
    connections.close();
    words::stopping(session, app.pool.under_way(), grace)?;
    let drained = runtime.block_on(async {
        let all_ended = async {
            connections.ended().await;
            app.pool.idle().await;
        };
        tokio::time::timeout(grace, all_ended).await.is_ok()
    });
    if !drained {
        app.pool.give_up();
        let ended = runtime.block_on(async { tokio::time::timeout(PATIENCE, app.pool.idle()).await.is_ok() });
        words::given_up(session, if ended { 0 } else { app.pool.under_way() });
    }
    runtime.shutdown_background();
    let (stopped, has_stopped) = mpsc::channel();
    let rack = app.rack.clone();
    // In an interpreter the first thread would hear the signal in the middle of a module's own end.
    let stopping = thread::Builder::new().name("modrack-stop".to_owned()).spawn(move || {
        // Nobody waits any more when it took too long.
        let _ = stopped.send(rack.stop());
    });
    if stopping.is_ok()
        && let Ok(failed) = has_stopped.recv_timeout(PATIENCE)
        && let Some(error) = Error::all(failed)
    {
        return Err(error.into());
    }
    Ok(())
}
