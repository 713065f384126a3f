//! The held-out files of the presets that bring one. Read by evaluation only, never imported.

use std::ops::ControlFlow;
use std::path::Path;

use headwater_base::ItemId;

use super::feed::{Encoding, Feed, within};
use super::{Sink, sessions, split};
use crate::TrainingError;

/// The test items of each user of a `split` folder, in the order of the file; a user may come more than once.
///
/// # Errors
/// A file that is missing or that the disk refuses. Lines that cannot be read go to `sink`.
pub fn split_test(path: &Path, sink: &mut Sink<'_>) -> Result<Vec<(String, Vec<ItemId>)>, TrainingError> {
    let file = within(path, split::TEST)?;
    let mut found = Vec::new();
    let mut feed = Feed::new(sink);
    feed.expect(&[&file])?;
    let _: ControlFlow<()> = feed.lines(&file, Encoding::Utf8, &mut |feed, number, line| {
        let mut words = line.split_ascii_whitespace();
        let Some(user) = words.next() else { return ControlFlow::Continue(()) };
        match words.map(ItemId::parse).collect() {
            Ok(items) => found.push((user.to_owned(), items)),
            Err(invalid) => return feed.refuse(number, invalid.to_string()),
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}

/// The cases of a `sessions` folder: the prefix of a session, and the item that came next.
///
/// # Errors
/// A file that is missing or that the disk refuses. Lines that cannot be read go to `sink`.
pub fn sessions_test(path: &Path, sink: &mut Sink<'_>) -> Result<Vec<(Vec<ItemId>, ItemId)>, TrainingError> {
    let file = within(path, sessions::TEST)?;
    let mut found = Vec::new();
    let mut feed = Feed::new(sink);
    feed.expect(&[&file])?;
    let _: ControlFlow<()> = feed.lines(&file, Encoding::Utf8, &mut |feed, number, line| {
        let Some((prefix, next)) = line.split_once('\t') else {
            return feed.refuse(number, "expected a prefix, a tab and the next item");
        };
        let prefix: Result<Vec<ItemId>, _> = prefix.split_ascii_whitespace().map(ItemId::parse).collect();
        match (prefix, ItemId::parse(next.trim())) {
            (Ok(prefix), Ok(next)) => found.push((prefix, next)),
            (Err(invalid), _) | (_, Err(invalid)) => return feed.refuse(number, invalid.to_string()),
        }
        ControlFlow::Continue(())
    })?;
    Ok(found)
}
