//! Facts: a tag byte and what it announces.

use headwater_base::{Actor, Fact, Interaction, ItemId, RequestId, SessionId, UserId};

use super::wire::{Input, put_text};
use super::{CodecError, Whose, decision, fields};

const INTERACTION: u8 = 1;
const ITEM_UPSERT: u8 = 2;
const ITEM_DELETE: u8 = 3;
const USER_UPSERT: u8 = 4;
const USER_DELETE: u8 = 5;
const MERGE: u8 = 6;
const DECISION: u8 = 7;
const ERASED: u8 = 8;

const HAS_USER: u8 = 1;
const HAS_SESSION: u8 = 1 << 1;
const HAS_VALUE: u8 = 1 << 2;
const HAS_REQUEST: u8 = 1 << 3;
const HAS_CONTEXT: u8 = 1 << 4;
const ALL_FLAGS: u8 = HAS_USER | HAS_SESSION | HAS_VALUE | HAS_REQUEST | HAS_CONTEXT;

/// Appends the tag and the body of `fact`.
pub(super) fn put(out: &mut Vec<u8>, fact: &Fact) {
    match fact {
        Fact::Interaction(interaction) => {
            out.push(INTERACTION);
            put_interaction(out, interaction);
        }
        Fact::ItemUpsert { item, fields, removed, available, patch } => {
            out.push(ITEM_UPSERT);
            put_text(out, item.as_str());
            out.push(u8::from(*patch));
            out.push(available.map_or(2, u8::from));
            fields::put(out, fields);
            fields::put_names(out, removed);
        }
        Fact::ItemDelete { item } => {
            out.push(ITEM_DELETE);
            put_text(out, item.as_str());
        }
        Fact::UserUpsert { user, fields, removed, patch } => {
            out.push(USER_UPSERT);
            put_text(out, user.as_str());
            out.push(u8::from(*patch));
            fields::put(out, fields);
            fields::put_names(out, removed);
        }
        Fact::UserDelete { user } => {
            out.push(USER_DELETE);
            put_text(out, user.as_str());
        }
        Fact::Merge { session, user } => {
            out.push(MERGE);
            put_text(out, session.as_str());
            put_text(out, user.as_str());
        }
        Fact::Decision(decision) => {
            out.push(DECISION);
            decision::put(out, decision);
        }
        Fact::Erased => out.push(ERASED),
    }
}

/// Reads what [`put`] wrote in `version`.
pub(super) fn take(input: &mut Input<'_>, version: u8) -> Result<Fact, CodecError> {
    Ok(match input.byte()? {
        INTERACTION => Fact::Interaction(take_interaction(input)?),
        ITEM_UPSERT => {
            let item = ItemId::trusted(input.compact()?);
            let patch = input.flag()?;
            let available = match input.byte()? {
                0 => Some(false),
                1 => Some(true),
                2 => None,
                _ => return Err(input.malformed("an unknown availability")),
            };
            let fields = fields::take(input)?;
            Fact::ItemUpsert { item, fields, removed: fields::take_names(input)?, available, patch }
        }
        ITEM_DELETE => Fact::ItemDelete { item: ItemId::trusted(input.compact()?) },
        USER_UPSERT => {
            let user = UserId::trusted(input.compact()?);
            let patch = input.flag()?;
            let fields = fields::take(input)?;
            Fact::UserUpsert { user, fields, removed: fields::take_names(input)?, patch }
        }
        USER_DELETE => Fact::UserDelete { user: UserId::trusted(input.compact()?) },
        MERGE => {
            let session = SessionId::trusted(input.compact()?);
            Fact::Merge { session, user: UserId::trusted(input.compact()?) }
        }
        DECISION => Fact::Decision(Box::new(decision::take(input, version)?)),
        ERASED => Fact::Erased,
        _ => return Err(input.malformed("an unknown kind of fact")),
    })
}

/// Reads the request id, if the fact is a decision.
pub(super) fn take_request_id<'a>(input: &mut Input<'a>) -> Result<Option<&'a str>, CodecError> {
    if input.byte()? == DECISION { input.text().map(Some) } else { Ok(None) }
}

/// Reads whose the fact is, and nothing after that.
pub(super) fn take_whose<'a>(input: &mut Input<'a>) -> Result<Whose<'a>, CodecError> {
    Ok(match input.byte()? {
        INTERACTION => {
            let flags = input.byte()?;
            input.text()?;
            take_someone(input, flags)?
        }
        DECISION => {
            input.text()?;
            input.text()?;
            let flags = input.byte()?;
            take_someone(input, flags)?
        }
        USER_UPSERT => Whose::Somebody { user: Some(input.text()?), session: None },
        USER_DELETE => Whose::Deletion { user: input.text()? },
        MERGE => Whose::Somebody { session: Some(input.text()?), user: Some(input.text()?) },
        ITEM_UPSERT | ITEM_DELETE | ERASED => Whose::Nobody,
        _ => return Err(input.malformed("an unknown kind of fact")),
    })
}

fn take_someone<'a>(input: &mut Input<'a>, flags: u8) -> Result<Whose<'a>, CodecError> {
    let user = when(flags & HAS_USER != 0, || input.text())?;
    let session = when(flags & HAS_SESSION != 0, || input.text())?;
    Ok(Whose::Somebody { user, session })
}

/// The flag bits of the parts `actor` has.
pub(super) fn actor_flags(actor: &Actor) -> u8 {
    let user = if actor.user.is_some() { HAS_USER } else { 0 };
    let session = if actor.session.is_some() { HAS_SESSION } else { 0 };
    user | session
}

/// Appends the parts `actor` has.
pub(super) fn put_actor(out: &mut Vec<u8>, actor: &Actor) {
    if let Some(user) = &actor.user {
        put_text(out, user.as_str());
    }
    if let Some(session) = &actor.session {
        put_text(out, session.as_str());
    }
}

/// Reads the parts that `flags` announce.
pub(super) fn take_actor(input: &mut Input<'_>, flags: u8) -> Result<Actor, CodecError> {
    let user = when(flags & HAS_USER != 0, || input.compact().map(UserId::trusted))?;
    let session = when(flags & HAS_SESSION != 0, || input.compact().map(SessionId::trusted))?;
    Ok(Actor { user, session })
}

fn put_interaction(out: &mut Vec<u8>, interaction: &Interaction) {
    let mut flags = actor_flags(&interaction.actor);
    for (present, flag) in [
        (interaction.value.is_some(), HAS_VALUE),
        (interaction.request_id.is_some(), HAS_REQUEST),
        (!interaction.context.is_empty(), HAS_CONTEXT),
    ] {
        flags |= if present { flag } else { 0 };
    }
    out.push(flags);
    put_text(out, &interaction.kind);
    put_actor(out, &interaction.actor);
    put_text(out, interaction.item.as_str());
    if let Some(value) = interaction.value {
        out.extend_from_slice(&value.to_le_bytes());
    }
    if let Some(request_id) = &interaction.request_id {
        put_text(out, request_id.as_str());
    }
    if !interaction.context.is_empty() {
        fields::put(out, &interaction.context);
    }
}

fn take_interaction(input: &mut Input<'_>) -> Result<Interaction, CodecError> {
    let flags = input.byte()?;
    if flags & !ALL_FLAGS != 0 {
        return Err(input.malformed("an unknown part of an interaction"));
    }
    let kind = input.compact()?;
    let actor = take_actor(input, flags)?;
    let item = ItemId::trusted(input.compact()?);
    let value = when(flags & HAS_VALUE != 0, || input.float())?;
    let request_id = when(flags & HAS_REQUEST != 0, || input.compact().map(RequestId::trusted))?;
    let context = when(flags & HAS_CONTEXT != 0, || fields::take(input))?.unwrap_or_default();
    Ok(Interaction { kind, actor, item, value, request_id, context })
}

fn when<T>(present: bool, take: impl FnOnce() -> Result<T, CodecError>) -> Result<Option<T>, CodecError> {
    if present { take().map(Some) } else { Ok(None) }
}
