//! Names within the archive: which stream, which day, which offset comes first.
//!
//! ```text
//! events/day=2026-11-24/00000-00000000000000000000.parquet       partition, first offset
//! decisions/day=2026-11-24/00000-00000000000000000000.parquet
//! events/_archived.json                                          how far, once retention deleted files
//! ```
//!
//! `day=` is how Polars, DuckDB and Spark spell a partition column; all of them leave names alone that begin with `_`.
//! A name is fixed by where its file begins, so two writers that begin at the same place cannot both succeed.

use std::fmt;

use headwater_base::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use object_store::path::Path;

use crate::{Offset, Partition};

const DAY_MICROS: i64 = 86_400_000_000;

/// What is archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// The event log.
    Events,
    /// The stream of decisions.
    Decisions,
}

impl Stream {
    /// Both streams.
    pub const ALL: [Self; 2] = [Self::Events, Self::Decisions];

    /// The folder's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Decisions => "decisions",
        }
    }

    pub(super) fn folder(self) -> Path {
        Path::from(self.as_str())
    }

    /// Where it is written how far the stream was archived, for when its files are gone.
    pub(super) fn marker(self) -> Path {
        Path::from(format!("{}/_archived.json", self.as_str()))
    }
}

impl fmt::Display for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A day in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Day(Date);

impl Day {
    /// The day that `moment` is in; the first or last of the calendar for what is beyond it.
    pub(super) fn of(moment: Timestamp) -> Self {
        let beyond = if moment.as_micros() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        let moment = jiff::Timestamp::from_microsecond(moment.as_micros()).unwrap_or(beyond);
        Self(TimeZone::UTC.to_datetime(moment).date())
    }

    /// Its first moment.
    pub(super) fn start(self) -> Timestamp {
        let moment = TimeZone::UTC.to_timestamp(self.0.to_datetime(jiff::civil::Time::midnight()));
        Timestamp::from_micros(moment.map_or(i64::MAX, jiff::Timestamp::as_microsecond))
    }

    /// The first moment after it.
    pub(super) fn end(self) -> Timestamp {
        Timestamp::from_micros(self.start().as_micros().saturating_add(DAY_MICROS))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where a file stands: a day, a partition and the first offset it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) stream: Stream,
    pub(super) day: Day,
    pub(super) partition: Partition,
    pub(super) first: Offset,
}

impl Place {
    pub(super) fn path(&self) -> Path {
        let Self { stream, day, partition, first } = self;
        Path::from(format!("{stream}/day={day}/{:05}-{first:020}.parquet", partition.0))
    }

    /// Takes a path apart; `None` for one that the archive did not make.
    pub(super) fn of(stream: Stream, path: &Path) -> Option<Self> {
        let mut parts = path.as_ref().strip_prefix(stream.as_str())?.strip_prefix('/')?.split('/');
        let (day, name, rest) = (parts.next()?, parts.next()?, parts.next());
        let (partition, first) = name.strip_suffix(".parquet")?.split_once('-')?;
        let place = Self {
            stream,
            day: Day(day.strip_prefix("day=")?.parse().ok()?),
            partition: Partition(partition.parse().ok()?),
            first: first.parse().ok()?,
        };
        (rest.is_none() && place.path() == *path).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_back_from_its_path() {
        let received: Timestamp = "2026-11-24T23:59:59.999999Z".parse().unwrap();
        let place =
            Place { stream: Stream::Events, day: Day::of(received), partition: Partition(3), first: 1234 };
        let path = place.path();
        assert_eq!(path.as_ref(), "events/day=2026-11-24/00003-00000000000000001234.parquet");
        assert_eq!(Place::of(Stream::Events, &path), Some(place));
        for other in [
            "decisions/day=2026-11-24/00003-00000000000000001234.parquet",
            "events/day=2026-13-24/00003-00000000000000001234.parquet",
            "events/day=2026-11-24/3-1234.parquet",
            "events/day=2026-11-24/00003-00000000000000001234.csv",
            "events/day=2026-11-24/more/00003-00000000000000001234.parquet",
            "events/_archived.json",
        ] {
            assert_eq!(Place::of(Stream::Events, &Path::from(other)), None, "{other}");
        }
    }

    #[test]
    fn a_day_ends_where_the_next_begins() {
        for micros in [-1, 0, DAY_MICROS - 1, DAY_MICROS, 1_764_000_000_000_000, i64::MIN, i64::MAX] {
            let day = Day::of(Timestamp::from_micros(micros));
            assert_eq!(day.end().as_micros(), day.start().as_micros().saturating_add(DAY_MICROS), "{micros}");
        }
        let day = Day::of(Timestamp::from_micros(DAY_MICROS - 1));
        assert_eq!(day, Day::of(Timestamp::EPOCH));
        assert_eq!(Day::of(day.end()).start(), day.end());
        assert!(Day::of(day.end()) > day);
    }
}
