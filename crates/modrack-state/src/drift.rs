//! What serves against what the configuration says.

use modrack_core::{ContentHash, SlotName};

use crate::record::{Filling, Override};

/// A slot as the configuration has it now.
#[derive(Clone, Debug)]
pub struct Declared {
    /// The slot.
    pub slot: SlotName,
    /// Its `use` text.
    pub use_text: String,
    /// The hash of its text in the configuration.
    pub text: ContentHash,
    /// The hash of the content that its `use` leads to now, where that was looked at.
    pub content: Option<ContentHash>,
}

/// How a slot that serves differs from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift {
    /// The slot.
    pub slot: SlotName,
    /// What serves.
    pub serves: Filling,
    /// How that differs.
    pub how: Differs,
}

/// How what serves differs from what the configuration says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Differs {
    /// A swap or a promotion is in force.
    Overridden(Box<Override>),
    /// It is another module than the one that the configuration names.
    OtherUse {
        /// The `use` text of the configuration.
        declared: String,
    },
    /// It is the module that the configuration names, with other content: its files were changed since.
    OtherContent {
        /// The hash of what its files hold.
        declared: ContentHash,
    },
    /// The configuration has no such slot.
    Undeclared,
}

/// The slots that differ, in the order in which they serve. A slot that is not filled does not differ: it is filled when it is first used.
pub fn drift(
    declared: &[Declared],
    overrides: &[Override],
    serving: impl IntoIterator<Item = (SlotName, Filling)>,
) -> Vec<Drift> {
    let differs = |slot: &SlotName, serves: &Filling| {
        let Some(declared) = declared.iter().find(|declared| declared.slot == *slot) else {
            return Some(Differs::Undeclared);
        };
        let in_force = |over: &&Override| over.slot == *slot && over.declared == declared.text;
        if let Some(over) = overrides.iter().find(in_force) {
            return Some(Differs::Overridden(Box::new(over.clone())));
        }
        if serves.use_text != declared.use_text {
            return Some(Differs::OtherUse { declared: declared.use_text.clone() });
        }
        match (&serves.hash, &declared.content) {
            (Some(serves), Some(content)) if serves != content => {
                Some(Differs::OtherContent { declared: content.clone() })
            }
            _ => None,
        }
    };
    let serving = serving.into_iter();
    serving
        .filter_map(|(slot, serves)| {
            let how = differs(&slot, &serves)?;
            Some(Drift { slot, serves, how })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn what_serves_is_held_against_the_configuration() {
        let name = |name: &str| SlotName::parse(name).unwrap();
        let hash = ContentHash::from_hex;
        let filling = |content: &str, use_text: &str| Filling {
            module: "m".into(),
            hash: Some(hash(content)),
            use_text: use_text.into(),
            plan: String::new(),
        };
        let declared = |slot: &str, content: Option<&str>| Declared {
            slot: name(slot),
            use_text: "./a.py".into(),
            text: hash("text"),
            content: content.map(hash),
        };
        let over = |text: &str| Override {
            slot: name("s"),
            to: filling("2", "./b.py"),
            declared: hash(text),
            entry: None,
            since: SystemTime::UNIX_EPOCH,
        };
        let cases = [
            (declared("s", Some("1")), None, filling("1", "./a.py"), None),
            (declared("s", None), None, filling("1", "./a.py"), None),
            (
                declared("s", Some("2")),
                None,
                filling("1", "./a.py"),
                Some(Differs::OtherContent { declared: hash("2") }),
            ),
            (
                declared("s", Some("1")),
                None,
                filling("1", "./b.py"),
                Some(Differs::OtherUse { declared: "./a.py".into() }),
            ),
            (
                declared("s", Some("1")),
                Some(over("text")),
                filling("2", "./b.py"),
                Some(Differs::Overridden(Box::new(over("text")))),
            ),
            // The slot's text changed since: the override is none any more.
            (
                declared("s", Some("1")),
                Some(over("before")),
                filling("2", "./b.py"),
                Some(Differs::OtherUse { declared: "./a.py".into() }),
            ),
            (declared("other", Some("1")), None, filling("1", "./a.py"), Some(Differs::Undeclared)),
        ];
        for (declared, over, serves, expected) in cases {
            let overrides: Vec<_> = over.into_iter().collect();
            let found = drift(&[declared], &overrides, [(name("s"), serves)]);
            assert_eq!(found.into_iter().next().map(|drift| drift.how), expected);
        }
    }
}
