//! The native form: the C interface of `modrack-abi` on the module's side.
//!
//! What `#[modrack::module]` writes is safe code; every pointer of the interface is handled here. Nothing
//! unwinds out of here into the host.

mod entry;
mod host;
pub(crate) mod lent;
mod panic;
mod reply;
#[cfg(feature = "arrow")]
mod table;

pub use entry::{Args, Create, Done, Entry, Kept, Once, Shared, arg, function, module, rest};
pub(crate) use host::{call, cancelled, config, log, time_left};
pub use modrack_abi as abi;
pub use reply::Reply;
