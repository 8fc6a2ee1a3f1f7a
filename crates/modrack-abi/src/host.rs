//! What a module is given with each call: when it must end, whether it is still wanted, and what it may ask.

use crate::{Head, Output, Str, Value};

/// Finer than anybody reads by default.
pub const LEVEL_TRACE: u32 = 0;
/// For whoever looks for a mistake.
pub const LEVEL_DEBUG: u32 = 1;
/// What happens.
pub const LEVEL_INFO: u32 = 2;
/// What may be wrong.
pub const LEVEL_WARN: u32 = 3;
/// What is wrong.
pub const LEVEL_ERROR: u32 = 4;

/// What `time_left` gives where a call has no deadline.
pub const NO_DEADLINE: u64 = u64::MAX;

/// What a call is given. It is there until the call returns, for the thread that runs the call alone.
#[repr(C)]
#[derive(Debug)]
pub struct Context {
    /// Which entries there are.
    pub head: Head,
    /// What the module may ask.
    pub host: *const Host,
    /// A byte that is 1 as soon as nobody wants the call any more; null where it cannot be given up.
    pub cancelled: *const u8,
}

/// Writes a line to the host's log.
pub type LogFn = unsafe extern "C" fn(context: *const Context, level: u32, message: Str);

/// Gives one of the slot's parameters; nothing when there is none of this name.
pub type ConfigFn = unsafe extern "C" fn(context: *const Context, key: Str, output: *mut Output) -> i32;

/// Calls a function of a slot that the module's slot needs; its main function when `function` is empty.
pub type CallFn = unsafe extern "C" fn(
    context: *const Context,
    slot: Str,
    function: Str,
    args: *const Value,
    count: usize,
    output: *mut Output,
) -> i32;

/// How many nanoseconds are left for the call; `NO_DEADLINE` when there is no deadline.
pub type TimeLeftFn = unsafe extern "C" fn(context: *const Context) -> u64;

/// What a module may ask of the host. Outputs are the host's: the module calls their `release`, once.
#[repr(C)]
#[derive(Debug)]
pub struct Host {
    /// Which entries there are.
    pub head: Head,
    /// Writes a line to the host's log.
    pub log: LogFn,
    /// Gives one of the slot's parameters.
    pub config: ConfigFn,
    /// Calls another slot.
    pub call: CallFn,
    /// Says how much time is left.
    pub time_left: TimeLeftFn,
}
