//! `modrack call`: one call, its result as JSON.

use modrack_core::{Args, Call, Chain, Code, Error, Result, Results, Value};
use modrack_runtime::Slot;

use crate::args;
use crate::arguments;
use crate::figures;
use crate::interrupt::Interrupt;
use crate::json;
use crate::output::{Level, Outcome};
use crate::reading::read;
use crate::session::Session;

/// Calls the function and prints what it gives.
pub(crate) fn run(what: &args::Call, session: &mut Session) -> Outcome {
    let found = session.plan();
    if let Some(live) = session.host().live
        && let Some(done) = (live.call)(what, &found, session)
    {
        return done;
    }
    let rack = session.open_found(found)?;
    let slot = rack.slot(&session.meant(rack.root(), &what.slot))?;
    session.needs_python(&rack, std::slice::from_ref(&slot), false)?;
    rack.measure(what.stats || session.output.level >= Level::Info);
    let interrupt = session.watch(&rack);
    let name = (what.function != "_").then_some(&*what.function);
    let mut work = || -> Outcome {
        let cancel = interrupt.cancel();
        let given_up = Call { cancel: Some(&cancel), ..Call::default() };
        let bound = Chain::bounded(&given_up, || slot.function(name))?;
        let arguments =
            arguments::parse(&what.args, bound.signature().as_ref(), &mut |path| read(path, &cancel))?;
        let result = bound.call(Call {
            args: Args { positional: &arguments.positional, named: &arguments.named },
            deadline: None,
            cancel: Some(&cancel),
            results: Results::Converted,
        })?;
        print(&result, &slot, &interrupt, session)
    };
    let done = work().map_err(|failure| interrupt.explain(failure));
    if what.stats {
        session.output.figures(&figures::table(&figures::document(&rack.stats()), session.output.paint));
    }
    session.close(&rack, done)
}

/// Prints a value that a slot gave as JSON; what yields its values one by one is printed as it comes, as a
/// list.
pub(crate) fn print(value: &Value, slot: &Slot, interrupt: &Interrupt, session: &mut Session) -> Outcome {
    // What a module made is read here, after its call has ended: what is wrong with it is still its own.
    let blame = |error: Error| match slot.pin() {
        Ok(pin) => pin.blame(error),
        Err(_) => error.slot(slot.name()),
    };
    if let Value::Foreign(object) = value
        && let Some(mut items) = object.items()
    {
        let cancel = interrupt.cancel();
        let given_up = Call { cancel: Some(&cancel), ..Call::default() };
        let next = || Chain::bounded(&given_up, || items.next());
        let texts = std::iter::from_fn(next).map(|item| {
            if cancel.is_cancelled() {
                return Err(Error::new(Code::Interrupted, "Interrupted"));
            }
            item.and_then(|item| json::to_text(&item)).map_err(blame)
        });
        return print_each(texts, session);
    }
    let text = json::to_text(value).map_err(blame)?;
    let text = if session.output.data_is_terminal { json::indented(text) } else { text };
    session.output.print(&(text + "\n"))?;
    Ok(0)
}

/// Prints values that come one by one as they come, as a list: on a terminal each on a line of its own.
///
/// # Errors
/// What the next of them fails with; what came before it is printed.
pub(crate) fn print_each(texts: impl Iterator<Item = Result<String>>, session: &mut Session) -> Outcome {
    let output = &mut session.output;
    let (open, between, close) =
        if output.data_is_terminal { ("[", ",\n ", "]\n") } else { ("[", ",", "]\n") };
    let mut before = open;
    for text in texts {
        output.print(&format!("{before}{}", text?))?;
        before = between;
    }
    output.print(&if before == open { format!("{open}{close}") } else { close.to_owned() })?;
    Ok(0)
}
