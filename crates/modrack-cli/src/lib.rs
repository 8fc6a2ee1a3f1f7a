//! The `modrack` command as a library.
//!
//! It is run by the plain `modrack` binary, and by the Python extension module inside an interpreter; what
//! differs between the two is in [`Host`]. Nothing here links Python.

mod args;
mod arguments;
mod client;
mod clock;
mod complete;
mod figures;
mod host;
mod interrupt;
mod json;
mod live_json;
mod live_words;
mod log;
mod no_python;
mod output;
mod progress;
mod python_host;
mod reading;
mod report;
mod serve;
mod session;
mod style;
mod table;
mod there;
mod verb;
mod wire;

use std::env;
use std::ffi::OsString;
use std::panic::{self, AssertUnwindSafe};

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser as _};
use clap_complete::env::CompleteEnv;
use modrack_core::{Code, Error};

use crate::args::{Cli, Global, LogFormat, Verb};
use crate::output::{Failure, Outcome, Output};
use crate::session::Session;

pub use host::{Host, Interpreter, LIVE, Live, PythonFactory, PythonSettings, WasmFactory, components};
pub use interrupt::forked_off;

/// Runs the command with these words, the first of which is its own name, and gives its exit status.
///
/// Writes to the process's standard error and to the stream for data, and to nothing else. In a process
/// without an interpreter it does not come back when a verb needs one: the interpreter takes its place.
pub fn run(args: Vec<OsString>, mut host: Host) -> u8 {
    if env::var_os(complete::COMPLETE_ENV).is_some() {
        return complete(args, &host);
    }
    let stdout = host.stdout.take();
    let level = env::var("MODRACK_LOG").ok();
    let mut cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            let global = globals_of(&args);
            return usage(&error, &mut Output::new(&global, stdout, level.as_deref()));
        }
    };
    let mut output = Output::new(&cli.global, stdout, level.as_deref());
    if matches!(cli.verb, Verb::Swap(_)) {
        if is_set_before("swap", &args) {
            let error = Error::new(Code::Usage, "`--set` before `swap` would stay, and not hold for this once")
                .hint("What is set in what is swapped in stands behind the verb: `modrack swap SLOT --set KEY=VALUE`");
            output.report(&error);
            return report::status(&error);
        }
        // What a swap sets is set in what is swapped in, and for longer than this once.
        cli.global.set.clear();
    }
    let words = args.into_iter().skip(1).collect();
    let mut session = Session::new(host, cli.global, words, output);
    let done = panic::catch_unwind(AssertUnwindSafe(|| verb(&cli.verb, &mut session)));
    match done {
        Ok(Ok(status)) => status,
        // Whoever read the data has seen enough: that is no failure.
        Ok(Err(Failure::ReaderGone)) => 0,
        Ok(Err(Failure::Failed(error))) => {
            session.output.report(&error);
            report::status(&error)
        }
        Err(_) => {
            let error = Error::new(Code::Internal, "modrack met a mistake of its own and stopped").hint(
                "What is printed above says where; please report it with the output of `modrack version`",
            );
            session.output.report(&error);
            1
        }
    }
}

fn verb(verb: &Verb, session: &mut Session) -> Outcome {
    match verb {
        Verb::Run(what) => verb::run::run(what, session),
        Verb::Call(what) => verb::call::run(what, session),
        Verb::Get(what) => verb::get::run(what, session),
        Verb::List(what) => verb::list::run(what, session),
        Verb::Inspect(what) => verb::inspect::run(what, session),
        Verb::Check(what) => verb::check::run(what, session),
        Verb::New(what) => verb::new::run(what, &mut session.output),
        Verb::Schema => {
            session.output.print(&modrack_core::plan::schema_json())?;
            Ok(0)
        }
        Verb::Completions(what) => verb::completions::run(what, &mut session.output),
        Verb::Version => verb::version::run(session),
        Verb::Swap(_)
        | Verb::Rollback(_)
        | Verb::Unload(_)
        | Verb::Status
        | Verb::Stats
        | Verb::Events(_)
        | Verb::History(_)
        | Verb::Config(_)
        | Verb::Serve(_) => match session.host().live {
            Some(live) => (live.verb)(verb, session),
            None => Err(Error::new(
                Code::ExtensionMissing,
                "This build of the extension module has nothing that goes with a rack's state",
            )
            .hint("Run the verb by the command itself, or by `python -m modrack` of the whole package")
            .into()),
        },
    }
}

/// What clap says of a command line: help and version are data, the rest is a failure.
fn usage(error: &clap::Error, output: &mut Output) -> u8 {
    let shown = |is_coloured: bool| {
        let text = error.render();
        if is_coloured { text.ansi().to_string() } else { text.to_string() }
    };
    let done = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let text = shown(output.data_paint.on);
            output.print(&text).map(|()| 0)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let text = shown(output.paint.on);
            output.complain(&text);
            Ok(2)
        }
        _ => Err(Failure::Failed(misunderstood(&error.render().to_string()))),
    };
    match done {
        Ok(status) => status,
        Err(Failure::ReaderGone) => 0,
        Err(Failure::Failed(error)) => {
            output.report(&error);
            report::status(&error)
        }
    }
}

/// What clap says is wrong, in the form of every other failure: its tips and the usage as the hint.
fn misunderstood(said: &str) -> Error {
    let said = said.replace('\'', "`").replace("unrecognized subcommand", "there is no verb");
    let said = said.replace("subcommand", "verb");
    let mut message: Vec<&str> = Vec::new();
    let mut hint: Vec<String> = Vec::new();
    for line in said.strip_prefix("error: ").unwrap_or(&said).lines().map(str::trim) {
        if let Some(tip) = line.strip_prefix("tip: ") {
            hint.push(capital(tip));
        } else if line.starts_with("Usage: ") {
            hint.push(line.to_owned());
        } else if !line.is_empty() && !line.starts_with("For more information") && hint.is_empty() {
            message.push(line);
        }
    }
    let error = Error::new(Code::Usage, capital(&message.join(" ")));
    if error.message().starts_with("There is no verb") {
        hint.push("`modrack --help` says which verbs there are".to_owned());
    }
    if hint.is_empty() { error.hint("`--help` says what goes") } else { error.hint(hint.join("\n")) }
}

/// Answers a shell that asks what may come next.
fn complete(args: Vec<OsString>, host: &Host) -> u8 {
    complete::with(host.wasm, host.live);
    let here = env::current_dir().ok();
    let asked = CompleteEnv::with_factory(Cli::command).var(complete::COMPLETE_ENV);
    match asked.try_complete(args, here.as_deref()) {
        Ok(_) => 0,
        Err(error) => {
            // The shell shows nothing of it, and its user should not see it on every key.
            let _ = error;
            2
        }
    }
}

/// Whether `--set` stands before this verb: clap knows it and the verb's own as one.
fn is_set_before(verb: &str, args: &[OsString]) -> bool {
    let mut words = args.iter().skip(1).take_while(|word| *word != verb);
    words.any(|word| word == "--set" || word.to_string_lossy().starts_with("--set="))
}

/// The options that say how to report, read from a command line that clap refuses.
fn globals_of(args: &[OsString]) -> Global {
    let mut words = args.iter().skip(1).take_while(|word| *word != "--").peekable();
    let mut global = Global::default();
    while let Some(word) = words.next() {
        global.json |= word == "--json";
        let is_json = word == "--log-format=json"
            || (word == "--log-format" && words.peek().is_some_and(|next| *next == "json"));
        if is_json {
            global.log_format = LogFormat::Json;
        }
    }
    global
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
