//! `GET /metrics`: figures of the rack's slots in the text form of Prometheus.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::State;
use axum::http::StatusCode;
use modrack_core::SlotName;
use modrack_runtime::{Before, Event, Figures, Rack, SlotStats};

use crate::serve::answer::{Answer, text_with};
use crate::serve::app::App;

const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often each slot was swapped, and how that ended.
#[derive(Default)]
pub(crate) struct Swaps(Mutex<BTreeMap<(SlotName, &'static str), u64>>);

impl Swaps {
    /// Counts the swaps of this rack from now on.
    pub(crate) fn of(rack: &Rack) -> Arc<Self> {
        let swaps = Arc::new(Self::default());
        let counts = swaps.clone();
        rack.observe(move |event| match event {
            Event::Swapped { slots, .. } => {
                // A first load may come by way of a swap, and is none.
                let replaced = slots.iter().filter(|served| served.replaced.is_some());
                counts.add(replaced.map(|served| &served.slot), "done");
            }
            Event::SwapFailed { slots, .. } => counts.add(slots.iter(), "failed"),
            Event::RolledBack { slots, .. } => {
                counts.add(slots.iter().map(|served| &served.slot), "rolled-back");
            }
            _ => {}
        });
        swaps
    }

    fn add<'a>(&self, slots: impl Iterator<Item = &'a SlotName>, outcome: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for slot in slots {
            *counts.entry((slot.clone(), outcome)).or_default() += 1;
        }
    }
}

/// The figures of one phase.
type Phase = fn(&SlotStats) -> &Figures;

/// All figures.
pub(crate) async fn all(State(app): State<Arc<App>>) -> Answer {
    let mut page = Page::default();
    let rack = app.rack();
    let slots = rack.slots();
    let stats: Vec<SlotStats> = slots.iter().map(|slot| slot.stats()).collect();
    let phases: [(&str, &str, Phase); 3] = [
        ("calls", "Calls of the slot's functions", |stats| &stats.call),
        ("loads", "Loads of modules into the slot", |stats| &stats.load),
        ("starts", "Starts of instances in the slot", |stats| &stats.start),
    ];
    for (name, help, of) in phases {
        let each = |value: fn(&Figures) -> f64| {
            stats.iter().map(move |stats| (vec![("slot", stats.slot.as_str())], value(of(stats))))
        };
        page.add(&format!("modrack_{name}_total"), help, "counter", each(|f| f.count as f64));
        let one = name.strip_suffix('s').unwrap_or(name);
        let failed = format!("{help} that failed");
        page.add(&format!("modrack_{one}_errors_total"), &failed, "counter", each(|f| f.errors as f64));
        let took = format!("{help}, seconds that all took together");
        page.add(&format!("modrack_{one}_seconds_total"), &took, "counter", each(|f| f.total.as_secs_f64()));
    }
    let lost = stats.iter().map(|stats| (vec![("slot", stats.slot.as_str())], stats.lost as f64));
    page.add("modrack_instances_lost_total", "Instances that broke and were given up", "counter", lost);
    let swaps = app.swaps.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let each = swaps.iter().map(|((slot, outcome), count)| {
        (vec![("slot", slot.as_str()), ("outcome", *outcome)], *count as f64)
    });
    page.add("modrack_swaps_total", "Swaps of the slot by how they ended", "counter", each);
    let serving: Vec<_> = slots.iter().map(|slot| (slot.name(), slot.serving())).collect();
    let up = serving
        .iter()
        .map(|(slot, served)| (vec![("slot", slot.as_str())], if served.is_some() { 1.0 } else { 0.0 }));
    page.add("modrack_slot_up", "Whether something serves in the slot", "gauge", up);
    let generations = serving.iter().filter_map(|(slot, served)| {
        Some((vec![("slot", slot.as_str())], served.as_ref()?.generation.0 as f64))
    });
    page.add("modrack_slot_generation", "The generation that serves in the slot", "gauge", generations);
    let kept = rack.kept();
    let states =
        [(Before::Parked, "parked"), (Before::Draining, "draining"), (Before::Lingering, "lingering")];
    let kept = states.iter().map(|(state, name)| {
        let count = kept.iter().filter(|kept| kept.state == *state).count();
        (vec![("state", *name)], count as f64)
    });
    page.add(
        "modrack_generations_kept",
        "Generations that serve no new calls and are not stopped",
        "gauge",
        kept,
    );
    let under_way = [(Vec::new(), app.pool.under_way() as f64)];
    page.add("modrack_requests_under_way", "Requests that modules or the rack work on", "gauge", under_way);
    let waiting = [(Vec::new(), app.pool.waiting() as f64)];
    page.add("modrack_requests_waiting", "Requests that wait for a place to be worked on", "gauge", waiting);
    let ready = [(Vec::new(), if app.is_ready() { 1.0 } else { 0.0 })];
    page.add("modrack_ready", "Whether every slot that is not lazy has started", "gauge", ready);
    Ok(text_with(StatusCode::OK, page.0, MEDIA))
}

/// The text, family by family.
#[derive(Default)]
struct Page(String);

impl Page {
    fn add<'a>(
        &mut self,
        name: &str,
        help: &str,
        kind: &str,
        each: impl IntoIterator<Item = (Vec<(&'a str, &'a str)>, f64)>,
    ) {
        let mut each = each.into_iter().peekable();
        if each.peek().is_none() {
            return;
        }
        let text = &mut self.0;
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in each {
            text.push_str(name);
            for (at, (label, of)) in labels.iter().enumerate() {
                text.push(if at == 0 { '{' } else { ',' });
                let _ = write!(text, "{label}=\"{}\"", escaped(of));
            }
            if !labels.is_empty() {
                text.push('}');
            }
            let _ = writeln!(text, " {value}");
        }
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_has_its_help_its_type_and_a_line_for_each() {
        let mut page = Page::default();
        let each = [(vec![("slot", "a\"\\\n"), ("outcome", "done")], 2.0), (Vec::new(), 0.25)];
        page.add("x_total", "Xs", "counter", each);
        page.add("y", "None", "gauge", []);
        let wanted = "# HELP x_total Xs\n# TYPE x_total counter\nx_total{slot=\"a\\\"\\\\\\n\",outcome=\"done\"} 2\nx_total 0.25\n";
        assert_eq!(page.0, wanted);
    }
}
