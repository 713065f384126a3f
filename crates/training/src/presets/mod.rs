//! Readers of well-known data sets: files in, events out.
//!
//! One reader per preset serves `import`, `evaluate` and `demo`. A reader streams: it hands each event to a sink,
//! together with how far it has come. Ids of events are made from the content and the place of a line, so importing a
//! file twice stores it once. A line that cannot be read is handed over as [`Record::Refused`] and a line that is no
//! interaction by the preset's rules as [`Record::LeftOut`]; nothing vanishes silently and nothing stops the rest.
//!
//! Where the data has no times, interactions are [`STEP`] apart in the order of the file, the first at
//! [`SYNTHETIC_START`]; within one line of `split` the order means nothing.

mod feed;
pub mod held_out;
mod movielens;
mod online_retail;
mod sequence;
mod sessions;
mod split;

use std::fmt;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use compact_str::CompactString;
use headwater_base::schema::{InteractionType, one_of};
use headwater_base::value::FieldType;
use headwater_base::{Event, Invalid, Schema, Timestamp};

use crate::TrainingError;
use feed::Feed;

/// Time of the first interaction where the data has none: 2020-01-01T00:00:00Z.
pub const SYNTHETIC_START: Timestamp = Timestamp::from_seconds(1_577_836_800);
/// Time from one interaction to the next where the data has none.
pub const STEP: Duration = Duration::from_secs(1);

/// A format of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preset {
    /// MovieLens-100K's folder: `u.data` with `u.item` and `u.user` beside it.
    Movielens,
    /// A folder with `train.txt` and `test.txt`, each line `user item item ...`.
    Split,
    /// A file, or a folder with one `.txt`, of `user item` lines in time order.
    Sequence,
    /// A folder with `train_sessions.txt`, one session of items a line.
    Sessions,
    /// UCI Online Retail as CSV, or a folder with one `.csv`.
    OnlineRetail,
}

/// What a reader hands over.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// An event. Its receive time is its event time; whoever imports sets what is true for them.
    Event(Event),
    /// A line that cannot be read.
    Refused(Line),
    /// A line that is readable but no interaction: a return, a cancelled invoice.
    LeftOut(Line),
}

/// A line that gave no event, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Name of the file, without its folder.
    pub file: Arc<str>,
    /// Its number, from 1.
    pub number: u64,
    /// Why.
    pub reason: String,
}

/// How far a reader has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes read of all files.
    pub bytes: u64,
    /// Bytes of all files.
    pub total: u64,
}

/// Takes what a reader hands over; breaks to stop the reading.
pub type Sink<'a> = dyn FnMut(Record, Progress) -> ControlFlow<()> + 'a;

/// What a preset implies about the domain.
struct Domain {
    interaction: &'static str,
    items: &'static [(&'static str, FieldType)],
    users: &'static [(&'static str, FieldType)],
    context: &'static [(&'static str, FieldType)],
    repeats: bool,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 5] =
        [Self::Movielens, Self::Split, Self::Sequence, Self::Sessions, Self::OnlineRetail];

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Movielens => "movielens",
            Self::Split => "split",
            Self::Sequence => "sequence",
            Self::Sessions => "sessions",
            Self::OnlineRetail => "online-retail",
        }
    }

    fn domain(self) -> Domain {
        match self {
            Self::Movielens => movielens::DOMAIN,
            Self::Split => split::DOMAIN,
            Self::Sequence => sequence::DOMAIN,
            Self::Sessions => sessions::DOMAIN,
            Self::OnlineRetail => online_retail::DOMAIN,
        }
    }

    /// The schema its events keep.
    pub fn schema(self) -> Schema {
        let domain = self.domain();
        let fields = |declared: &[(&str, FieldType)]| {
            declared.iter().map(|(name, kind)| (CompactString::from(*name), *kind)).collect()
        };
        Schema {
            interactions: [(domain.interaction.into(), InteractionType { weight: 1.0 })].into(),
            items: fields(domain.items),
            users: fields(domain.users),
            context: fields(domain.context),
            repeats: domain.repeats,
        }
    }

    /// The same as a fragment of `headwater.toml`.
    pub fn settings(self) -> String {
        let domain = self.domain();
        let mut text = format!(
            "[domain]\nrepeats = {}\n\n[interactions.{}]\nweight = 1.0\n",
            domain.repeats, domain.interaction
        );
        for (table, declared) in
            [("items", domain.items), ("users", domain.users), ("context", domain.context)]
        {
            if declared.is_empty() {
                continue;
            }
            // Writing to a String cannot fail.
            let _ = writeln!(text, "\n[{table}.fields]");
            for (name, kind) in declared {
                let _ = writeln!(text, "{name} = \"{}\"", type_name(*kind));
            }
        }
        text
    }
}

fn type_name(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Categorical => "categorical",
        FieldType::Numeric => "numeric",
        FieldType::Tags => "tags",
        FieldType::Text => "text",
        FieldType::Time => "time",
        FieldType::Vector => "vector",
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|preset| preset.name() == text).ok_or_else(|| {
            Invalid::new("unknown_preset", "preset", text, one_of(&Self::ALL.map(Self::name), text))
        })
    }
}

/// Reads the training part of a data set: metadata first, then interactions, in time order where the file is.
/// `movielens` is sorted by time (stable), since its file is shuffled.
///
/// # Errors
/// Files that are missing or that the disk refuses. A sink that breaks is no error.
pub fn read(preset: Preset, path: &Path, sink: &mut Sink<'_>) -> Result<(), TrainingError> {
    let mut feed = Feed::new(sink);
    let flow = match preset {
        Preset::Movielens => movielens::read(path, &mut feed),
        Preset::Split => split::read(path, &mut feed),
        Preset::Sequence => sequence::read(path, &mut feed),
        Preset::Sessions => sessions::read(path, &mut feed),
        Preset::OnlineRetail => online_retail::read(path, &mut feed),
    }?;
    let _: ControlFlow<()> = flow;
    Ok(())
}

#[cfg(test)]
mod tests;
