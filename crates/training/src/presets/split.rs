//! `split`: `train.txt` and `test.txt`, each line a user and their items, without order or time.

use std::ops::ControlFlow;
use std::path::Path;

use headwater_base::{Actor, ItemId, UserId};

use super::Domain;
use super::feed::{Encoding, Feed, Flow, event_id, interaction, synthetic_time, within};

pub(super) const DOMAIN: Domain =
    Domain { interaction: "visit", items: &[], users: &[], context: &[], repeats: false };
/// The part that is imported and trained on.
pub(super) const TRAIN: &str = "train.txt";
/// The part that is held out.
pub(super) const TEST: &str = "test.txt";

pub(super) fn read(path: &Path, feed: &mut Feed<'_>) -> Flow {
    let file = within(path, TRAIN)?;
    feed.expect(&[&file])?;
    let mut index = 0;
    feed.lines(&file, Encoding::Utf8, &mut |feed, number, line| {
        let mut words = line.split_ascii_whitespace();
        let user = match words.next().map(UserId::parse) {
            Some(Ok(user)) => user,
            Some(Err(invalid)) => return feed.refuse(number, invalid.to_string()),
            None => return ControlFlow::Continue(()),
        };
        for (place, word) in words.enumerate() {
            let item = match ItemId::parse(word) {
                Ok(item) => item,
                Err(invalid) => {
                    feed.refuse(number, invalid.to_string())?;
                    continue;
                }
            };
            // Keyed by the user, not the line, so that a file sorted anew gives the same ids.
            let content = key(user.as_str(), word);
            let id = event_id("split", &content, 0, place);
            let fact = interaction(DOMAIN.interaction, Actor::user(user.clone()), item, None);
            feed.event(id, synthetic_time(index), fact)?;
            index += 1;
        }
        ControlFlow::Continue(())
    })
}

/// Two words as one key, without an allocation.
fn key(user: &str, item: &str) -> [u8; 16] {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&xxhash_rust::xxh3::xxh3_64(user.as_bytes()).to_le_bytes());
    key[8..].copy_from_slice(&xxhash_rust::xxh3::xxh3_64(item.as_bytes()).to_le_bytes());
    key
}
