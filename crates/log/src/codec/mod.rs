//! The compact encoding of one event, versioned by its first byte.
//!
//! ```text
//! version u8 | id | time zigzag | received - time zigzag | fact tag u8 | fact
//! ```
//!
//! Integers are LEB128 varints, signed ones zigzag; a text is its length and its UTF-8; floats are little endian. The
//! id and the times come first, so that indexing reads them without decoding the fact. A decoder takes any bytes
//! without panicking, refuses versions newer than its own and refuses bytes left over. What a version means never
//! changes: a new layout takes a new version, and `tests/fixtures` keeps a file of each one ever written.

mod decision;
mod fact;
mod features;
mod fields;
#[cfg(test)]
pub(crate) mod tests;
mod wire;

use headwater_base::{Actor, Event, EventId, Fact, SessionId, Timestamp, UserId};
use thiserror::Error;

use wire::{Input, put_signed, put_text};

/// The version this code writes, and the newest it reads.
///
/// 2 added the features of a decision.
pub const VERSION: u8 = 2;

/// The first version in which a decision may carry features.
const WITH_FEATURES: u8 = 2;

/// Bytes that are no event.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// Written by a newer version of Headwater.
    #[error("the record is in format {found}; this version reads up to {VERSION}: upgrade Headwater")]
    Newer {
        /// The record's version byte.
        found: u8,
    },
    /// The bytes end early, run on, or say something impossible.
    #[error("{reason} at byte {at} of the record")]
    Malformed {
        /// What does not add up.
        reason: &'static str,
        /// Where.
        at: usize,
    },
}

/// What indexing needs of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The event's id.
    pub id: &'a str,
    /// When it happened.
    pub time: Timestamp,
    /// When it was received.
    pub received: Timestamp,
}

/// Whose a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// It is about nobody: an item, or what was erased.
    Nobody,
    /// The user it names, the session, or both. A merge names both.
    Somebody {
        /// The user.
        user: Option<&'a str>,
        /// The session.
        session: Option<&'a str>,
    },
    /// It deletes this user.
    Deletion {
        /// The user.
        user: &'a str,
    },
}

impl<'a> Whose<'a> {
    /// Whose the fact is.
    pub fn of(fact: &'a Fact) -> Self {
        let actor = |actor: &'a Actor| Self::Somebody {
            user: actor.user.as_ref().map(UserId::as_str),
            session: actor.session.as_ref().map(SessionId::as_str),
        };
        match fact {
            Fact::Interaction(interaction) => actor(&interaction.actor),
            Fact::Decision(decision) => actor(&decision.actor),
            Fact::UserUpsert { user, .. } => Self::Somebody { user: Some(user.as_str()), session: None },
            Fact::UserDelete { user } => Self::Deletion { user: user.as_str() },
            Fact::Merge { session, user } => {
                Self::Somebody { user: Some(user.as_str()), session: Some(session.as_str()) }
            }
            Fact::ItemUpsert { .. } | Fact::ItemDelete { .. } | Fact::Erased => Self::Nobody,
        }
    }
}

/// Appends the encoding of `event` to `out`.
pub fn encode(event: &Event, out: &mut Vec<u8>) {
    out.push(VERSION);
    put_text(out, event.id.as_str());
    put_signed(out, event.time.as_micros());
    put_signed(out, event.received.as_micros().wrapping_sub(event.time.as_micros()));
    fact::put(out, &event.fact);
}

/// Reads an event back.
pub fn decode(bytes: &[u8]) -> Result<Event, CodecError> {
    let mut input = Input::new(bytes);
    let (version, head) = head(&mut input)?;
    let id = EventId::trusted(head.id);
    let fact = fact::take(&mut input, version)?;
    input.finish()?;
    Ok(Event { id, time: head.time, received: head.received, fact })
}

/// Reads only the id and the times.
pub fn peek(bytes: &[u8]) -> Result<Head<'_>, CodecError> {
    head(&mut Input::new(bytes)).map(|(_, head)| head)
}

/// The request id of a decision, without decoding the rest; `None` for any other fact.
pub fn peek_request_id(bytes: &[u8]) -> Result<Option<&str>, CodecError> {
    let mut input = Input::new(bytes);
    head(&mut input)?;
    fact::take_request_id(&mut input)
}

/// Whose the record is, without decoding the rest.
pub fn peek_whose(bytes: &[u8]) -> Result<Whose<'_>, CodecError> {
    let mut input = Input::new(bytes);
    head(&mut input)?;
    fact::take_whose(&mut input)
}

/// The version of the record, and its head.
fn head<'a>(input: &mut Input<'a>) -> Result<(u8, Head<'a>), CodecError> {
    let version = match input.byte()? {
        0 => return Err(input.malformed("version 0 does not exist")),
        version @ 1..=VERSION => version,
        found => return Err(CodecError::Newer { found }),
    };
    let id = input.text()?;
    let time = input.signed()?;
    let received = time.wrapping_add(input.signed()?);
    let (time, received) = (Timestamp::from_micros(time), Timestamp::from_micros(received));
    Ok((version, Head { id, time, received }))
}
