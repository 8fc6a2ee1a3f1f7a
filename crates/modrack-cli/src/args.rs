//! The command line as clap reads it: verbs, options and their help.
//!
//! Only shapes are here. What a verb does is in `verb`, and no default is looked up in the environment by this
//! page, except by name in a help text.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::Styles;
use clap::builder::styling::{AnsiColor, Effects};
use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::engine::ArgValueCompleter;
use modrack_core::plan::duration;

use crate::complete;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .usage(AnsiColor::Green.on_default().effects(Effects::BOLD))
    .literal(AnsiColor::Cyan.on_default().effects(Effects::BOLD))
    .placeholder(AnsiColor::Cyan.on_default());

/// Loads modules by name, calls them, and runs them in pipelines.
#[derive(Parser, Debug)]
#[command(
    name = "modrack",
    bin_name = "modrack",
    version,
    styles = STYLES,
    disable_help_subcommand = true,
    subcommand_value_name = "VERB",
    subcommand_help_heading = "Verbs",
    after_help = "A SLOT is a name in the rack, or whatever may stand behind `use:`, such as `./upper.py:Upper` or \
                  `python:math`.\nExit status: 0 done, 1 the work failed or `check` found something, 2 usage or \
                  configuration, 130 interrupted."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// What every verb takes.
#[derive(Args, Debug, Default, Clone)]
pub(crate) struct Global {
    /// The rack: a file, the folder it is in, or `sqlite:PATH#NAME` [env: MODRACK_RACK; default: the nearest `rack.*` upwards]
    #[arg(short, long, global = true, value_name = "RACK", value_hint = ValueHint::AnyPath)]
    pub(crate) rack: Option<PathBuf>,
    /// Set a value of the rack for this once: `pipelines.delays.sink.parquet=out.parquet`
    #[arg(long, global = true, value_name = "PATH=VALUE")]
    pub(crate) set: Vec<String>,
    /// Act in this process, whether or not the rack is being served
    #[arg(long, global = true)]
    pub(crate) local: bool,
    /// Print data, and errors too, as JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say what is being done (twice: in detail) [env: MODRACK_LOG=info|debug]
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print nothing but data and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// How events are written to standard error
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
}

/// How events are written.
#[derive(ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    #[default]
    Text,
    Json,
}

/// The verbs.
#[derive(Subcommand, Debug)]
pub(crate) enum Verb {
    /// Run a pipeline
    Run(Run),
    /// Call a function of a slot and print its result as JSON
    Call(Call),
    /// Read an attribute of a slot and print it as JSON
    Get(Get),
    /// List the slots and the modules that were found; loads nothing
    List(List),
    /// Show all that can be known of a slot or file without running it
    Inspect(Inspect),
    /// Check the rack, its modules and its pipelines, or single files, without running them
    Check(Check),
    /// Replace what fills a slot, or read it anew, while it is being called
    Swap(Swap),
    /// Go back to what filled a slot before
    Rollback(Rollback),
    /// Stop what fills a slot of the rack that is being served; the next call loads it anew
    Unload(Unload),
    /// Show what serves in each slot, and how that differs from what the rack says
    Status,
    /// Show load and call figures of the rack that is being served
    Stats,
    /// Show what happens in the rack that is being served, as it happens
    Events(Events),
    /// Serve the rack over HTTP until a signal stops it
    Serve(Serve),
    /// Show what was swapped, loaded and configured: when, by whom, to which content, and how it ended
    History(History),
    /// Show the configurations that served, and go back to one
    #[command(subcommand, subcommand_value_name = "WHAT", subcommand_help_heading = "What")]
    Config(Config),
    /// Make a new rack or module
    #[command(subcommand, subcommand_value_name = "WHAT", subcommand_help_heading = "What")]
    New(New),
    /// Print the JSON Schema of `rack.yaml`
    Schema,
    /// Print a script that completes the command line in a shell
    Completions(Completions),
    /// Show the versions of modrack, of what it is made of, and of the Python that would run
    Version,
}

/// `run`.
#[derive(Args, Debug)]
pub(crate) struct Run {
    /// The pipeline; may be left out when the rack has just one
    #[arg(add = ArgValueCompleter::new(complete::pipelines))]
    pub(crate) pipeline: Option<String>,
    /// Run every pipeline of the rack, in order
    #[arg(long, conflicts_with = "pipeline")]
    pub(crate) all: bool,
    /// Look at the source and the slots and say what would be done; run nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Read at most this many rows
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// Fail when more than this many rows were skipped or quarantined
    #[arg(long, value_name = "N")]
    pub(crate) max_errors: Option<u64>,
    /// Print load and call figures of the slots at the end
    #[arg(long)]
    pub(crate) stats: bool,
}

/// `call`.
#[derive(Args, Debug)]
#[command(
    after_help = "An ARG is text where the parameter is text, else JSON, else text. `name=ARG` gives the \
                        parameter `name`; `@FILE` reads the file, `@-` standard input; `@@` stands for one `@`."
)]
pub(crate) struct Call {
    /// The slot, or a `use` text
    #[arg(add = ArgValueCompleter::new(complete::slots))]
    pub(crate) slot: String,
    /// The function; `_` is the main one
    #[arg(add = ArgValueCompleter::new(complete::functions))]
    pub(crate) function: String,
    /// The arguments
    #[arg(value_name = "ARG", allow_negative_numbers = true, value_hint = ValueHint::AnyPath)]
    pub(crate) args: Vec<String>,
    /// Print load and call figures to standard error
    #[arg(long)]
    pub(crate) stats: bool,
}

/// `get`.
#[derive(Args, Debug)]
pub(crate) struct Get {
    /// The slot, or a `use` text
    #[arg(add = ArgValueCompleter::new(complete::slots))]
    pub(crate) slot: String,
    /// The attribute
    #[arg(add = ArgValueCompleter::new(complete::attributes))]
    pub(crate) name: String,
}

/// `list`.
#[derive(Args, Debug)]
pub(crate) struct List {
    /// Add version, contract and functions, read from the modules' text
    #[arg(short, long)]
    pub(crate) long: bool,
}

/// `inspect`.
#[derive(Args, Debug)]
pub(crate) struct Inspect {
    /// The slot, a file, or any other `use` text
    #[arg(value_name = "SLOT|FILE", value_hint = ValueHint::AnyPath, add = ArgValueCompleter::new(complete::slots))]
    pub(crate) slot: String,
}

/// `check`.
#[derive(Args, Debug)]
pub(crate) struct Check {
    /// Slots, files or other `use` texts; without any, the whole rack is checked
    #[arg(value_name = "SLOT|FILE", value_hint = ValueHint::AnyPath, add = ArgValueCompleter::new(complete::slots))]
    pub(crate) slots: Vec<String>,
    /// Also start each slot once, and stop it
    #[arg(long)]
    pub(crate) load: bool,
}

/// `swap`.
#[derive(Args, Debug)]
#[command(
    after_help = "A swap is done as a whole or not at all: fetch, match, start, carry, probe, switch, drain, retire. It outlives \
                  the process, until the slot's text in the rack changes.\nWith nothing serving, what is swapped in is started \
                  and probed once here, and remembered."
)]
pub(crate) struct Swap {
    /// The slot
    #[arg(add = ArgValueCompleter::new(complete::declared))]
    pub(crate) slot: String,
    /// What is to fill it, as behind `use:`; left out, what fills it is read anew
    #[arg(value_name = "USE", add = ArgValueCompleter::new(complete::slots))]
    pub(crate) use_text: Option<String>,
    /// Swap this slot together with it: both, or none
    #[arg(long, value_name = "SLOT[=USE]", add = ArgValueCompleter::new(complete::declared))]
    pub(crate) with: Vec<String>,
    /// Set a param of the slot (`width=3`), or another key of it (`limits.time=1s`)
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Let a function in use go, and state that the new module does not take
    #[arg(long)]
    pub(crate) force: bool,
    /// Write it into the rack
    #[arg(long)]
    pub(crate) save: bool,
    /// Say why, for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) why: String,
}

/// `rollback`.
#[derive(Args, Debug)]
pub(crate) struct Rollback {
    /// The slot
    #[arg(add = ArgValueCompleter::new(complete::declared))]
    pub(crate) slot: String,
    /// The first digits of the hash of what is kept (`modrack history SLOT`); left out, what served before
    pub(crate) hash: Option<String>,
    /// Leave the state of what serves behind
    #[arg(long)]
    pub(crate) force: bool,
    /// Say why, for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) why: String,
}

/// `unload`.
#[derive(Args, Debug)]
pub(crate) struct Unload {
    /// The slot
    #[arg(add = ArgValueCompleter::new(complete::declared))]
    pub(crate) slot: String,
    /// Say why, for the history
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    pub(crate) why: String,
}

/// `events`.
#[derive(Args, Debug)]
#[command(after_help = event_names())]
pub(crate) struct Events {
    /// Only events of these names: `swap.*`, `module.loaded`; several with commas
    #[arg(default_value = "*", add = ArgValueCompleter::new(complete::events))]
    pub(crate) pattern: String,
}

/// `history`.
#[derive(Args, Debug)]
pub(crate) struct History {
    /// Only what happened to this slot
    #[arg(add = ArgValueCompleter::new(complete::declared))]
    pub(crate) slot: Option<String>,
    /// Show at most this many entries, the newest first
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) most: usize,
}

/// `config`.
#[derive(Subcommand, Debug)]
pub(crate) enum Config {
    /// The configurations that served, the last first
    List,
    /// The text of the one that serves, or of the one whose hash begins so
    Show {
        /// The first digits of its hash
        #[arg(value_name = "HASH")]
        hash: Option<String>,
    },
    /// Write the one whose hash begins so back to where the rack's text is, and put it in force where the rack is served
    Restore {
        /// The first digits of its hash (`modrack config list`)
        #[arg(value_name = "HASH")]
        hash: String,
        /// Say why, for the history
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        why: String,
    },
    /// Have the rack's text be that of a file, and put it in force where the rack is served; for racks in a database
    Put {
        /// A rack's file: `rack.yaml`, `rack.toml` or `rack.json`
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Say why, for the history
        #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
        why: String,
    },
}

/// `new`.
#[derive(Subcommand, Debug)]
pub(crate) enum New {
    /// A folder with a rack, a module, data, and a pipeline that runs
    Rack {
        /// The folder to make; its last part is the rack's name
        #[arg(value_hint = ValueHint::DirPath)]
        name: PathBuf,
    },
    /// A module written in Python, with a test
    Python {
        /// The module's name, or the path of the file to make
        #[arg(value_hint = ValueHint::FilePath)]
        name: PathBuf,
    },
    /// A module written in Rust, with a test: a crate that builds as a native library and as a component
    Rust {
        /// The folder to make; its last part is the package's name
        #[arg(value_hint = ValueHint::DirPath)]
        name: PathBuf,
        /// Say how to build and call it as a WebAssembly component
        #[arg(long)]
        wasm: bool,
        /// The folder of `modrack-sdk`, instead of the published version or of the source that this command was built from
        #[arg(long, value_name = "PATH", value_hint = ValueHint::DirPath)]
        sdk: Option<PathBuf>,
    },
}

/// `serve`.
#[derive(Args, Debug)]
#[command(
    after_help = "Beside the address there is a socket in the rack's state folder, and a token for what changes the rack. \
                        SIGHUP has the rack read again; SIGTERM and Ctrl-C end it when the calls under way have ended, a second \
                        one at once."
)]
pub(crate) struct Serve {
    /// The address to listen on; any but a loopback address needs the token for everything
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:7411", value_parser = address)]
    pub(crate) listen: SocketAddr,
    /// The port, in place of that of the address; 0 takes one that is free
    #[arg(long, value_name = "N")]
    pub(crate) port: Option<u16>,
    /// A further name by which clients know the server, as behind a proxy
    #[arg(long, value_name = "NAME")]
    pub(crate) host: Vec<String>,
    /// How long calls under way have to end when the server stops
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = time)]
    pub(crate) grace: Duration,
    /// Put in force what is saved to the rack's text and to the files of its slots, but for those with `watch: false`
    #[arg(long)]
    pub(crate) watch: bool,
    /// Serve what the rack's text says, and forget what was swapped in before
    #[arg(long)]
    pub(crate) from_config: bool,
}

/// `completions`.
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_parser = ["bash", "elvish", "fish", "powershell", "zsh"])]
    pub(crate) shell: String,
}

/// The names that events have, for whoever asks for some of them.
fn event_names() -> String {
    format!("Names of events: {}.", modrack_runtime::EVENTS.join(", "))
}

fn address(text: &str) -> Result<SocketAddr, String> {
    let text =
        text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    text.parse().map_err(|_| "an address and a port are wanted, such as `127.0.0.1:7411`".to_owned())
}

fn time(text: &str) -> Result<Duration, String> {
    duration(text).ok_or_else(|| "a time is wanted, such as `10s` or `500ms`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
