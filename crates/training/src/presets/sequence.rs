//! `sequence`: `user item` lines, each user's in time order; further columns are ignored.

use std::ops::ControlFlow;
use std::path::Path;

use headwater_base::{Actor, ItemId, UserId};

use super::Domain;
use super::feed::{Encoding, Feed, Flow, event_id, interaction, only, synthetic_time};

pub(super) const DOMAIN: Domain =
    Domain { interaction: "visit", items: &[], users: &[], context: &[], repeats: false };

pub(super) fn read(path: &Path, feed: &mut Feed<'_>) -> Flow {
    let file = only(path, "txt")?;
    feed.expect(&[&file])?;
    let mut index = 0;
    feed.lines(&file, Encoding::Utf8, &mut |feed, number, line| {
        let mut words = line.split_ascii_whitespace();
        let (Some(user), Some(item)) = (words.next(), words.next()) else {
            return feed.refuse(number, "expected a user and an item");
        };
        let (user, item) = match (UserId::parse(user), ItemId::parse(item)) {
            (Ok(user), Ok(item)) => (user, item),
            (Err(invalid), _) | (_, Err(invalid)) => return feed.refuse(number, invalid.to_string()),
        };
        let id = event_id("seq", line.as_bytes(), number, 0);
        feed.event(
            id,
            synthetic_time(index),
            interaction(DOMAIN.interaction, Actor::user(user), item, None),
        )?;
        index += 1;
        ControlFlow::Continue(())
    })
}
