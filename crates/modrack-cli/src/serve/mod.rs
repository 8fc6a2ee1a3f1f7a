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
mod changes;
mod connections;
mod events;
mod health;
mod listen;
mod metrics;
mod pool;
mod presence;
mod remembered;
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

use modrack::live::{LiveRack, LiveSettings};
use modrack_core::{Call, Chain, Code, Error, Result};
use modrack_runtime::Asked;
use tokio::runtime::{Builder, Runtime};

use crate::args;
use crate::output::{Failure, Outcome};
use crate::serve::access::{Access, Via};
use crate::serve::app::App;
use crate::serve::connections::Connections;
use crate::serve::presence::Presence;
use crate::serve::signals::{Signals, Wish};
use crate::session::{self, Session};

/// How long what was told to end has to do so, beyond the time that calls have by themselves.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the last answers may take to be sent.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How deep calls may be nested on the threads that make them, as on the first thread of a process.
const STACK: usize = 8 << 20;

/// Serves the rack until a signal asks it to stop.
pub(crate) fn run(what: &args::Serve, session: &mut Session) -> Outcome {
    let plan = session.plan_there()?;
    let folder = session::state(&plan);
    let address = SocketAddr::new(what.listen.ip(), what.port.unwrap_or(what.listen.port()));
    if folder.is_none() && !address.ip().is_loopback() {
        let message = format!(
            "`{address}` can be reached from elsewhere, and the rack has no state folder for a token"
        );
        return Err(Error::new(Code::Usage, message)
            .hint("Listen on `127.0.0.1`, or name a folder with `state:` or `MODRACK_STATE`")
            .into());
    }
    let settings = session.live_settings(&plan);
    let settings = LiveSettings { from_config: what.from_config, ..settings };
    session.is_to_serve();
    let rack = if what.from_config { session.open_as_written(plan)? } else { session.open(plan)? };
    session.needs_python_to_serve(&rack)?;
    rack.measure(true);
    let signals = Signals::watch()?;
    // From here on nobody else has the state.
    let (live, warnings) = LiveRack::attach(rack, settings)?;
    warnings.iter().for_each(|warning| session.output.warn(warning));
    let done = serve(&live, folder.as_deref(), address, what, &signals, session);
    let done = session.close(live.rack(), done);
    live.stop();
    done
}

fn serve(
    live: &LiveRack,
    folder: Option<&Path>,
    address: SocketAddr,
    what: &args::Serve,
    signals: &Signals,
    session: &mut Session,
) -> Outcome {
    let runtime = runtime()?;
    let tcp = listen::tcp(&runtime, address)?;
    let address = tcp.address;
    let presence = folder.map(Presence::begin).transpose()?;
    if let Some(presence) = &presence {
        let files = presence.files();
        signals.before_leaving(move || files.clear());
    }
    let token = presence.as_ref().map(|presence| presence.token.clone());
    let app = App::new(live.clone(), Access::new(address, &what.host, token));
    let socket = match &presence {
        Some(presence) => Some((listen::socket(&runtime, &presence.folder)?, app::routes(&app, Via::Socket))),
        None => None,
    };
    let connections = Connections::begin(&runtime, (tcp.listener, app::routes(&app, Via::Tcp)), socket);
    if let Some(presence) = &presence {
        presence.tell(address, live.rack().plan().file.as_deref())?;
    }
    words::listening(session, live.rack(), address, presence.as_ref())?;
    start(&app, signals, session)?;
    let told = words::tell_events(session, live.rack());
    if what.watch {
        live.watch()?;
    }
    while signals.next() == Wish::Reload {
        reload_aside(live, session);
    }
    let stopped = stop(&app, runtime, connections, what.grace, session);
    drop((told, presence));
    stopped?;
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

/// Starts every slot that is not lazy, on the thread that signals are for in an interpreter. What fails does not keep the others from
/// starting.
fn start(app: &App, signals: &Signals, session: &mut Session) -> std::result::Result<(), Failure> {
    let cancel = signals.cancel();
    let given_up = Call { cancel: Some(&cancel), ..Call::default() };
    let started = Chain::bounded(&given_up, || app.live.start());
    if signals.is_stopping() {
        return Ok(());
    }
    for slot in &started {
        if let Some(why) = &slot.why {
            match slot.served {
                Some(_) => session.output.warn(why),
                None => session.output.report_more(why),
            }
        }
    }
    app.live.take_warnings().iter().for_each(|warning| session.output.warn(warning));
    words::started(session, app, &started)
}

/// Reads again what changed, on a thread of its own: a signal to stop does not wait for it. What comes of it is told as an event.
fn reload_aside(live: &LiveRack, session: &Session) {
    let (live, say) = (live.clone(), words::of_reload(session));
    let asked = Asked { who: "signal".to_owned(), why: String::new() };
    let begun = thread::Builder::new().name("modrack-reload".to_owned()).spawn(move || {
        say(live.reload_configuration(asked));
    });
    if begun.is_err() {
        session.output.say("warning: no thread could be had to read the rack again\n");
    }
}

/// Ends the server: no connection comes any more, the calls under way end by themselves or are given up, and the modules stop.
fn stop(
    app: &App,
    runtime: Runtime,
    mut connections: Connections,
    grace: Duration,
    session: &mut Session,
) -> std::result::Result<(), Failure> {
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
        let ended = runtime.block_on(async {
            let ended = tokio::time::timeout(PATIENCE, app.pool.idle()).await.is_ok();
            // Whoever still listens hears what became of its call.
            let _ = tokio::time::timeout(LAST_WORDS, connections.ended()).await;
            ended
        });
        words::given_up(session, if ended { 0 } else { app.pool.under_way() });
    }
    runtime.shutdown_background();
    let (stopped, has_stopped) = mpsc::channel();
    let live = app.live.clone();
    // In an interpreter the first thread would hear the signal in the middle of a module's own end.
    let stopping = thread::Builder::new().name("modrack-stop".to_owned()).spawn(move || {
        // Nobody waits any more when it took too long.
        let _ = stopped.send(live.stop());
    });
    if stopping.is_ok()
        && let Ok(failed) = has_stopped.recv_timeout(PATIENCE)
        && let Some(error) = Error::all(failed)
    {
        return Err(error.into());
    }
    Ok(())
}
