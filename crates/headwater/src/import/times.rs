//! Times as files write them.

use std::convert::Infallible;
use std::str::FromStr;

use headwater_base::{Invalid, Timestamp};
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

use super::cell::Cell;

/// How times are written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TimeFormat {
    /// Numbers since 1970 in seconds, milliseconds, microseconds or nanoseconds by their size; else RFC 3339, or
    /// `2026-11-24 05:00:00` in UTC.
    #[default]
    Auto,
    /// RFC 3339 only.
    Rfc3339,
    /// Since 1970, in units of this many microseconds.
    Unix(i64),
    /// A pattern such as `%m/%d/%Y %H:%M`, in UTC where it has no offset.
    Pattern(String),
}

/// From this magnitude on a number counts milliseconds: as seconds it would be past the year 5000.
const FIRST_MILLISECOND: f64 = 1e11;
/// From this magnitude on a number counts microseconds.
const FIRST_MICROSECOND: f64 = 1e14;
/// From this magnitude on a number counts nanoseconds, as data frames write them.
const FIRST_NANOSECOND: f64 = 1e17;

impl FromStr for TimeFormat {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "rfc3339" => Self::Rfc3339,
            "s" => Self::Unix(1_000_000),
            "ms" => Self::Unix(1_000),
            "us" => Self::Unix(1),
            pattern => Self::Pattern(pattern.to_owned()),
        })
    }
}

impl TimeFormat {
    /// Reads a cell as a moment.
    pub fn read(&self, field: &str, cell: &Cell<'_>) -> Result<Timestamp, Invalid> {
        let invalid = || Invalid::new("invalid_time", field, cell.word(), self.expected());
        match (self, cell) {
            (_, Cell::Moment(moment)) => Ok(*moment),
            (Self::Auto, Cell::Integer(number)) => from_number(*number as f64).ok_or_else(invalid),
            (Self::Auto, Cell::Number(number)) => from_number(*number).ok_or_else(invalid),
            (Self::Unix(micros), Cell::Integer(number)) => {
                number.checked_mul(*micros).map(Timestamp::from_micros).ok_or_else(invalid)
            }
            (Self::Unix(micros), Cell::Number(number)) => {
                from_micros(number * *micros as f64).ok_or_else(invalid)
            }
            (_, Cell::Text(text)) => self.read_text(text.trim()).ok_or_else(invalid),
            _ => Err(invalid()),
        }
    }

    fn read_text(&self, text: &str) -> Option<Timestamp> {
        match self {
            Self::Rfc3339 => text.parse().ok(),
            Self::Unix(micros) => match text.parse::<i64>() {
                Ok(number) => number.checked_mul(*micros).map(Timestamp::from_micros),
                Err(_) => text.parse::<f64>().ok().and_then(|number| from_micros(number * *micros as f64)),
            },
            Self::Pattern(pattern) => from_pattern(pattern, text),
            Self::Auto => match text.parse::<f64>() {
                Ok(number) => from_number(number),
                Err(_) => text.parse().ok().or_else(|| {
                    let civil: jiff::civil::DateTime = text.parse().ok()?;
                    utc(civil)
                }),
            },
        }
    }

    fn expected(&self) -> String {
        match self {
            Self::Auto => "an RFC 3339 time, `2026-11-24 05:00:00`, or a number since 1970".to_owned(),
            Self::Rfc3339 => "an RFC 3339 time such as 2026-11-24T05:00:00Z".to_owned(),
            Self::Unix(_) => "a number since 1970 (see --time-format)".to_owned(),
            Self::Pattern(pattern) => format!("a time written as `{pattern}`"),
        }
    }
}

fn from_number(number: f64) -> Option<Timestamp> {
    let scale = match number.abs() {
        size if size < FIRST_MILLISECOND => 1e6,
        size if size < FIRST_MICROSECOND => 1e3,
        size if size < FIRST_NANOSECOND => 1.0,
        _ => 1e-3,
    };
    from_micros(number * scale)
}

fn from_micros(micros: f64) -> Option<Timestamp> {
    // 2^63 microseconds are past the calendar's end; what is not finite or beyond is no time.
    (micros.abs() < 9.2e18).then(|| Timestamp::from_micros(micros.round() as i64))
}

fn from_pattern(pattern: &str, text: &str) -> Option<Timestamp> {
    let parsed = strtime::parse(pattern, text).ok()?;
    if parsed.offset().is_some() {
        return parsed.to_timestamp().ok().map(|moment| Timestamp::from_micros(moment.as_microsecond()));
    }
    let civil = parsed.to_datetime().or_else(|_| parsed.to_date().map(|date| date.at(0, 0, 0, 0))).ok()?;
    utc(civil)
}

fn utc(civil: jiff::civil::DateTime) -> Option<Timestamp> {
    let moment = TimeZone::UTC.to_timestamp(civil).ok()?;
    Some(Timestamp::from_micros(moment.as_microsecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(format: &str, text: &str) -> Result<String, &'static str> {
        let format: TimeFormat = format.parse().unwrap();
        format.read("time", &Cell::text(text)).map(|time| time.to_string()).map_err(|invalid| invalid.code)
    }

    #[test]
    fn every_format_reads_the_same_moment() {
        let expected = Ok("1998-04-04T19:22:22Z".to_owned());
        assert_eq!(read("auto", "891717742"), expected);
        assert_eq!(read("auto", "891717742000"), expected);
        assert_eq!(read("auto", "891717742000000"), expected);
        assert_eq!(read("auto", "891717742000000000"), expected);
        assert_eq!(read("s", "891717742"), expected);
        assert_eq!(read("ms", "891717742000"), expected);
        assert_eq!(read("us", "891717742000000"), expected);
        assert_eq!(read("auto", "1998-04-04T21:22:22+02:00"), expected);
        assert_eq!(read("auto", "1998-04-04 19:22:22"), expected);
        assert_eq!(read("rfc3339", "1998-04-04T19:22:22Z"), expected);
        assert_eq!(read("%m/%d/%Y %H:%M:%S", "04/04/1998 19:22:22"), expected);
        assert_eq!(read("%d.%m.%Y %H:%M:%S %z", "04.04.1998 21:22:22 +0200"), expected);
        assert_eq!(read("%Y-%m-%d", "1998-04-04"), Ok("1998-04-04T00:00:00Z".to_owned()));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for (format, text) in [
            ("auto", "soon"),
            ("auto", "NaN"),
            ("auto", "inf"),
            ("rfc3339", "891717742"),
            ("s", "9e300"),
            ("us", "x"),
            ("%Y", "98"),
            ("%Q!", "1"),
        ] {
            assert_eq!(read(format, text), Err("invalid_time"), "{format} {text}");
        }
    }
}
