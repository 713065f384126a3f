//! The hop of a window's tail.
//!
//! A window's head slides with the moment of reading; its tail moves in hops, so that an entity keeps one tile for each
//! hop instead of its events. At `now` a window covers the tiles from the one that holds `now - window` on, all of
//! them whole: it is up to one hop longer than asked. The hop follows the window as in Chronon (Airbnb, 2023).

use std::time::Duration;

use headwater_base::Timestamp;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The longest window.
pub const MAX_WINDOW: Duration = Duration::from_secs(730 * DAY);
/// The shortest window: one hop of the finest kind.
pub const MIN_WINDOW: Duration = Duration::from_secs(5 * MINUTE);

/// How wide the tiles of a window are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Hop {
    /// Windows below 12 hours.
    FiveMinutes,
    /// Windows below 12 days.
    Hour,
    /// Longer windows.
    Day,
    /// No window: one tile for everything.
    Whole,
}

impl Hop {
    /// The hop that suits a window.
    pub fn of(window: Option<Duration>) -> Self {
        match window {
            None => Self::Whole,
            Some(window) if window < Duration::from_secs(12 * HOUR) => Self::FiveMinutes,
            Some(window) if window < Duration::from_secs(12 * DAY) => Self::Hour,
            Some(_) => Self::Day,
        }
    }

    const fn micros(self) -> Option<i64> {
        let seconds = match self {
            Self::FiveMinutes => 5 * MINUTE,
            Self::Hour => HOUR,
            Self::Day => DAY,
            Self::Whole => return None,
        };
        Some(seconds as i64 * 1_000_000)
    }

    /// The tile that holds `time`, counted from the epoch; times before it are in tile 0.
    #[inline]
    pub fn tile(self, time: Timestamp) -> u32 {
        // Each arm divides by a constant, which is several times as fast as by a variable.
        let time = time.as_micros().max(0);
        let tile = match self {
            Self::FiveMinutes => time / const { Self::FiveMinutes.micros().unwrap() },
            Self::Hour => time / const { Self::Hour.micros().unwrap() },
            Self::Day => time / const { Self::Day.micros().unwrap() },
            Self::Whole => 0,
        };
        u32::try_from(tile).unwrap_or(u32::MAX)
    }

    /// The tiles between the head's and the tail's for a window.
    pub fn reach(self, window: Option<Duration>) -> u32 {
        match (self.micros(), window) {
            (Some(hop), Some(window)) => {
                u32::try_from(window.as_micros().div_ceil(hop as u128)).unwrap_or(u32::MAX)
            }
            _ => 0,
        }
    }
}

/// The tiles that hold one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tiles([u32; 4]);

impl Tiles {
    #[inline]
    pub(crate) fn at(time: Timestamp) -> Self {
        Self([Hop::FiveMinutes, Hop::Hour, Hop::Day, Hop::Whole].map(|hop| hop.tile(time)))
    }

    #[inline]
    pub(crate) fn of(self, hop: Hop) -> u32 {
        self.0[hop as usize]
    }
}
