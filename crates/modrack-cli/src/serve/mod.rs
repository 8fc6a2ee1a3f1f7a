//! `modrack serve`: the rack behind HTTP, on a TCP address and on a socket in the state folder.
//!
//! This is the edge: requests become calls of the rack, and what comes of them becomes JSON. Nothing here knows how a
//! module is called or replaced. What a module does never runs on the threads that see to connections ([`pool`]), and
//! no request is looked at before it is known whose it is ([`access`]).

mod access;
mod answer;
mod app;
mod asked;
mod body;
mod calls;
mod changes;
mod connections;
mod events;
mod health;
mod listen;
mod metrics;
mod named;
mod pool;
mod presence;
mod remembered;
mod signals;
mod slots;
mod socket;
mod stream;
mod token;
mod words;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use modrack::live::{LiveRack, LiveSettings, Started};
use modrack_core::{Call, Chain, Code, Error, Result};
use modrack_runtime::Asked;
use tokio::runtime::{Builder, Runtime};

use crate::args;
use crate::output::{Failure, Outcome};
use crate::serve::access::{Access, Via};
use crate::serve::app::App;
use crate::serve::connections::Connections;
use crate::serve::listen::Tcp;
use crate::serve::presence::Presence;
use crate::serve::signals::{Hooks, Limits, Signals, Wish};
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
    let folder = session::own_state(&plan);
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
    session.is_to_serve();
    let rack = if what.from_config { session.open_as_written(plan)? } else { session.open(plan)? };
    session.needs_python_to_serve(&rack)?;
    rack.measure(true);
    let signals = Signals::watch(limits(what.grace))?;
    let runtime = runtime()?;
    // A server that cannot listen drops nothing that was swapped in; another one that has the state is named all the same.
    let tcp = listen::tcp(&runtime, address);
    let settings = LiveSettings { from_config: what.from_config && tcp.is_ok(), ..settings };
    // From here on nobody else has the state.
    let (live, warnings) = LiveRack::attach(rack, settings)?;
    warnings.iter().for_each(|warning| session.output.warn(warning));
    let done = match tcp {
        Ok(tcp) => serve(&live, folder.as_deref(), runtime, tcp, what, &signals, session),
        Err(why) => Ok(Stopped { done: Err(why.into()), is_whole: true }),
    };
    let (done, is_whole) = match done {
        Ok(stopped) => (stopped.done.map(|()| 0), stopped.is_whole),
        Err(failure) => (Err(failure), true),
    };
    if !is_whole {
        // Whatever else is asked of what hangs would hang as well.
        if let Err(Failure::Failed(error)) = &done {
            session.output.report(error);
        }
        signals.leave(i32::from(done.is_err()));
    }
    let done = session.close(live.rack(), done);
    live.stop();
    done
}

/// How a server ended.
struct Stopped {
    done: std::result::Result<(), Failure>,
    /// Whether the modules have stopped, or can be asked to.
    is_whole: bool,
}

fn serve(
    live: &LiveRack,
    folder: Option<&Path>,
    runtime: Runtime,
    tcp: Tcp,
    what: &args::Serve,
    signals: &Signals,
    session: &mut Session,
) -> std::result::Result<Stopped, Failure> {
    let address = tcp.address;
    let presence = folder.map(Presence::begin).transpose()?;
    let token = presence.as_ref().map(|presence| presence.token.clone());
    let app = App::new(live.clone(), Access::new(address, &what.host, token));
    let starts = Arc::new(AtomicBool::new(true));
    signals.hook(hooks(&app, presence.as_ref(), &starts));
    let socket = match &presence {
        Some(presence) => Some((listen::socket(&runtime, &presence.folder)?, app::routes(&app, Via::Socket))),
        None => None,
    };
    let connections = Connections::begin(&runtime, (tcp.listener, app::routes(&app, Via::Tcp)), socket);
    let served = begin(&app, presence.as_ref(), address, signals, session);
    starts.store(false, Ordering::Release);
    let told = served.is_ok().then(|| words::tell_events(session, live.rack()));
    let served = served.and_then(|started| ready(&app, what.watch, &started, signals, session));
    let served = served.and_then(|()| until_told(live, signals, session));
    // What was said to nobody does not cut the calls off.
    let stopped = stop(&app, runtime, connections, presence, what.grace, session);
    drop(told);
    let done = served.and(stopped.done);
    let done = if stopped.is_whole { done.and_then(|()| words::stopped(session)) } else { done };
    Ok(Stopped { done, ..stopped })
}

/// Says where the server is, and starts what is to be started.
fn begin(
    app: &App,
    presence: Option<&Presence>,
    address: SocketAddr,
    signals: &Signals,
    session: &mut Session,
) -> std::result::Result<Vec<Started>, Failure> {
    if let Some(presence) = presence {
        presence.tell(address, app.rack().plan().file.as_deref())?;
    }
    words::listening(session, app.rack(), address, presence)?;
    Ok(start(app, signals, session))
}

/// Watches, where that is asked for, and says that all slots serve, or which do not: who hears it may rely on what is saved from then on.
fn ready(
    app: &App,
    watches: bool,
    started: &[Started],
    signals: &Signals,
    session: &mut Session,
) -> std::result::Result<(), Failure> {
    if signals.is_stopping() {
        return Ok(());
    }
    if watches {
        app.live.watch()?;
    }
    words::started(session, app, started)
}

/// Does what signals ask for until one asks to stop.
fn until_told(live: &LiveRack, signals: &Signals, session: &mut Session) -> std::result::Result<(), Failure> {
    while signals.next() == Wish::Reload {
        reload_aside(live, session);
    }
    Ok(())
}

/// What is done at signals: requests are answered no more at once, even where a start holds the rest up; and who leaves takes its files along, and
/// notes what it gave up.
fn hooks(app: &Arc<App>, presence: Option<&Presence>, starts: &Arc<AtomicBool>) -> Hooks {
    let (at_stop, at_limit, live, starts) = (app.clone(), app.clone(), app.live.clone(), starts.clone());
    let files = presence.map(Presence::files);
    Hooks {
        stopping: Box::new(move || at_stop.begin_to_stop()),
        only_starts: Box::new(move || starts.load(Ordering::Acquire) && at_limit.pool.under_way() == 0),
        before_leaving: Box::new(move || {
            if let Some(files) = &files {
                files.clear();
            }
            live.give_up();
        }),
    }
}

/// How long it may take to stop: until the calls have ended or were given up, the last answers were sent, and the modules have stopped.
fn limits(grace: Duration) -> Limits {
    let rest = PATIENCE * 2 + LAST_WORDS * 3;
    Limits { most: grace.saturating_add(rest), of_a_start: PATIENCE }
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
fn start(app: &App, signals: &Signals, session: &Session) -> Vec<Started> {
    let cancel = signals.cancel();
    let given_up = Call { cancel: Some(&cancel), ..Call::default() };
    let started = Chain::bounded(&given_up, || app.live.start());
    if signals.is_stopping() {
        return started;
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
    started
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
    presence: Option<Presence>,
    grace: Duration,
    session: &mut Session,
) -> Stopped {
    app.begin_to_stop();
    connections.close();
    // Nobody finds it any more; and once the state is given back, files of these names are another's.
    drop(presence);
    let said = words::stopping(session, app.pool.under_way(), grace);
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
    let done = match (stopping, has_stopped.recv_timeout(PATIENCE)) {
        (Ok(_), Err(mpsc::RecvTimeoutError::Timeout)) => {
            words::not_stopped(session, PATIENCE);
            return Stopped { done: said, is_whole: false };
        }
        (Ok(_), Ok(failed)) => Error::all(failed).map_or(Ok(()), |error| Err(error.into())),
        // Without a thread of its own it is stopped by this one, at the end.
        (Err(_), _) | (Ok(_), Err(mpsc::RecvTimeoutError::Disconnected)) => Ok(()),
    };
    Stopped { done: done.and(said), is_whole: true }
}
