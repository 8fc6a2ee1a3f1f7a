//! The runtime's failures: each has one constructor here, so that its words stand in one place.

use std::path::Path;
use std::time::Duration;

use modrack_core::plan::RackPlan;
use modrack_core::{BackendName, Chain, Code, Error, Instances, Origin, Phase, Place, SlotName, nearest};

use crate::catalog::CatalogEntry;

/// A name that is neither a slot nor anything that could fill one.
pub(crate) fn unknown_slot<'a>(
    text: &str,
    slots: impl Iterator<Item = &'a str>,
    modules: impl Iterator<Item = &'a str>,
    is_file: bool,
) -> Error {
    let slots: Vec<_> = slots.collect();
    let error = Error::new(Code::UnknownSlot, format!("There is no slot `{text}`"));
    if is_file {
        return error.hint(format!("There is a file of that name: write `./{text}` for it"));
    }
    match nearest(text, slots.iter().copied().chain(modules)) {
        Some(near) => error.hint(format!("Did you mean `{near}`?")),
        None if slots.is_empty() => error
            .hint("No rack declares any slots here; name the module itself: `./x.py:Name`, `python:math`"),
        None => error.hint(format!("The rack has {}", listed(slots.iter().copied()))),
    }
}

/// The system refuses the fence by which calls are known to have ended.
pub(crate) fn fences_refused() -> Error {
    Error::new(
        Code::Unsupported,
        "The system refuses `membarrier` by now: when calls of what was replaced have ended is not known, and it stays",
    )
    .hint("Let the process make this call, or begin it under the filter that is to hold: then modrack does without")
}

/// A slot's name that is in use.
pub(crate) fn taken(name: &SlotName) -> Error {
    Error::new(Code::DuplicateName, format!("There is a slot `{name}` already"))
        .hint("Give it another name")
        .slot(name)
}

/// A path with nothing there.
pub(crate) fn module_missing(path: &Path, root: &Path, beside: &[String]) -> Error {
    let error = Error::new(Code::ModuleNotFound, format!("`{}` does not exist", shown(path, root)))
        .phase(Phase::Find);
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let same_but_ending = beside.iter().find(|other| Path::new(other).file_stem() == path.file_stem());
    let near = same_but_ending.map(String::as_str);
    match near.or_else(|| nearest(&name, beside.iter().map(String::as_str))) {
        Some(near) => error.hint(format!("Did you mean `./{}`?", shown(&path.with_file_name(near), root))),
        None => match path.parent() {
            Some(file) if file.exists() && !file.is_dir() => {
                error.hint(format!("`{}` is a file, not a folder", shown(file, root)))
            }
            Some(folder) if !folder.is_dir() => {
                error.hint(format!("There is no folder `{}` either", shown(folder, root)))
            }
            _ => error.hint("Paths in a rack are relative to the folder of its file; on the command line, to the current one"),
        },
    }
}

/// A file that the system does not let us read.
pub(crate) fn unreadable(path: &Path, root: &Path, why: &std::io::Error) -> Error {
    Error::new(Code::ModuleUnreadable, format!("`{}` cannot be read: {why}", shown(path, root)))
        .hint("Check that the file is readable for you")
        .phase(Phase::Find)
}

/// A file that nothing claims.
pub(crate) fn nothing_loads(path: &Path, root: &Path, hint: &str) -> Error {
    Error::new(Code::UnknownBackend, format!("Nothing here loads `{}`", shown(path, root)))
        .hint(hint)
        .phase(Phase::Find)
}

/// A folder that nothing claims.
pub(crate) fn folder_of_nothing(path: &Path, root: &Path) -> Error {
    let hint = match path.join("Cargo.toml").is_file() {
        true => "It is a package of cargo: build it, and name the library or the component in its `target`",
        false => {
            "A folder that fills a slot must be a package: it needs an `__init__.py`; the modules of a folder are found \
             when `catalog:` names it"
        }
    };
    nothing_loads(path, root, hint)
}

/// A kind of module for which there is no backend; and which module it is, where one is asked for.
pub(crate) fn no_backend(name: BackendName, of: Option<(&Origin, &Path)>) -> Error {
    let of = of.map_or_else(String::new, |(origin, root)| format!(": `{}`", shown_origin(origin, root)));
    Error::new(Code::UnknownBackend, format!("No backend here loads {}{of}", name.loads()))
        .hint(format!("This build of modrack is without the `{name}` backend"))
        .phase(Phase::Find)
}

/// A name that the catalog does not have, or not in a version that fits.
pub(crate) fn not_in_catalog<'a>(
    name: &str,
    wanted: &str,
    versions: &[String],
    names: impl Iterator<Item = &'a str>,
) -> Error {
    if !versions.is_empty() {
        return Error::new(
            Code::NotInCatalog,
            format!("The catalog has no version of `{name}` that fits `{wanted}`"),
        )
        .hint(format!("It has {}", listed(versions.iter().map(String::as_str))))
        .phase(Phase::Find);
    }
    let names: Vec<_> = names.collect();
    let error = Error::new(Code::NotInCatalog, format!("The catalog has no module `{name}`"));
    match nearest(name, names.iter().copied()) {
        Some(near) => error.hint(format!("Did you mean `{near}`?")),
        None if names.is_empty() => {
            error.hint("The catalog is empty: name folders of modules under `catalog:`")
        }
        None => error.hint(format!("It has {}", listed(names.iter().copied()))),
    }
    .phase(Phase::Find)
}

/// A module without a function that is clearly the main one.
pub(crate) fn no_main_function<'a>(functions: impl Iterator<Item = &'a str>) -> Error {
    let functions: Vec<_> = functions.collect();
    if functions.is_empty() {
        return Error::new(Code::NoMainFunction, "The module has no public function".to_owned())
            .hint("Add one, or name a class or function behind the path: `./x.py:Name`");
    }
    Error::new(Code::NoMainFunction, "The module has several public functions and no main one".to_owned())
        .hint(format!(
            "Name one of {}, in the call or as `function:` of the slot",
            listed(functions.into_iter())
        ))
}

/// A module of which nothing is known before it runs.
pub(crate) fn main_function_unknown() -> Error {
    Error::new(Code::NoMainFunction, "No public function is known of the module before it runs".to_owned())
        .hint("Name one, in the call or as `function:` of the slot")
}

/// A function that the module does not have, though the slot names it.
pub(crate) fn function_missing<'a>(name: &str, functions: impl Iterator<Item = &'a str>) -> Error {
    let functions: Vec<_> = functions.collect();
    let error = Error::new(Code::UnknownFunction, format!("The module has no function `{name}`"));
    match nearest(name, functions.iter().copied()) {
        Some(near) => error.hint(format!("Did you mean `{near}`?")),
        None if functions.is_empty() => error.hint("It has no public function at all"),
        None => error.hint(format!("It has {}", listed(functions.into_iter()))),
    }
}

/// Slots that wait for each other: each with the next, the last with the first.
pub(crate) fn load_cycle(slots: &[SlotName]) -> Error {
    let mut way: Vec<_> = slots.iter().map(|slot| format!("`{slot}`")).collect();
    way.extend(way.first().cloned());
    Error::new(Code::LoadCycle, format!("Slots wait for each other to load: {}", way.join(" -> ")))
        .hint("Call the other slot later than while the module starts")
        .phase(Phase::Start)
}

/// A backend that panicked while it made an instance.
pub(crate) fn panicked(payload: &(dyn std::any::Any + Send)) -> Error {
    Error::new(Code::Internal, format!("The backend panicked: {}", panic_text(payload)))
        .hint("This is a mistake in modrack or in the backend; please report it")
        .phase(Phase::Start)
}

/// A limit that the module is beyond before it does anything.
pub(crate) fn too_little_memory(least: u64, most: u64) -> Error {
    Error::new(
        Code::MemoryLimit,
        format!("The module begins with {least} bytes of memory, and may have {most}"),
    )
    .hint("Raise `limits.memory` of the slot, or build the module so that it begins with less")
}

/// A wait for somebody else's load that took longer than the call may.
pub(crate) fn late_load() -> Error {
    Error::new(Code::TimedOut, "The call's time was up before the module had started".to_owned())
        .hint("Load the slot before it is called under a deadline")
        .phase(Phase::Start)
}

/// A wait for an instance that would never end: these slots would wait for each other, the last for the first.
pub(crate) fn reentered(slots: &[SlotName], policy: Instances) -> Error {
    let (Some(wanted), alone) = (slots.first(), slots.len() == 1) else {
        return internal("A circle of waits with no slot in it");
    };
    if alone {
        let what = match policy {
            Instances::Pool(_) => {
                format!("`{wanted}` was called while all its instances are in the same call already")
            }
            _ => format!("`{wanted}` was called while it is in the same call already"),
        };
        let hint = "It takes one call at a time: let it be `instances: shared` where its module can, a larger \
                    pool or `per-call`, or break the circle of calls";
        return Error::new(Code::Reentered, what).hint(hint).phase(Phase::Call);
    }
    let way: Vec<_> = slots.iter().chain([wanted]).map(|slot| format!("`{slot}`")).collect();
    Error::new(
        Code::Reentered,
        format!("Calls would wait for each other's instances for good: {}", way.join(" -> ")),
    )
    .hint("Call the slots in the same order everywhere, give them more instances, or share them")
    .phase(Phase::Call)
}

/// A call that waited for an instance for longer than it may take.
pub(crate) fn queue_late(policy: Instances) -> Error {
    Error::new(Code::TimedOut, "The call's time was up before an instance was free".to_owned())
        .hint(format!("The slot has `instances: {policy}`: give it more of them, or more time"))
        .phase(Phase::Call)
}

/// Attributes of instances that nobody can tell apart.
pub(crate) fn no_attributes(name: &str, policy: Instances) -> Error {
    Error::new(Code::Unsupported, format!("`{name}` cannot be read: the slot has `instances: {policy}`"))
        .hint("Attributes are those of one instance: `instances: one` or `shared`, or call a function for it")
        .phase(Phase::Call)
}

/// Instances that are in calls while they should stop.
pub(crate) fn still_called(many: usize) -> Error {
    Error::new(Code::StopFailed, format!("Instances that are still in a call: {many}"))
        .hint("Give the calls up, or a deadline, before the rack is stopped")
        .phase(Phase::Stop)
}

/// A result that is larger than the slot allows.
pub(crate) fn output_too_large(name: &str, size: u64, most: u64) -> Error {
    Error::new(Code::OutputTooLarge, format!("`{name}` gave {size} bytes, and {most} are allowed"))
        .hint("Raise `limits.output` of the slot, or give the result in parts")
        .phase(Phase::Call)
}

/// Calls that call each other without end.
pub(crate) fn too_deep(slot: &SlotName) -> Error {
    let what = format!("Calls between slots are nested more than {} deep", Chain::DEEPEST);
    Error::new(Code::TooDeep, what).hint(DEEP_HINT).slot(slot).phase(Phase::Call)
}

/// Calls that are nested deeper than the thread's stack has room for.
pub(crate) fn no_stack(slot: &SlotName) -> Error {
    let what = "The thread's stack has no room for another call of a slot within a call".to_owned();
    Error::new(Code::TooDeep, what).hint(DEEP_HINT).slot(slot).phase(Phase::Call)
}

const DEEP_HINT: &str = "Look for slots that call each other in a circle";

/// More functions than a slot can have.
pub(crate) fn too_many_functions() -> Error {
    internal("A slot has more functions than can be bound")
}

/// A call that nobody wants any more.
pub(crate) fn cancelled() -> Error {
    Error::new(Code::Cancelled, "The call was given up before it began".to_owned()).phase(Phase::Call)
}

/// A rack that is gone, or stopped.
pub(crate) fn stopped() -> Error {
    Error::new(Code::RackStopped, "The rack was stopped".to_owned())
        .hint("Open the rack again, or keep it for as long as its modules are called")
}

/// A mistake of ours.
pub(crate) fn internal(what: &str) -> Error {
    Error::new(Code::Internal, what.to_owned())
}

/// The path as messages show it: relative to `root` where it lies in there.
fn shown(path: &Path, root: &Path) -> String {
    let inside = path.strip_prefix(root).ok().filter(|inside| !inside.as_os_str().is_empty());
    inside.unwrap_or(path).display().to_string()
}

/// The origin as messages show it.
fn shown_origin(origin: &Origin, root: &Path) -> String {
    match origin {
        Origin::File { path, .. } => shown(path, root),
        origin => origin.to_string(),
    }
}

/// What a panic said.
pub(crate) fn panic_text(payload: &(dyn std::any::Any + Send)) -> &str {
    payload
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| payload.downcast_ref::<&str>().copied())
        .unwrap_or("it did not say why")
}

/// Names for a message: the first few in backticks, and how many more there are.
pub(crate) fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    const SHOWN: usize = 10;
    let names: Vec<_> = names.map(|name| format!("`{name}`")).collect();
    let (shown, rest) = names.split_at(names.len().min(SHOWN));
    match (shown, rest.len()) {
        (_, more @ 1..) => format!("{} and {more} more", shown.join(", ")),
        ([before @ .., last], 0) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => shown.join(", "),
    }
}

/// A contract's file that cannot be read.
pub(crate) fn contract_unreadable(path: &Path, root: &Path, why: &std::io::Error) -> Error {
    Error::new(Code::BadContract, format!("The contract `{}` cannot be read: {why}", shown(path, root)))
        .hint("Files under `contracts:` are relative to the rack's folder")
        .place(Place::file(path))
}

/// A folder of the catalog that cannot be read.
pub(crate) fn catalog_unreadable(path: &Path, root: &Path, why: &std::io::Error) -> Error {
    let code = match why.kind() {
        std::io::ErrorKind::NotFound => Code::ModuleNotFound,
        _ => Code::ModuleUnreadable,
    };
    Error::new(code, format!("The catalog's folder `{}` cannot be read: {why}", shown(path, root)))
        .hint("Folders under `catalog:` are relative to the rack's folder; make it, or take it out")
        .phase(Phase::Find)
        .place(Place::file(path))
}

/// An entry point that names no module.
pub(crate) fn bad_entry_point(name: &str, target: &str, file: &Path, line: usize) -> Error {
    Error::new(Code::BadManifest, format!("The entry point `{name}` names `{target}`, which is no module"))
        .place(Place::line(file, line))
        .hint("An entry point is `name = package.module` or `name = package.module:Name`; the package must mend it")
        .module(name)
        .phase(Phase::Find)
}

/// Two modules of the catalog that cannot be told apart.
pub(crate) fn twice_in_catalog(entry: &CatalogEntry, other: &CatalogEntry, root: &Path) -> Error {
    let version = entry.version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
    let error = Error::new(
        Code::DuplicateName,
        format!(
            "The catalog has `{}`{version} twice: `{}` and `{}`",
            entry.name,
            shown_origin(&other.origin, root),
            shown_origin(&entry.origin, root)
        ),
    )
    .hint("Give one of them another name or version; until then the first is taken")
    .module(entry.name.clone())
    .phase(Phase::Check);
    match &entry.origin {
        Origin::File { path, .. } => error.place(Place::file(path)),
        _ => error,
    }
}

/// A guard that the backend does not have.
pub(crate) fn unguarded(key: &str, backend: BackendName, own: bool) -> Error {
    let module = match backend {
        BackendName::Python => "a Python module that shares the process",
        BackendName::Native => "a shared library in the process",
        BackendName::Wasm => "this WebAssembly component",
        BackendName::Process => "this child process",
        BackendName::Host => "an object of the program",
    };
    let from = if own { "" } else { " of `defaults`" };
    Error::new(Code::Unsupported, format!("`{key}`{from} cannot be enforced for {module}"))
        .hint("A WebAssembly component can be held to it; `enforce: best-effort` in the slot does without")
}

/// Instances that are to be shared though the module says that they cannot be.
pub(crate) fn not_shared(own: Instances) -> Error {
    Error::new(
        Code::Unsupported,
        format!("`instances: shared` cannot be had: the module itself says `instances: {own}`"),
    )
    .hint("An instance of it takes one call at a time: write `one`, `pool(4)` or `per-call`, or leave the key out")
}

/// More calls than are held back while a slot's state is carried over.
pub(crate) fn held_back(most: usize) -> Error {
    Error::new(Code::HeldBack, format!("{most} calls are held back already while the slot is replaced"))
        .hint("Call again later; `state: copy` holds nothing back")
        .phase(Phase::Swap)
}

/// A call that was held back until its time was up.
pub(crate) fn late_swap() -> Error {
    Error::new(Code::TimedOut, "The call's time was up while the slot was being replaced".to_owned())
        .hint("`state: copy` holds no call back")
        .phase(Phase::Swap)
}

/// A swap that would wait for itself: a call, or another swap, of this very thread.
pub(crate) fn swap_inside() -> Error {
    Error::new(
        Code::SwapInside,
        "The slot cannot be swapped from within a call or a swap of its own".to_owned(),
    )
    .hint("Swap it from another thread, or when the call has ended")
    .phase(Phase::Swap)
}

/// A call that would wait for a swap which waits for it.
pub(crate) fn swap_circle(slots: &[SlotName]) -> Error {
    let slots: Vec<_> = slots.iter().map(|slot| format!("`{slot}`")).collect();
    Error::new(
        Code::SwapInside,
        format!("The call would wait for a swap that waits for it: {}", slots.join(", ")),
    )
    .hint("Let the new module call that slot when it serves, and not while it starts")
    .phase(Phase::Swap)
}

/// A call that would hold up, at a gate, the event loop that the swap waits for.
pub(crate) fn swap_held_up() -> Error {
    Error::new(
        Code::SwapInside,
        "The call would hold up the event loop, for which the swap of the slot waits",
    )
    .hint("Await an `async` function of the slot, or call it from a thread: `await asyncio.to_thread(...)`")
    .phase(Phase::Swap)
}

/// A call that would wait, of who makes it elsewhere then.
pub(crate) fn may_not_wait() -> Error {
    internal("A wait where none may be")
}

/// A swap that waited for another one from within a call.
pub(crate) fn turn_late() -> Error {
    Error::new(Code::SwapInside, "Another swap of the slot did not end while a call waited for it".to_owned())
        .hint("Swap it from another thread, or when the call has ended")
        .phase(Phase::Swap)
}

/// A module whose files changed while they were read.
pub(crate) fn changed_meanwhile() -> Error {
    Error::new(Code::ChangedMeanwhile, "The module's files changed while it was loaded".to_owned())
        .hint("Swap it again when they are written")
        .phase(Phase::Swap)
}

/// A step of a swap that panicked.
pub(crate) fn step_panicked(payload: &(dyn std::any::Any + Send)) -> Error {
    Error::new(Code::Internal, format!("A step of the swap panicked: {}", panic_text(payload)))
        .hint("What served before serves still; a module of the program itself must not panic")
        .phase(Phase::Swap)
}

/// A shutdown that panicked.
pub(crate) fn stop_panicked(payload: &(dyn std::any::Any + Send)) -> Error {
    Error::new(Code::StopFailed, format!("It panicked while it was stopped: {}", panic_text(payload)))
        .hint("It is gone all the same")
}

/// What served before and was stopped to make room, started again from files that are other ones by now.
pub(crate) fn restarted_other() -> Error {
    Error::new(
        Code::ChangedMeanwhile,
        "What served before was started again from files that have changed since".to_owned(),
    )
    .hint("With `state:` its content is kept, and it is started from there")
    .phase(Phase::Swap)
}

/// A slot that is named twice in one swap.
pub(crate) fn swapped_twice() -> Error {
    Error::new(Code::DuplicateName, "The slot is named twice in one swap".to_owned())
        .hint("Name each slot once")
        .phase(Phase::Swap)
}

/// A function in use that the new module does not have.
pub(crate) fn gone(name: &str) -> Error {
    Error::new(Code::FunctionLost, format!("`{name}` is in use, and the new module does not have it"))
        .hint("Keep the function, or let it go with `--force`")
        .phase(Phase::Swap)
}

/// The main function, which is in use, of a module that has none.
pub(crate) fn main_gone() -> Error {
    Error::new(Code::FunctionLost, "The main function is in use, and the new module has none")
        .hint("Keep one main function, name it by `function:` of the slot, or let it go with `--force`")
        .phase(Phase::Swap)
}

/// A function in use that takes less in the new module.
pub(crate) fn narrowed(name: &str, why: &str) -> Error {
    Error::new(
        Code::FunctionLost,
        format!("`{name}` is in use, and does not serve its callers in the new module: {why}"),
    )
    .hint("Keep what it takes and gives, or go on with `--force`")
    .phase(Phase::Swap)
}

/// State that holds objects.
pub(crate) fn state_no_data() -> Error {
    Error::new(
        Code::StateRefused,
        "`export_state` gave more than data: an object of its own language is in it".to_owned(),
    )
    .hint("Give numbers, text, bytes, lists, mappings and tables; build objects again in `import_state`")
    .phase(Phase::Swap)
}

/// State beyond the bound.
pub(crate) fn state_too_large(size: u64, most: u64) -> Error {
    Error::new(Code::StateTooLarge, format!("The state has {size} bytes, and {most} may be carried over"))
        .hint("Raise `swap.state-size` of the slot, or keep large state outside of the module")
        .phase(Phase::Swap)
}

/// State that the new module does not take.
pub(crate) fn state_refused() -> Error {
    Error::new(
        Code::StateRefused,
        "The old module has state, and the new one has no `import_state`".to_owned(),
    )
    .hint("Give it `import_state(state, from_version)`, or let the state go with `--force`")
    .phase(Phase::Swap)
}

/// State that what was started again did not take back.
pub(crate) fn state_not_taken() -> Error {
    Error::new(
        Code::StateRefused,
        "What was started again has no `import_state` for the state that it had".to_owned(),
    )
    .hint("Give it `import_state(state, from_version)`: what it had is lost otherwise")
    .phase(Phase::Swap)
}

/// Calls that did not end before what must not run beside them: of the module that was to be replaced where `own`, else of
/// slots over which they may reach it, as far as these are known.
pub(crate) fn not_drained(within: Duration, own: bool, others: &[SlotName]) -> Error {
    let named = listed(others.iter().map(SlotName::as_str));
    let (whose, hint) = match (own, others) {
        (true, _) => ("Calls of the old module".to_owned(), "bound its calls by `limits.time`"),
        (false, []) => (
            "Calls of other slots, which may reach the old module,".to_owned(),
            "bound the calls of all slots by `limits.time`",
        ),
        (false, [_]) => (
            format!("A call of {named}, which may reach the old module,"),
            "bound that slot's calls by `limits.time`",
        ),
        (false, _) => (
            format!("Calls of {named}, which may reach the old module,"),
            "bound those slots' calls by `limits.time`",
        ),
    };
    Error::new(Code::NotDrained, format!("{whose} had not ended after {within:?}"))
        .hint(format!(
            "Raise `swap.drain` of the slot, or {hint}; with `overlap: true` and `state: copy` nothing waits for them"
        ))
        .phase(Phase::Swap)
}

/// A slot that is filled by an object of the program, which cannot be had again.
pub(crate) fn of_program(name: &SlotName) -> Error {
    let what = format!("`{name}` is an object of the program, which nothing can load again");
    Error::new(Code::Unsupported, what)
        .hint("It stays as long as the rack; the program can change what the object does")
        .slot(name)
        .phase(Phase::Swap)
}

/// Nothing that is kept to go back to.
pub(crate) fn nothing_before() -> Error {
    Error::new(Code::NothingBefore, "What served before is not kept any more, or nothing did".to_owned())
        .hint("`swap.trial.for` says how long it is kept after a swap")
        .phase(Phase::Swap)
}

/// A trial in which too many calls failed.
pub(crate) fn trial_errors(now: f64, before: f64) -> Error {
    let what = format!("{:.1}% of its calls failed, {:.1}% before", now * 100.0, before * 100.0);
    Error::new(Code::TrialFailed, what).hint(TRIAL_HINT).phase(Phase::Swap)
}

/// A trial in which calls took too long.
pub(crate) fn trial_slower(now: Duration, before: Duration) -> Error {
    let what = format!("Its calls take {now:?} on average, {before:?} before");
    Error::new(Code::TrialFailed, what).hint(TRIAL_HINT).phase(Phase::Swap)
}

const TRIAL_HINT: &str =
    "The module that served before serves again; `swap.trial` says what the new one is held to";

/// What to do where state cannot be carried back.
pub(crate) const BACK_WITHOUT: &str =
    "`modrack rollback --force` leaves the state behind; `swap.migrate` names what converts it both ways";

/// State of instances that nobody can tell apart.
pub(crate) fn no_state(policy: Instances) -> Error {
    Error::new(Code::Unsupported, format!("No state can be had: the slot has `instances: {policy}`"))
        .hint("State is that of one instance: `instances: one` or `shared`")
}

/// A key of a new plan that holds for the whole process.
pub(crate) fn needs_restart(what: &str, plan: &RackPlan) -> Error {
    let error = Error::new(Code::NeedsRestart, format!("{what} cannot change while the rack runs"))
        .hint("Undo the change, or stop the rack and start it again; nothing was changed")
        .phase(Phase::Swap);
    match &plan.file {
        Some(file) => error.place(Place::file(file)),
        None => error,
    }
}
