//! `sessions`: anonymous sessions in time order, one a line, as items in order.

use std::ops::ControlFlow;
use std::path::Path;

use headwater_base::{Actor, ItemId, SessionId};

use super::Domain;
use super::feed::{Encoding, Feed, Flow, event_id, interaction, synthetic_time, within};

pub(super) const DOMAIN: Domain =
    Domain { interaction: "click", items: &[], users: &[], context: &[], repeats: true };
/// The part that is imported and trained on.
pub(super) const TRAIN: &str = "train_sessions.txt";
/// The part that is held out.
pub(super) const TEST: &str = "test_prefix_label.tsv";

pub(super) fn read(path: &Path, feed: &mut Feed<'_>) -> Flow {
    let file = within(path, TRAIN)?;
    feed.expect(&[&file])?;
    let mut index = 0;
    feed.lines(&file, Encoding::Utf8, &mut |feed, number, line| {
        // The data names no sessions: their line does.
        let session = SessionId::trusted(compact_str::format_compact!("s{number}"));
        for (place, word) in line.split_ascii_whitespace().enumerate() {
            let item = match ItemId::parse(word) {
                Ok(item) => item,
                Err(invalid) => {
                    feed.refuse(number, invalid.to_string())?;
                    continue;
                }
            };
            let id = event_id("session", word.as_bytes(), number, place);
            let fact = interaction(DOMAIN.interaction, Actor::session(session.clone()), item, None);
            feed.event(id, synthetic_time(index), fact)?;
            index += 1;
        }
        ControlFlow::Continue(())
    })
}
