//! The private names of generations, and the plain ones that people read.
//!
//! A generation's modules are registered as `_modrack.HASH.NUMBER.PLAIN`; messages, tracebacks and loggers
//! show `PLAIN`.

use std::borrow::Cow;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

/// The package under which all generations are registered.
pub(crate) const FAMILY: &str = "_modrack";

/// The global by which code of a generation is known; what it holds lives as long as the globals do.
pub(crate) const MARK: &str = "__modrack__";

/// The global by which code of a generation whose names were taken away still has its modules.
pub(crate) const KEPT: &str = "__modrack_kept__";

/// The name that people know a module by: what the author wrote, without the generation's prefix.
pub(crate) fn plain(name: &str) -> &str {
    let Some(rest) = name.strip_prefix(FAMILY).and_then(|rest| rest.strip_prefix('.')) else { return name };
    match rest.splitn(3, '.').nth(2) {
        Some(plain) => plain,
        None => name,
    }
}

/// `text` with every private name in it made plain.
pub(crate) fn plain_text(text: &str) -> Cow<'_, str> {
    let Some(first) = text.find(FAMILY) else { return Cow::Borrowed(text) };
    let mut plain = text[..first].to_owned();
    let mut rest = &text[first..];
    while !rest.is_empty() {
        let cut = prefix_len(rest);
        if cut > 0 {
            rest = &rest[cut..];
        }
        // At least one character is taken, or the same place would be looked at for ever.
        let skip = rest.chars().next().map_or(0, char::len_utf8);
        let next = rest[skip..].find(FAMILY).map_or(rest.len(), |at| at + skip);
        plain.push_str(&rest[..next]);
        rest = &rest[next..];
    }
    Cow::Owned(plain)
}

/// How many bytes of `_modrack.HASH.NUMBER.` stand at the start of `text`.
fn prefix_len(text: &str) -> usize {
    let Some(rest) = text.strip_prefix(FAMILY).and_then(|rest| rest.strip_prefix('.')) else { return 0 };
    let hash = rest.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(rest.len());
    let Some(after) = rest[hash..].strip_prefix('.') else { return 0 };
    let number = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
    let begins_a_name = |c: char| c.is_alphanumeric() || c == '_';
    match after[number..].strip_prefix('.') {
        Some(name) if hash > 0 && number > 0 && name.starts_with(begins_a_name) => text.len() - name.len(),
        _ => 0,
    }
}

/// The class of `object` as people write it: bare for builtins, else with its module's plain name.
pub(crate) fn class_of(object: &Bound<'_, PyAny>) -> String {
    class_name(&object.get_type())
}

/// The name of `class`: bare for builtins, else with its module's plain name.
pub(crate) fn class_name(class: &Bound<'_, PyType>) -> String {
    let py = class.py();
    let name = text(class, intern!(py, "__qualname__")).unwrap_or_else(|| "?".to_owned());
    match text(class, intern!(py, "__module__")).as_deref() {
        None | Some("builtins" | "__main__") => name,
        Some(module) => format!("{}.{name}", plain(module)),
    }
}

/// An attribute of `object` that is text; none when it is not, or cannot be had.
pub(crate) fn text(object: &Bound<'_, PyAny>, name: &Bound<'_, PyString>) -> Option<String> {
    let value = object.getattr(name).ok()?;
    Some(value.cast::<PyString>().ok()?.to_string_lossy().into_owned())
}
