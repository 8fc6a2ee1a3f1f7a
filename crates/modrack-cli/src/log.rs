//! Where modules' log goes: standard error, as much of it as the options want.

use std::borrow::Cow;
use std::io::{self, Write};

use modrack_core::{Log, LogLevel, LogLine, SlotName};
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
        let text = if is_json {
            json!({
                "time": crate::clock::now_rfc3339(),
                "level": line.level.as_str(),
                "event": "log",
                "slot": line.slot.map(SlotName::as_str),
                "message": line.message,
            })
            .to_string()
        } else {
            shown(line)
        };
        // Who closed standard error does not read the log.
        let _ = writeln!(io::stderr().lock(), "{text}");
    })
}

/// A line as people read it.
fn shown(line: &LogLine<'_>) -> String {
    let (level, message) = (line.level.as_str(), harmless(line.message));
    match line.slot.map(SlotName::as_str) {
        Some(slot) if line.level == LogLevel::Print => format!("{slot}: {message}"),
        Some(slot) => format!("{level}: {slot}: {message}"),
        None => format!("{level}: {message}"),
    }
}

/// A module's words as a terminal may have them: what would move its cursor, change its colours or look like a
/// line of somebody else's is written out.
fn harmless(message: &str) -> Cow<'_, str> {
    let is_harmless = |c: char| !c.is_control() || c == '\t';
    if message.chars().all(is_harmless) {
        return Cow::Borrowed(message);
    }
    let mut text = String::with_capacity(message.len() + 16);
    for c in message.chars() {
        match c {
            // What follows belongs to the same line, and can be seen to.
            '\n' => text.push_str("\n  "),
            c if is_harmless(c) => text.push(c),
            c => text.extend(c.escape_debug()),
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_module_says_does_nothing_to_a_terminal() {
        let slot = SlotName::parse("a").unwrap();
        for (message, wanted) in [
            ("größer, 100 %\tgut", "warn: a: größer, 100 %\tgut"),
            ("\u{1b}[31mred\u{7}", "warn: a: \\u{1b}[31mred\\u{7}"),
            ("back\rover\u{9b}2K", "warn: a: back\\rover\\u{9b}2K"),
            ("one\nerror: not another", "warn: a: one\n  error: not another"),
        ] {
            assert_eq!(shown(&LogLine { slot: Some(&slot), level: LogLevel::Warn, message }), wanted);
        }
    }
}
