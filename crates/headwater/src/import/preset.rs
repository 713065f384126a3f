//! Well-known data sets, read by the very readers that `evaluate` uses.

use std::ops::ControlFlow;
use std::path::Path;

use headwater_base::Schema;
use headwater_training::presets::{Preset, Record, read as read_preset};

use super::ImportError;
use super::feed::Feed;

/// Reads the data set at `path` into `feed`.
///
/// # Errors
/// Files that are missing or not what the preset expects; the feed ended.
pub fn read(preset: Preset, path: &Path, feed: &mut Feed) -> Result<(), ImportError> {
    let mut ended = Ok(());
    read_preset(preset, path, &mut |record, progress| {
        feed.reached(progress.bytes);
        feed.total(progress.total);
        let taken = match record {
            Record::Event(mut event) => {
                event.received = feed.received();
                feed.take(0, Ok(event), String::new)
            }
            Record::Refused(line) => feed.refuse(line.number, line.reason, line.file.to_string()),
            Record::LeftOut(line) => feed.leave_out(line.reason),
        };
        match taken {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                ended = Err(error);
                ControlFlow::Break(())
            }
        }
    })?;
    ended
}

/// What `schema` lacks of what the preset's events need, as lines of `headwater.toml`; empty where nothing is missing.
pub fn missing(preset: Preset, schema: &Schema) -> Vec<String> {
    let needed = preset.schema();
    let mut lines: Vec<String> = needed
        .interactions
        .keys()
        .filter(|name| !schema.interactions.contains_key(*name))
        .map(|name| format!("[interactions.{name}]"))
        .collect();
    for (table, needed, declared) in [
        ("items", &needed.items, &schema.items),
        ("users", &needed.users, &schema.users),
        ("context", &needed.context, &schema.context),
    ] {
        for (name, kind) in needed {
            if declared.get(name) != Some(kind) {
                lines.push(format!("{table}.fields.{name} ({})", kind.expected()));
            }
        }
    }
    lines
}
