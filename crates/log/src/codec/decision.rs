//! Decisions. The request id comes first, so that a search reads nothing else; a source's name is written once.

use compact_str::CompactString;
use headwater_base::{Decision, ItemId, RequestId, Rung, Shown, Stage};

use super::wire::{Input, put_text, put_unsigned};
use super::{CodecError, WITH_FEATURES, fact, features, fields};

const HAS_ITEM: u8 = 1 << 2;
const HAS_FEATURES: u8 = 1 << 3;
const ALL_FLAGS: u8 = 0b1111;

/// In the order of their numbers in the record.
pub(super) const RUNGS: [Rung; 5] =
    [Rung::Personal, Rung::Neighbours, Rung::Trending, Rung::Popular, Rung::Empty];

fn rung_number(rung: Rung) -> u8 {
    match rung {
        Rung::Personal => 0,
        Rung::Neighbours => 1,
        Rung::Trending => 2,
        Rung::Popular => 3,
        Rung::Empty => 4,
    }
}

/// Appends `decision`.
pub(super) fn put(out: &mut Vec<u8>, decision: &Decision) {
    put_text(out, decision.request_id.as_str());
    put_text(out, &decision.surface);
    let mut flags = fact::actor_flags(&decision.actor);
    flags |= if decision.item.is_some() { HAS_ITEM } else { 0 };
    flags |= if decision.features.is_some() { HAS_FEATURES } else { 0 };
    out.push(flags);
    fact::put_actor(out, &decision.actor);
    if let Some(item) = &decision.item {
        put_text(out, item.as_str());
    }
    fields::put(out, &decision.context);
    put_unsigned(out, decision.position.len() as u64);
    for offset in &decision.position {
        put_unsigned(out, *offset);
    }
    put_text(out, &decision.model);
    out.extend_from_slice(&decision.settings.to_le_bytes());
    put_unsigned(out, decision.arms.len() as u64);
    for (experiment, arm) in &decision.arms {
        put_text(out, experiment);
        put_text(out, arm);
    }
    out.extend_from_slice(&decision.seed.to_le_bytes());
    out.push(rung_number(decision.rung));
    put_items(out, &decision.items);
    put_unsigned(out, decision.stages.len() as u64);
    for stage in &decision.stages {
        put_text(out, &stage.name);
        put_unsigned(out, u64::from(stage.entered));
        put_unsigned(out, u64::from(stage.left));
        put_text(out, &stage.skipped);
    }
    if let Some(features) = &decision.features {
        features::put(out, features);
    }
}

/// Reads what [`put`] wrote in `version`.
pub(super) fn take(input: &mut Input<'_>, version: u8) -> Result<Decision, CodecError> {
    let request_id = RequestId::trusted(input.compact()?);
    let surface = input.compact()?;
    let flags = input.byte()?;
    let known = if version < WITH_FEATURES { ALL_FLAGS & !HAS_FEATURES } else { ALL_FLAGS };
    if flags & !known != 0 {
        return Err(input.malformed("an unknown part of a decision"));
    }
    let actor = fact::take_actor(input, flags)?;
    let item = if flags & HAS_ITEM != 0 { Some(ItemId::trusted(input.compact()?)) } else { None };
    let context = fields::take(input)?;
    let partitions = input.count(1)?;
    let position = (0..partitions).map(|_| input.unsigned()).collect::<Result<_, _>>()?;
    let model = input.compact()?;
    let settings = input.fixed()?;
    let arms = input.count(2)?;
    let arms = (0..arms).map(|_| Ok((input.compact()?, input.compact()?))).collect::<Result<_, _>>()?;
    let seed = input.fixed()?;
    let rung = RUNGS.get(usize::from(input.byte()?)).copied();
    let rung = rung.ok_or_else(|| input.malformed("an unknown rung"))?;
    let items = take_items(input)?;
    let stages = input.count(4)?;
    let stages = (0..stages).map(|_| take_stage(input)).collect::<Result<_, _>>()?;
    let features = if flags & HAS_FEATURES != 0 { Some(Box::new(features::take(input)?)) } else { None };
    Ok(Decision {
        request_id,
        surface,
        actor,
        item,
        context,
        position,
        model,
        settings,
        arms,
        seed,
        rung,
        items,
        stages,
        features,
    })
}

/// A source is 0 and its name where it is new, else its number among those seen so far, from 1.
fn put_items(out: &mut Vec<u8>, items: &[Shown]) {
    put_unsigned(out, items.len() as u64);
    let mut sources: Vec<&str> = Vec::new();
    for shown in items {
        put_text(out, shown.item.as_str());
        out.extend_from_slice(&shown.score.to_le_bytes());
        if let Some(index) = sources.iter().position(|source| *source == shown.source) {
            put_unsigned(out, index as u64 + 1);
        } else {
            put_unsigned(out, 0);
            put_text(out, &shown.source);
            sources.push(&shown.source);
        }
        out.extend_from_slice(&shown.propensity.to_le_bytes());
    }
}

fn take_items(input: &mut Input<'_>) -> Result<Vec<Shown>, CodecError> {
    let count = input.count(10)?;
    let mut sources: Vec<CompactString> = Vec::new();
    let mut items = Vec::with_capacity(count);
    for _ in 0..count {
        let item = ItemId::trusted(input.compact()?);
        let score = input.float()?;
        let source = match input.count_back(sources.len())? {
            0 => {
                let source = input.compact()?;
                sources.push(source.clone());
                source
            }
            number => sources[number - 1].clone(),
        };
        items.push(Shown { item, score, source, propensity: input.float()? });
    }
    Ok(items)
}

fn take_stage(input: &mut Input<'_>) -> Result<Stage, CodecError> {
    Ok(Stage {
        name: input.compact()?,
        entered: input.small()?,
        left: input.small()?,
        skipped: input.compact()?,
    })
}
