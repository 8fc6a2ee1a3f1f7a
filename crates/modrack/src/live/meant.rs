//! What a slot is meant to be, as the state keeps it: enough to load it again when the rack's text says something else.
//!
//! It is kept as lines of text, in which the state looks for nothing. Nothing of it is filled in: what `${...}` stands for is asked for
//! again when it is loaded.

use std::fmt::Write;

use modrack_core::plan::SlotPlan;
use modrack_core::{Attr, ContentHash, Origin};
use modrack_runtime::Served;
use modrack_state::Filling;

/// What a slot is meant to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Meant {
    /// What the rack said of the slot; empty for one that it does not declare.
    pub(super) text: String,
    /// What is set over that.
    pub(super) over: Vec<String>,
    /// What of the module is meant.
    pub(super) attr: Option<Attr>,
    /// Whether it is loaded from kept content, and not from where its `use` leads to.
    pub(super) pin: Option<Pin>,
}

/// Why content is loaded from where it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pin {
    /// The hash of what the `use` led to: as long as it leads there, the kept content is loaded. None when it led nowhere.
    pub(super) instead_of: Option<ContentHash>,
}

impl Meant {
    /// What `plan` means, loaded from `origin`.
    pub(super) fn of(plan: &SlotPlan, origin: Option<&Origin>, pin: Option<Pin>) -> Self {
        let attr = origin.and_then(Origin::attr).cloned();
        Self { text: plan.text.to_string(), over: plan.over.clone(), attr, pin }
    }

    /// What was [written](Self::write). What cannot be understood was written by another version, and means what the rack says.
    pub(super) fn read(text: &str) -> Self {
        let mut meant = Self::default();
        for line in text.lines() {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = unescaped(rest);
            match word {
                "text" => meant.text = rest,
                "over" => meant.over.push(rest),
                "attr" => meant.attr = Attr::parse(&rest),
                "pinned" => {
                    let instead_of = (!rest.is_empty()).then(|| ContentHash::from_hex(&rest));
                    meant.pin = Some(Pin { instead_of });
                }
                _ => {}
            }
        }
        meant
    }

    /// It as the state keeps it.
    pub(super) fn write(&self) -> String {
        let mut out = String::new();
        let mut line = |word: &str, rest: &str| {
            let _ = writeln!(out, "{word} {}", escaped(rest));
        };
        line("text", &self.text);
        self.over.iter().for_each(|over| line("over", over));
        if let Some(attr) = &self.attr {
            line("attr", &attr.to_string());
        }
        if let Some(pin) = &self.pin {
            line("pinned", pin.instead_of.as_ref().map_or("", ContentHash::as_str));
        }
        out
    }
}

/// What is set over a slot's text by what fills it, each as `KEY=VALUE` with a key of the slot, as in `params.step=5`; without what names
/// the module.
pub fn set_over(filling: &Filling) -> Vec<String> {
    let of_slot = |over: &String| {
        let (path, value) = over.split_once('=')?;
        let key = path.trim().strip_prefix("slots.")?.split_once('.')?.1;
        (key != "use").then(|| format!("{key}={}", value.trim()))
    };
    Meant::read(&filling.plan).over.iter().filter_map(of_slot).collect()
}

/// What serves, as the state keeps it.
pub(super) fn filling(served: &Served, pin: Option<Pin>) -> Filling {
    Filling {
        module: served.module.clone(),
        hash: served.hash.clone(),
        use_text: served.plan.use_text.clone(),
        plan: Meant::of(&served.plan, served.kept.as_ref(), pin).write(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r")
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (_, true) => match letters.next() {
                Some('n') => out.push('\n'),
                Some('r') => out.push('\r'),
                Some(other) => out.push(other),
                None => {}
            },
            (letter, false) => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_set_over_a_slot_is_told_by_its_keys() {
        let over =
            ["slots.a.params.x=1", "slots.a.use=./b.py", "slots.a.limits.time = 1s"].map(str::to_owned);
        let meant = Meant { over: over.into(), ..Meant::default() };
        let filling =
            Filling { module: "a".into(), hash: None, use_text: "./b.py".into(), plan: meant.write() };
        assert_eq!(set_over(&filling), ["params.x=1", "limits.time=1s"]);
    }

    #[test]
    fn what_is_written_is_read_again() {
        let attr = |text| Attr::parse(text);
        let cases = [
            Meant::default(),
            Meant { text: "{\"use\": \"./a.py\"}".into(), ..Meant::default() },
            Meant {
                text: "\"./a b.py\"".into(),
                over: vec!["slots.a.params.x=\"one\\n\ntwo\"".into(), "slots.a.use=\"./b.py\"".into()],
                attr: attr("make()"),
                pin: Some(Pin { instead_of: Some(ContentHash::from_hex("ab12")) }),
            },
            Meant { pin: Some(Pin::default()), over: vec!["a=\r\\".into()], ..Meant::default() },
        ];
        for meant in cases {
            assert_eq!(Meant::read(&meant.write()), meant);
        }
        assert_eq!(
            Meant::read("what is this\n\npinned"),
            Meant { pin: Some(Pin::default()), ..Meant::default() }
        );
    }
}
