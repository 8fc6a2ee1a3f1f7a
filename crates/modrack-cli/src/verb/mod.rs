//! The verbs, one page each. A verb takes its arguments and a session, prints, and comes to an exit status.

pub(crate) mod call;
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod get;
pub(crate) mod inspect;
pub(crate) mod list;
pub(crate) mod new;
pub(crate) mod run;
pub(crate) mod version;
