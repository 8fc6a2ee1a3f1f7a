//! The texts of a column made into values of its type, and the type found by looking at some of them.
//!
//! A type that was found by looking is strict: a later text that it could only take by losing something (a
//! leading zero, a zone, a digit) is an error. A type that the pipeline names takes what can be read as it.

use std::sync::{Arc, LazyLock};

use arrow_array::builder::{BinaryBuilder, BooleanBuilder, StringBuilder};
use arrow_array::timezone::Tz;
use arrow_array::types::{Date32Type, Time64MicrosecondType};
use arrow_array::{
    ArrayRef, Date32Array, Float64Array, Int64Array, Time64MicrosecondArray, TimestampMicrosecondArray,
    TimestampNanosecondArray,
};
use arrow_cast::parse::{Parser, string_to_datetime};
use arrow_schema::{DataType, TimeUnit};

/// What was seen in the cells of a column, one bit for each sort.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen(u16);

const BOOL: u16 = 1;
const INT: u16 = 1 << 1;
const LONG_INT: u16 = 1 << 2;
const FLOAT: u16 = 1 << 3;
const DATE: u16 = 1 << 4;
const MICROS: u16 = 1 << 5;
const NANOS: u16 = 1 << 6;
const MICROS_UTC: u16 = 1 << 7;
const NANOS_UTC: u16 = 1 << 8;
const TEXT: u16 = 1 << 9;

impl Seen {
    /// Adds a cell that is not null.
    pub(crate) fn add(&mut self, cell: &[u8]) {
        if self.0 & TEXT == 0 {
            self.0 |= sort_of(cell);
        }
    }

    /// Adds what was seen elsewhere.
    pub(crate) fn merge(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// The narrowest type that takes everything seen without loss.
    pub(crate) fn data_type(self) -> DataType {
        const INTS: u16 = INT | LONG_INT;
        const NAIVE: u16 = DATE | MICROS | NANOS;
        const UTC: u16 = MICROS_UTC | NANOS_UTC;
        let only = |bits: u16| self.0 & !bits == 0;
        let unit =
            if self.0 & (NANOS | NANOS_UTC) == 0 { TimeUnit::Microsecond } else { TimeUnit::Nanosecond };
        match self.0 {
            0 => DataType::Utf8,
            BOOL => DataType::Boolean,
            DATE => DataType::Date32,
            _ if only(INTS) => DataType::Int64,
            // A float has room for the digits of a short integer only.
            _ if only(INT | FLOAT) => DataType::Float64,
            _ if only(NAIVE) => DataType::Timestamp(unit, None),
            _ if only(UTC) => DataType::Timestamp(unit, Some("UTC".into())),
            _ => DataType::Utf8,
        }
    }
}

/// Whether a header's name looks like a value of a column instead.
pub(crate) fn looks_like_value(name: &[u8]) -> bool {
    sort_of(name) != TEXT
}

fn sort_of(cell: &[u8]) -> u16 {
    let Some(&first) = cell.first() else { return TEXT };
    if !(first.is_ascii_digit()
        || matches!(first, b'-' | b'+' | b'.' | b't' | b'T' | b'f' | b'F' | b'n' | b'N' | b'i'))
    {
        return TEXT;
    }
    if let Some(value) = int(cell) {
        if leads_with_zero(cell) {
            return TEXT;
        }
        return if value.unsigned_abs() <= 1 << 53 { INT } else { LONG_INT };
    }
    if boolean(cell).is_some() {
        return BOOL;
    }
    let Ok(text) = std::str::from_utf8(cell) else { return TEXT };
    if matches!(text, "NaN" | "nan" | "inf" | "-inf") {
        return FLOAT;
    }
    if is_decimal(cell) {
        return if text.parse::<f64>().is_ok_and(f64::is_finite) { FLOAT } else { TEXT };
    }
    if is_date_form(cell) {
        return if Date32Type::parse(text).is_some() { DATE } else { TEXT };
    }
    if cell.len() >= 19 && is_date_form(&cell[..10]) && matches!(cell[10], b'T' | b' ') {
        let digits = fraction_digits(cell);
        let (zoned, nanos) = (has_zone(cell), digits > 6);
        if digits > 9 || instant(text, nanos).is_none() {
            return TEXT;
        }
        return match (zoned, nanos) {
            (false, false) => MICROS,
            (false, true) => NANOS,
            (true, false) => MICROS_UTC,
            (true, true) => NANOS_UTC,
        };
    }
    TEXT
}

/// A column's cells, in order; none where the row is not to be read.
pub(crate) trait Cells<'a>: Iterator<Item = Option<&'a [u8]>> {}
impl<'a, I: Iterator<Item = Option<&'a [u8]>>> Cells<'a> for I {}

/// Makes a column. `strict` is for types that were found by looking. The cells that do not fit are told by
/// their place to `bad`, and are null.
pub(crate) fn column<'a>(
    data_type: &DataType,
    strict: bool,
    cells: impl Cells<'a>,
    bad: &mut dyn FnMut(usize),
) -> ArrayRef {
    macro_rules! column {
        ($array:ty, $parse:expr) => {{
            let mut at = 0;
            let array: $array = cells
                .map(|cell| {
                    let value = cell.and_then(|cell| {
                        let value = $parse(cell);
                        if value.is_none() {
                            bad(at);
                        }
                        value
                    });
                    at += 1;
                    value
                })
                .collect();
            array
        }};
    }
    let text = |cell| std::str::from_utf8(cell).ok();
    match data_type {
        DataType::Int64 => {
            Arc::new(column!(Int64Array, |cell| int(cell).filter(|_| !strict || !leads_with_zero(cell))))
        }
        DataType::Float64 => Arc::new(column!(Float64Array, |cell| float(cell, strict))),
        DataType::Date32 => Arc::new(column!(Date32Array, |cell: &'a [u8]| {
            text(cell).filter(|_| !strict || is_date_form(cell)).and_then(Date32Type::parse)
        })),
        DataType::Time64(_) => Arc::new(column!(Time64MicrosecondArray, |cell| {
            text(cell).and_then(Time64MicrosecondType::parse)
        })),
        DataType::Timestamp(unit, zone) => {
            let nanos = *unit == TimeUnit::Nanosecond;
            // Rows that follow each other are often of the same moment.
            let mut last: (&[u8], Option<i64>) = (b"", None);
            let mut parse = |cell: &'a [u8]| {
                if cell == last.0 {
                    return last.1;
                }
                // Without a zone, one that is written would be lost; with one, a missing one would be made up.
                let fits = match zone {
                    None => !has_zone(cell),
                    Some(_) => !strict || has_zone(cell),
                };
                last = (cell, text(cell).filter(|_| fits).and_then(|text| instant(text, nanos)));
                last.1
            };
            if nanos {
                Arc::new(column!(TimestampNanosecondArray, parse).with_timezone_opt(zone.clone()))
            } else {
                Arc::new(column!(TimestampMicrosecondArray, parse).with_timezone_opt(zone.clone()))
            }
        }
        DataType::Boolean => {
            let mut values = BooleanBuilder::new();
            for (at, cell) in cells.enumerate() {
                let value = cell.and_then(boolean);
                if value.is_none() && cell.is_some() {
                    bad(at);
                }
                values.append_option(value);
            }
            Arc::new(values.finish())
        }
        DataType::Binary => {
            let mut values = BinaryBuilder::new();
            for (at, cell) in cells.enumerate() {
                let value = cell.and_then(hex);
                if value.is_none() && cell.is_some() {
                    bad(at);
                }
                values.append_option(value);
            }
            Arc::new(values.finish())
        }
        _ => {
            let mut values = StringBuilder::with_capacity(cells.size_hint().0, cells.size_hint().0 * 8);
            for (at, cell) in cells.enumerate() {
                let value = cell.and_then(text);
                if value.is_none() && cell.is_some() {
                    bad(at);
                }
                values.append_option(value);
            }
            Arc::new(values.finish())
        }
    }
}

fn int(cell: &[u8]) -> Option<i64> {
    let (negative, digits) = match cell {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut value = 0i64;
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        // Counted downwards, because there is one negative number more than there are positive ones.
        value = value.checked_mul(10)?.checked_sub(i64::from(digit))?;
    }
    if negative { Some(value) } else { value.checked_neg() }
}

fn leads_with_zero(cell: &[u8]) -> bool {
    let digits = cell.strip_prefix(b"-").or_else(|| cell.strip_prefix(b"+")).unwrap_or(cell);
    digits.len() > 1 && digits[0] == b'0'
}

fn float(cell: &[u8], strict: bool) -> Option<f64> {
    if let Some(value) = int(cell) {
        let exact = value.unsigned_abs() <= 1 << 53 && !leads_with_zero(cell);
        return (!strict || exact).then_some(value as f64);
    }
    if strict && !is_decimal(cell) && cell.iter().any(u8::is_ascii_digit) {
        return None;
    }
    let value: f64 = std::str::from_utf8(cell).ok()?.parse().ok()?;
    // What is too large for a float would silently become infinite.
    (value.is_finite() || !cell.iter().any(u8::is_ascii_digit)).then_some(value)
}

fn boolean(cell: &[u8]) -> Option<bool> {
    if cell.eq_ignore_ascii_case(b"true") {
        Some(true)
    } else if cell.eq_ignore_ascii_case(b"false") {
        Some(false)
    } else {
        None
    }
}

fn is_decimal(cell: &[u8]) -> bool {
    // Digits alone that are no integer here are too many for any number.
    cell.iter().any(u8::is_ascii_digit)
        && cell.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'))
        && cell.iter().enumerate().all(|(at, byte)| match byte {
            b'0'..=b'9' | b'.' | b'e' | b'E' => true,
            b'-' | b'+' => at == 0 || matches!(cell[at - 1], b'e' | b'E'),
            _ => false,
        })
}

fn is_date_form(cell: &[u8]) -> bool {
    cell.len() == 10
        && cell.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

fn fraction_digits(cell: &[u8]) -> usize {
    match cell.iter().position(|&byte| byte == b'.') {
        Some(dot) => cell[dot + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count(),
        None => 0,
    }
}

fn has_zone(cell: &[u8]) -> bool {
    cell.get(11..)
        .is_some_and(|time| time.iter().any(|byte| matches!(byte, b'+' | b'-') || byte.is_ascii_alphabetic()))
}

/// Micro- or nanoseconds since 1970, when the text has no finer digits than that.
fn instant(text: &str, nanos: bool) -> Option<i64> {
    static UTC: LazyLock<Option<Tz>> = LazyLock::new(|| "+00:00".parse().ok());
    let when = string_to_datetime(UTC.as_ref()?, text).ok()?;
    if nanos {
        when.timestamp_nanos_opt()
    } else {
        (fraction_digits(text.as_bytes()) <= 6).then(|| when.timestamp_micros())
    }
}

fn hex(cell: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    if !cell.len().is_multiple_of(2) {
        return None;
    }
    cell.chunks(2).map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_cast::display::array_value_to_string;

    fn check(cells: &[&str], expected: &str) {
        let mut seen = Seen::default();
        cells.iter().for_each(|cell| seen.add(cell.as_bytes()));
        let data_type = seen.data_type();
        let array = column(&data_type, true, cells.iter().map(|c| Some(c.as_bytes())), &mut |at| {
            panic!("{} does not fit {data_type}", cells[at])
        });
        let array = crate::zones::showable(&array).unwrap();
        let values: Vec<_> = (0..array.len()).map(|i| array_value_to_string(&array, i).unwrap()).collect();
        assert_eq!(format!("{data_type}: {}", values.join(" ")), expected);
    }

    #[test]
    fn a_type_is_the_narrowest_that_loses_nothing() {
        check(&["1", "-2", "+3"], "Int64: 1 -2 3");
        check(&["1", "2.5"], "Float64: 1.0 2.5");
        check(&["NaN", "-1e3"], "Float64: NaN -1000.0");
        check(&["007", "1"], "Utf8: 007 1");
        check(&["0", "10"], "Int64: 0 10");
        check(
            &["9223372036854775807", "-9223372036854775808"],
            "Int64: 9223372036854775807 -9223372036854775808",
        );
        check(&["9223372036854775808"], "Utf8: 9223372036854775808");
        check(&["9007199254740993", "1.5"], "Utf8: 9007199254740993 1.5");
        check(&["1e400"], "Utf8: 1e400");
        check(&["true", "FALSE"], "Boolean: true false");
        check(&["true", "1"], "Utf8: true 1");
        check(&["2013-01-01"], "Date32: 2013-01-01");
        check(&["2013-02-30"], "Utf8: 2013-02-30");
        check(
            &["2013-01-01", "2013-01-01 05:00:00"],
            "Timestamp(µs): 2013-01-01T00:00:00 2013-01-01T05:00:00",
        );
        check(&["2013-01-01T05:00:00.1234567"], "Timestamp(ns): 2013-01-01T05:00:00.123456700");
        check(
            &["2013-01-01T05:00:00Z", "2013-01-01T05:00:00+02:00"],
            "Timestamp(µs, \"UTC\"): 2013-01-01T05:00:00Z 2013-01-01T03:00:00Z",
        );
        check(
            &["2013-01-01T05:00:00Z", "2013-01-01T05:00:00"],
            "Utf8: 2013-01-01T05:00:00Z 2013-01-01T05:00:00",
        );
        check(&[" 1"], "Utf8:  1");
        check(&[], "Utf8: ");
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (data_type, strict, cell, fits) in [
            (DataType::Int64, true, "1.5", false),
            (DataType::Int64, true, "007", false),
            (DataType::Int64, false, "007", true),
            (DataType::Float64, true, "1e400", false),
            (DataType::Float64, true, "9007199254740993", false),
            (DataType::Boolean, true, "yes", false),
            (DataType::Timestamp(TimeUnit::Microsecond, None), false, "2013-01-01T05:00:00Z", false),
            (
                DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
                false,
                "2013-01-01T05:00:00",
                true,
            ),
            (DataType::Time64(TimeUnit::Microsecond), false, "05:00:00", true),
            (DataType::Binary, false, "0aFF", true),
            (DataType::Binary, false, "0g", false),
        ] {
            let mut bad = Vec::new();
            column(&data_type, strict, std::iter::once(Some(cell.as_bytes())), &mut |at| bad.push(at));
            assert_eq!(bad.is_empty(), fits, "{cell} as {data_type}");
        }
    }
}
