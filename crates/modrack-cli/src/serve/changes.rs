//! Changes of the rack: swaps, going back, unloading. Who may ask for them is known by now.
//!
//! Over the socket a `use` is any text, for who has it may do all that the server's user may. Over TCP it names a module of the catalog, and
//! what is set is a parameter's value as it stands: a token lets nobody run or read a file of the machine.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use modrack::live::{LiveRack, SwapRequest, SwapSlot};
use modrack_core::plan::SlotPlan;
use modrack_core::{Code, Error, SlotName, Use};
use modrack_runtime::Asked as Who;
use serde_json::Value as Json;

use crate::live_json;
use crate::serve::access::Via;
use crate::serve::answer::{Answer, Refusal, json_of};
use crate::serve::app::App;
use crate::serve::body::Asked;
use crate::serve::named::Named;
use crate::serve::pool::Work;
use crate::verb::change;

/// `POST /v1/slots/{slot}/swap`.
pub(crate) async fn swap(
    State(app): State<Arc<App>>,
    Extension(via): Extension<Via>,
    Named(slot): Named<String>,
    request: Request,
) -> Answer {
    let known = &["use", "set", "force", "save", "who", "why"];
    changed(&app, via, request, known, move |live, mut asked| {
        let slot = swap_slot(via, &slot, &mut asked)?;
        swapped(live, via, vec![slot], asked)
    })
    .await
}

/// `POST /v1/swap`: several slots, all of them or none.
pub(crate) async fn swap_all(
    State(app): State<Arc<App>>,
    Extension(via): Extension<Via>,
    request: Request,
) -> Answer {
    let known = &["slots", "force", "save", "who", "why"];
    changed(&app, via, request, known, move |live, mut asked| {
        let each = asked.list("slots")?.into_iter().map(|slot| {
            let mut slot = Asked::of(slot, &["slot", "use", "set"])?;
            let unnamed = || Refusal::bad("Each of `slots` must name its `slot`");
            let name = slot.text("slot")?.ok_or_else(unnamed)?;
            swap_slot(via, &name, &mut slot)
        });
        let slots = each.collect::<Result<Vec<_>, _>>()?;
        if slots.is_empty() {
            return Err(Refusal::bad("`slots` must name at least one slot"));
        }
        swapped(live, via, slots, asked)
    })
    .await
}

/// `POST /v1/slots/{slot}/rollback`.
pub(crate) async fn rollback(
    State(app): State<Arc<App>>,
    Extension(via): Extension<Via>,
    Named(slot): Named<String>,
    request: Request,
) -> Answer {
    changed(&app, via, request, &["to", "force", "who", "why"], move |live, mut asked| {
        let (slot, to, force) = (SlotName::parse(&slot)?, asked.text("to")?, asked.flag("force")?);
        let who = who(via, &mut asked)?;
        Ok(live_json::swapped(&change::roll_back(live, &slot, to.as_deref(), force, who)?))
    })
    .await
}

/// `POST /v1/slots/{slot}/unload`.
pub(crate) async fn unload(
    State(app): State<Arc<App>>,
    Extension(via): Extension<Via>,
    Named(slot): Named<String>,
    request: Request,
) -> Answer {
    changed(&app, via, request, &["who", "why"], move |live, mut asked| {
        let (slot, who) = (SlotName::parse(&slot)?, who(via, &mut asked)?);
        Ok(live_json::unloaded(slot.as_str(), change::unload(live, &slot, who)?))
    })
    .await
}

/// `POST /v1/reload`: the rack's text, and the slots whose modules' files changed.
pub(crate) async fn reload(
    State(app): State<Arc<App>>,
    Extension(via): Extension<Via>,
    request: Request,
) -> Answer {
    changed(&app, via, request, &["who", "why"], move |live, mut asked| {
        Ok(live_json::configured(&live.reload_configuration(who(via, &mut asked)?)?))
    })
    .await
}

/// `POST /v1/configurations/{hash}/restore`: a text of the rack that served before.
pub(crate) async fn restore(
    State(app): State<Arc<App>>,
    Extension(via): Extension<Via>,
    Named(hash): Named<String>,
    request: Request,
) -> Answer {
    changed(&app, via, request, &["who", "why"], move |live, mut asked| {
        Ok(live_json::configured(&live.restore_configuration(&hash, who(via, &mut asked)?)?))
    })
    .await
}

fn swapped(live: &LiveRack, via: Via, slots: Vec<SwapSlot>, mut asked: Asked) -> Result<Json, Refusal> {
    let (force, save) = (asked.flag("force")?, asked.flag("save")?);
    let request = SwapRequest { slots, force, save, asked: who(via, &mut asked)? };
    Ok(live_json::swapped(&change::swap(live, &request)?))
}

/// Makes the change that a request with the keys `known` asks for, to its end, whoever went away meanwhile: half a change there is none,
/// and the history tells of it.
async fn changed(
    app: &Arc<App>,
    via: Via,
    request: Request,
    known: &'static [&'static str],
    make: impl FnOnce(&LiveRack, Asked) -> Result<Json, Refusal> + Send + 'static,
) -> Answer {
    let received = app.receive(via, Work::Change, request).await?;
    let live = app.live.clone();
    let made = app.pool.run(Work::Change, move |_| make(&live, received.read(known)?)).await;
    made.map(|done| json_of(&done))
}

/// What one slot is to be. Whether the rack has it is said by the swap.
fn swap_slot(via: Via, slot: &str, asked: &mut Asked) -> Result<SwapSlot, Refusal> {
    let slot = SlotName::parse(slot)?;
    let (to, set) = (asked.text("use")?, asked.texts("set")?);
    if via == Via::Tcp {
        if let Some(to) = &to {
            is_of_the_catalog(to)?;
        }
        set.iter().try_for_each(|set| sets_a_param(&slot, set))?;
    }
    Ok(SwapSlot { slot, to, set })
}

/// Who asks, and why, as far as they say.
fn who(via: Via, asked: &mut Asked) -> Result<Who, Refusal> {
    let (who, why) = (asked.text("who")?, asked.text("why")?);
    let unsaid = || match via {
        Via::Tcp => "http".to_owned(),
        Via::Socket => String::new(),
    };
    Ok(Who { who: who.unwrap_or_else(unsaid), why: why.unwrap_or_default() })
}

fn is_of_the_catalog(to: &str) -> Result<(), Refusal> {
    match Use::parse(to)? {
        Use::Catalog { .. } => Ok(()),
        _ => Err(only_here(&format!(
            "`{to}` is no name of the catalog, and others cannot be swapped in over TCP"
        ))),
    }
}

fn sets_a_param(slot: &SlotName, set: &str) -> Result<(), Refusal> {
    let sets = SlotPlan::setting(slot, set);
    let below = sets.as_ref().and_then(|sets| sets.strip_prefix(&format!("slots.{slot}.params")));
    // The text itself, for keys; and what it is read as, for a `$` can be written in other ways.
    let is_plain = !set.contains("${") && sets.as_deref().is_some_and(SlotPlan::sets_as_it_stands);
    if below.is_some_and(|rest| rest.starts_with(['.', '[', '='])) && is_plain {
        return Ok(());
    }
    Err(only_here(&format!("`{set}` is no plain value of a parameter, and nothing else can be set over TCP")))
}

fn only_here(message: &str) -> Refusal {
    let error = Error::new(Code::RequestRefused, message);
    Refusal::new(axum::http::StatusCode::FORBIDDEN, error)
        .hint("Use the socket in the state folder, or `modrack swap` on the machine itself")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_tcp_a_swap_names_modules_of_the_catalog() {
        for (to, wanted) in [
            ("upper", true),
            ("upper@^1.2", true),
            ("./upper.py", false),
            ("/srv/upper.so", false),
            ("native:./upper", false),
            ("python:os", false),
            ("upper.py:Upper", false),
        ] {
            assert_eq!(is_of_the_catalog(to).is_ok(), wanted, "{to}");
        }
    }

    #[test]
    fn over_tcp_a_swap_sets_plain_params() {
        let slot = SlotName::parse("upper").unwrap();
        for (set, wanted) in [
            ("width=3", true),
            ("params.width=3", true),
            ("params={}", true),
            ("deep.a[0]=x", true),
            ("use=./evil.py", false),
            ("needs.rates=./evil.py", false),
            ("allow.read=/", false),
            ("params.width=${file:/etc/passwd}", false),
            (r#"width="\u0024{file:/etc/passwd}""#, false),
            (r#"width="\x24{file:/etc/passwd}""#, false),
            (r#"width="$\x7bfile:/etc/passwd}""#, false),
            (r#"deep={a: [1, {b: "a\U00000024{env:HOME}"}]}"#, false),
            (r#"width=[&a "\x24{env:HOME}", *a]"#, false),
            ("width='\\x24{a}'", true),
            ("width=[1, {a: $b}]", true),
            ("width=[", false),
            ("width", false),
        ] {
            assert_eq!(sets_a_param(&slot, set).is_ok(), wanted, "{set}");
        }
    }
}
