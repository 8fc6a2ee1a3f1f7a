//! Days, times and durations as objects of Python's `datetime`, and back.
//!
//! The C interface of `datetime` is not in the limited API, so objects are made by calling its classes; the
//! module is imported when the first column needs it. Nothing is rounded: what Python cannot hold is said.

use modrack_core::{Code, Error, Result};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// Microseconds in a day.
pub(super) const DAY: i64 = 86_400_000_000;
/// 0001-01-01 and 9999-12-31, in days since 1970-01-01.
const DAYS: std::ops::RangeInclusive<i64> = -719_162..=2_932_896;

/// The classes of `datetime`.
pub(super) struct Classes {
    pub(super) date: Py<PyType>,
    pub(super) datetime: Py<PyType>,
    pub(super) time: Py<PyType>,
    pub(super) timedelta: Py<PyType>,
    /// `datetime.timezone.utc`.
    pub(super) utc: Py<PyAny>,
}

/// The classes of `datetime`, imported at the first asking.
pub(super) fn classes(py: Python<'_>) -> PyResult<&Classes> {
    static CLASSES: PyOnceLock<Classes> = PyOnceLock::new();
    CLASSES.get_or_try_init(py, || {
        let module = py.import("datetime")?;
        let class = |name: &str| Ok::<_, PyErr>(module.getattr(name)?.cast_into::<PyType>()?.unbind());
        Ok(Classes {
            date: class("date")?,
            datetime: class("datetime")?,
            time: class("time")?,
            timedelta: class("timedelta")?,
            utc: module.getattr("timezone")?.getattr("utc")?.unbind(),
        })
    })
}

/// A time zone by the name that Arrow knows it under.
///
/// # Errors
/// What Python raised: a name that its database has not.
pub(super) fn zone<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let classes = classes(py)?;
    if matches!(name, "UTC" | "utc" | "Z" | "+00:00" | "+0000" | "Etc/UTC") {
        return Ok(classes.utc.bind(py).clone());
    }
    if let Some(seconds) = fixed_offset(name) {
        let delta = classes.timedelta.bind(py).call1((0, seconds))?;
        return py.import("datetime")?.getattr("timezone")?.call1((delta,));
    }
    py.import("zoneinfo")?.getattr("ZoneInfo")?.call1((name,))
}

/// `datetime.date` of a day counted from 1970-01-01.
pub(super) fn date<'py>(py: Python<'py>, days: i64) -> Result<Bound<'py, PyAny>> {
    let (year, month, day) = civil(days).ok_or_else(|| beyond("day"))?;
    made(py, || classes(py)?.date.bind(py).call1((year, month, day)))
}

/// `datetime.datetime` of microseconds since 1970-01-01, in `zone` where there is one.
pub(super) fn datetime<'py>(
    py: Python<'py>,
    micros: i64,
    zone: Option<&Bound<'py, PyAny>>,
) -> Result<Bound<'py, PyAny>> {
    let (year, month, day) = civil(micros.div_euclid(DAY)).ok_or_else(|| beyond("time"))?;
    let (hour, minute, second, micro) = clock(micros.rem_euclid(DAY));
    made(py, || {
        let classes = classes(py)?;
        let class = classes.datetime.bind(py);
        let Some(zone) = zone else {
            return class.call1((year, month, day, hour, minute, second, micro));
        };
        let utc = classes.utc.bind(py);
        let there = class.call1((year, month, day, hour, minute, second, micro, utc))?;
        if zone.is(utc) { Ok(there) } else { there.call_method1(intern!(py, "astimezone"), (zone,)) }
    })
}

/// `datetime.time` of microseconds since midnight.
pub(super) fn time<'py>(py: Python<'py>, micros: i64) -> Result<Bound<'py, PyAny>> {
    if !(0..DAY).contains(&micros) {
        return Err(beyond("time of day"));
    }
    let (hour, minute, second, micro) = clock(micros);
    made(py, || classes(py)?.time.bind(py).call1((hour, minute, second, micro)))
}

/// `datetime.timedelta` of microseconds.
pub(super) fn timedelta<'py>(py: Python<'py>, micros: i64) -> Result<Bound<'py, PyAny>> {
    let (days, rest) = (micros.div_euclid(DAY), micros.rem_euclid(DAY));
    made(py, || classes(py)?.timedelta.bind(py).call1((days, rest / 1_000_000, rest % 1_000_000)))
}

/// A count of units as microseconds; `per_second` units make a second.
///
/// # Errors
/// [`Code::ValueDoesNotFit`] when something would be cut off.
pub(super) fn to_micros(count: i64, per_second: i64) -> Result<i64> {
    if per_second > 1_000_000 {
        let nanos = per_second / 1_000_000;
        return match count % nanos {
            0 => Ok(count / nanos),
            _ => Err(Error::new(
                Code::ValueDoesNotFit,
                "A time with nanoseconds, which `datetime` cannot hold",
            )
            .hint("Round the column to microseconds first, or take batches instead of rows")),
        };
    }
    count.checked_mul(1_000_000 / per_second).ok_or_else(|| beyond("time"))
}

/// The day of a `datetime.date`, counted from 1970-01-01.
pub(super) fn days_of(date: &Bound<'_, PyAny>) -> PyResult<i64> {
    let py = date.py();
    let part = |name| date.getattr(name)?.extract::<i64>();
    Ok(days(part(intern!(py, "year"))?, part(intern!(py, "month"))?, part(intern!(py, "day"))?))
}

/// The microseconds since 1970-01-01 of a `datetime.datetime`: of the instant when it knows its zone, as its
/// clock shows it otherwise. The second value says which.
pub(super) fn micros_of(moment: &Bound<'_, PyAny>) -> PyResult<(i64, bool)> {
    let py = moment.py();
    let shown = days_of(moment)? * DAY + clock_of(moment)?;
    let zone = moment.getattr(intern!(py, "tzinfo"))?;
    if zone.is_none() {
        return Ok((shown, false));
    }
    if zone.is(&classes(py)?.utc) {
        return Ok((shown, true));
    }
    let offset = moment.call_method0(intern!(py, "utcoffset"))?;
    if offset.is_none() { Ok((shown, false)) } else { Ok((shown - duration_of(&offset)?, true)) }
}

/// The microseconds since midnight of a `datetime.time` or `datetime.datetime`.
pub(super) fn clock_of(time: &Bound<'_, PyAny>) -> PyResult<i64> {
    let py = time.py();
    let part = |name| time.getattr(name)?.extract::<i64>();
    let seconds =
        (part(intern!(py, "hour"))? * 60 + part(intern!(py, "minute"))?) * 60 + part(intern!(py, "second"))?;
    Ok(seconds * 1_000_000 + part(intern!(py, "microsecond"))?)
}

/// The microseconds of a `datetime.timedelta`.
pub(super) fn duration_of(delta: &Bound<'_, PyAny>) -> PyResult<i64> {
    let py = delta.py();
    let part = |name| delta.getattr(name)?.extract::<i64>();
    let seconds = part(intern!(py, "days"))? * 86_400 + part(intern!(py, "seconds"))?;
    seconds
        .checked_mul(1_000_000)
        .and_then(|micros| micros.checked_add(part(intern!(py, "microseconds")).ok()?))
        .ok_or_else(|| pyo3::exceptions::PyOverflowError::new_err("a duration beyond 64 bits"))
}

/// The name of a `datetime`'s zone, as Arrow is to know it: `UTC`, a name of the zone database, or `+02:00`.
pub(super) fn zone_name(moment: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let py = moment.py();
    let zone = moment.getattr(intern!(py, "tzinfo"))?;
    if zone.is_none() {
        return Ok(None);
    }
    if zone.is(&classes(py)?.utc) {
        return Ok(Some("UTC".into()));
    }
    if let Ok(key) = zone.getattr(intern!(py, "key")).and_then(|key| key.extract::<String>()) {
        return Ok(Some(key));
    }
    let offset = moment.call_method0(intern!(py, "utcoffset"))?;
    if offset.is_none() {
        return Ok(None);
    }
    let minutes = duration_of(&offset)? / 60_000_000;
    let sign = if minutes < 0 { '-' } else { '+' };
    Ok(Some(format!("{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)))
}

fn made<'py>(
    py: Python<'py>,
    make: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
) -> Result<Bound<'py, PyAny>> {
    make().map_err(|e| crate::failure::error_from_pyerr(py, &e))
}

fn beyond(what: &str) -> Error {
    Error::new(Code::ValueDoesNotFit, format!("A {what} that `datetime` cannot hold"))
        .hint("It knows the years 1 to 9999; take batches instead of rows")
}

/// `+02:00`, `-0530` in seconds.
fn fixed_offset(name: &str) -> Option<i64> {
    let (sign, digits) = match name.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let (hours, minutes) = digits.split_once(':').or_else(|| digits.split_at_checked(2))?;
    let minutes = if minutes.is_empty() { 0 } else { minutes.parse::<i64>().ok()? };
    Some(sign * (hours.parse::<i64>().ok()? * 3600 + minutes * 60))
}

fn clock(micros: i64) -> (i64, i64, i64, i64) {
    let seconds = micros / 1_000_000;
    (seconds / 3600, seconds / 60 % 60, seconds % 60, micros % 1_000_000)
}

/// Year, month and day of a day counted from 1970-01-01, in the years that Python knows. The calendar repeats
/// every 400 years, which are 146,097 days; years are counted from March so that the leap day comes last.
fn civil(days: i64) -> Option<(i64, i64, i64)> {
    if !DAYS.contains(&days) {
        return None;
    }
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    Some((year_of_era + era * 400 + i64::from(month <= 2), month, day))
}

/// The day, counted from 1970-01-01, of a date: [`civil`] the other way round.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}
