//! Lengths of time and numbers of bytes, as configuration writes them.
//!
//! Pure reading of text; what may be zero is the caller's. What no clock can be put forward by is no length of time.

use std::time::Duration;

/// The longest time: ten years.
const LONGEST: Duration = Duration::from_secs(3_650 * 86_400);

/// Reads `10s`, `1.5s`, `50ms`, `2m`, `1h`, `1d`, or several in a row: `1h30m`; ten years at most.
pub fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut sum = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (number, unit, after) = number_and_unit(rest)?;
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            "d" => 86400.0,
            _ => return None,
        };
        sum = sum.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = after.trim_start();
    }
    (sum <= LONGEST).then_some(sum)
}

/// Reads `4096`, `64kB`, `256MiB`, `1.5GiB`.
pub(crate) fn bytes(text: &str) -> Option<usize> {
    let (number, unit, after) = number_and_unit(text.trim())?;
    let factor: f64 = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" => 1e3,
        "m" | "mb" => 1e6,
        "g" | "gb" => 1e9,
        "ki" | "kib" => 1024.0,
        "mi" | "mib" => 1_048_576.0,
        "gi" | "gib" => 1_073_741_824.0,
        _ => return None,
    };
    let sum = number * factor;
    // Above 2^53 a float has no room for every whole number, and no rack means so much.
    (after.is_empty() && sum.is_finite() && (0.0..9e15).contains(&sum)).then_some(sum as usize)
}

/// The number that `text` starts with, the letters that follow, and the rest.
fn number_and_unit(text: &str) -> Option<(f64, &str, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = text[..end].parse().ok()?;
    let unit = text[end..].trim_start();
    let length = unit.find(|c: char| !c.is_alphabetic()).unwrap_or(unit.len());
    Some((number, &unit[..length], &unit[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        for (text, millis) in [
            ("10s", Some(10_000)),
            ("50ms", Some(50)),
            ("2m", Some(120_000)),
            ("1h30m", Some(5_400_000)),
            ("1.5 s", Some(1500)),
            ("1d", Some(86_400_000)),
            ("3650d", Some(315_360_000_000)),
            ("3650d 1ms", None),
            ("200000000000000d", None),
            ("10", None),
            ("s", None),
            ("", None),
            ("-1s", None),
            ("10 parsecs", None),
            ("1e400s", None),
        ] {
            assert_eq!(duration(text).map(|d| d.as_millis()), millis, "{text:?}");
        }
    }

    #[test]
    fn numbers_of_bytes_may_have_a_unit() {
        for (text, count) in [
            ("4096", Some(4096)),
            ("64kB", Some(64_000)),
            ("1.5 KiB", Some(1536)),
            ("256MiB", Some(268_435_456)),
            ("1G", Some(1_000_000_000)),
            ("1TiB", None),
            ("MiB", None),
            ("-1", None),
            ("99999999GiB", None),
        ] {
            assert_eq!(bytes(text), count, "{text:?}");
        }
    }
}
