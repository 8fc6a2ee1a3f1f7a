//! `modrack completions`: the script by which a shell asks this command what may come next.

use clap_complete::env::Shells;
use modrack_core::{Code, Error};

use crate::args::Completions;
use crate::complete::COMPLETE_ENV;
use crate::output::{Outcome, Output};

/// Prints the script.
pub(crate) fn run(what: &Completions, output: &mut Output) -> Outcome {
    let unknown = || Error::new(Code::Usage, format!("The shell `{}` is not known", what.shell));
    let shells = Shells::builtins();
    let shell = shells.completer(&what.shell).ok_or_else(unknown)?;
    let mut script = Vec::new();
    shell.write_registration(COMPLETE_ENV, "modrack", "modrack", "modrack", &mut script)?;
    output.print(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
