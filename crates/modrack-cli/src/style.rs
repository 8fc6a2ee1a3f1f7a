//! Colour on terminals, and text cut to width. Nothing here prints.

use std::env;

/// Whether a stream that `is_terminal` is to be coloured.
///
/// `NO_COLOR` and `TERM=dumb` forbid it, `CLICOLOR_FORCE` asks for it everywhere.
pub(crate) fn is_coloured(is_terminal: bool) -> bool {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    if is_set("NO_COLOR") {
        return false;
    }
    if env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0") {
        return true;
    }
    is_terminal && env::var_os("TERM").is_none_or(|term| term != "dumb")
}

/// Puts styles round text, or leaves it plain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paint {
    /// Whether styles are put at all.
    pub(crate) on: bool,
}

impl Paint {
    /// For what failed.
    pub(crate) fn error(self, text: &str) -> String {
        self.wrap("1;31", text)
    }

    /// For what may be wrong.
    pub(crate) fn warning(self, text: &str) -> String {
        self.wrap("1;33", text)
    }

    /// For what went well.
    pub(crate) fn good(self, text: &str) -> String {
        self.wrap("1;32", text)
    }

    /// For advice.
    pub(crate) fn hint(self, text: &str) -> String {
        self.wrap("1;36", text)
    }

    /// For lines and arrows that guide the eye.
    pub(crate) fn rule(self, text: &str) -> String {
        self.wrap("1;34", text)
    }

    /// For what is to be read first.
    pub(crate) fn strong(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// For what is to be read last.
    pub(crate) fn faint(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `count` with its noun, in the singular or the plural: `1 row`, `1,200 rows`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let ending = if count == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", grouped(count))
}

/// A number with its thousands apart: `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A span of time as people read it: `12 µs`, `3.4 ms`, `1.25 s`, `2 min 5 s`.
pub(crate) fn span(time: std::time::Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.000_999_5 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 0.009_995 {
        format!("{:.1} ms", seconds * 1e3)
    } else if seconds < 0.999_5 {
        format!("{:.0} ms", seconds * 1e3)
    } else if seconds < 100.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, shown) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), shown);
        }
        assert_eq!(counted(1, "row"), "1 row");
        assert_eq!(counted(2000, "row"), "2,000 rows");
    }

    #[test]
    fn spans_have_three_digits_at_most() {
        for (nanos, shown) in [
            (12_000, "12 µs"),
            (3_400_000, "3.4 ms"),
            (250_000_000, "250 ms"),
            (1_250_000_000, "1.25 s"),
            (125_000_000_000, "2 min 5 s"),
        ] {
            assert_eq!(span(Duration::from_nanos(nanos)), shown);
        }
    }

    #[test]
    fn plain_paint_leaves_text_alone() {
        assert_eq!(Paint { on: false }.error("x"), "x");
        assert_eq!(Paint { on: true }.error("x"), "\x1b[1;31mx\x1b[0m");
    }
}
