//! Where modules' log goes: standard error, as much of it as the options want.

use std::io::{self, Write};

use modrack_core::{Log, LogLevel, SlotName};
use serde_json::json;

use crate::output::{Level, Output};

/// The log for the backends of a session.
pub(crate) fn of(output: &Output) -> Log {
    let least = match output.level {
        Level::Quiet => LogLevel::Error,
        Level::Normal => LogLevel::Warn,
        Level::Info => LogLevel::Info,
        Level::Debug => LogLevel::Trace,
    };
    let is_json = output.log_json;
    Log::new(move |line| {
        if line.level < least {
            return;
        }
        let (slot, level) = (line.slot.map(SlotName::as_str), line.level.as_str());
        let text = match (is_json, slot) {
            (true, slot) => json!({
                "time": crate::clock::now_rfc3339(),
                "level": level,
                "event": "log",
                "slot": slot,
                "message": line.message,
            })
            .to_string(),
            (false, Some(slot)) if line.level == LogLevel::Print => format!("{slot}: {}", line.message),
            (false, Some(slot)) => format!("{level}: {slot}: {}", line.message),
            (false, None) => format!("{level}: {}", line.message),
        };
        // Who closed standard error does not read the log.
        let _ = writeln!(io::stderr().lock(), "{text}");
    })
}
