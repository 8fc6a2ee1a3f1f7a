//! The contracts that come with modrack, read from their WIT when one is asked for and not before.
//!
//! The table says of each which functions give it away, so that asking which contract a module has reads
//! none of those it cannot have; a test holds the table against the WIT.

use std::path::Path;
use std::sync::OnceLock;

use super::{Contract, wit};

/// A contract that comes with modrack.
pub(super) struct BuiltIn {
    pub(super) name: &'static str,
    /// The main function, or one of those that stand in for it.
    pub(super) tells: &'static [&'static str],
    text: &'static str,
    read: OnceLock<Option<Contract>>,
}

/// The types and functions that all contracts share.
pub(super) const TYPES: (&str, &str) = ("modrack/types.wit", include_str!("../../../../contracts/types.wit"));

/// What modrack does for modules.
const HOST: (&str, &str) = ("host", include_str!("../../../../contracts/host.wit"));

macro_rules! built_in {
    ($($name:literal: $($tells:literal)|+,)*) => {
        /// All of them, in the order in which they are listed.
        pub(super) static ALL: [BuiltIn; [$($name),*].len()] = [$(BuiltIn {
            name: $name,
            tells: &[$($tells),+],
            text: include_str!(concat!("../../../../contracts/", $name, ".wit")),
            read: OnceLock::new(),
        },)*];
    };
}

built_in! {
    "plugin": "execute",
    "transform": "transform",
    "runnable": "run",
    "formatter": "format",
    "analyzer": "analyze",
    "error-handler": "handle",
    "metric": "metric",
    "source": "read",
    "sink": "write",
    "layer": "around" | "before" | "after",
    "source-transform": "rewrite",
}

/// The name and the WIT of each, and of what modules may import.
pub(super) fn texts() -> impl Iterator<Item = (&'static str, &'static str)> {
    ALL.iter().map(|built_in| (built_in.name, built_in.text)).chain([HOST])
}

impl BuiltIn {
    /// The contract. `None` only if its WIT were wrong, which a test rules out.
    pub(super) fn contract(&self) -> Option<&Contract> {
        let read = || {
            let path = format!("modrack/{}.wit", self.name);
            wit::read(&[TYPES, (&path, self.text)], &[Path::new(&path)]).ok()?.pop()
        };
        self.read.get_or_init(read).as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_contract_is_valid_and_told_by_its_functions() {
        for built_in in &ALL {
            let path = format!("modrack/{}.wit", built_in.name);
            if let Err(error) = wit::read(&[TYPES, (&path, built_in.text)], &[Path::new(&path)]) {
                panic!("{error:?}");
            }
            let contract = built_in.contract().expect("it was read just now");
            assert_eq!(contract.name, built_in.name);
            let main = contract.main().map(|main| main.info.name.as_str());
            let tells: Vec<_> =
                main.into_iter().chain(contract.alternatives.iter().flatten().map(String::as_str)).collect();
            assert_eq!(tells, built_in.tells);
        }
    }

    #[test]
    fn a_module_may_import_what_the_host_does() {
        let text = "package a:b;\nworld module { import modrack:host/host@1.0.0; export run: func(); }\n";
        let read = wit::signatures(text).unwrap_or_else(|error| panic!("{error:?}"));
        assert_eq!(read.functions.len(), 1);
    }
}
