//! The table of decisions: one row for each shown item, so that what was shown joins with what came of it on
//! `request_id` and `item` without taking lists apart. What is true of the whole decision stands in each of its rows,
//! where a dictionary keeps it once. A decision that showed nothing has one row without an item.

use compact_str::CompactString;
use headwater_base::{
    Actor, Decision, Event, EventId, Fact, FeatureValue, ItemId, LoggedFeatures, RequestId, Rung, SessionId,
    Shown, Stage, Timestamp, UserId,
};
use parquet::data_type::{FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use serde::{Deserialize, Serialize};

use super::column::{Reading, Writing};
use super::events::{ERASED, fields, need, optional_fields};
use super::text::{self, Reason};
use crate::Offset;

const DECISION: &str = "decision";
const RUNGS: [Rung; 5] = [Rung::Personal, Rung::Neighbours, Rung::Trending, Rung::Popular, Rung::Empty];

pub(super) const SCHEMA: &str = "message decisions {
    REQUIRED INT64 offset;
    REQUIRED INT64 received (TIMESTAMP(MICROS, true));
    REQUIRED INT64 event_time (TIMESTAMP(MICROS, true));
    OPTIONAL BYTE_ARRAY event_id (STRING);
    OPTIONAL BYTE_ARRAY fact (STRING);
    OPTIONAL BYTE_ARRAY request_id (STRING);
    OPTIONAL BYTE_ARRAY user (STRING);
    OPTIONAL BYTE_ARRAY session (STRING);
    OPTIONAL BYTE_ARRAY surface (STRING);
    OPTIONAL BYTE_ARRAY about (STRING);
    OPTIONAL INT32 rank;
    OPTIONAL BYTE_ARRAY item (STRING);
    OPTIONAL FLOAT score;
    OPTIONAL BYTE_ARRAY source (STRING);
    OPTIONAL FLOAT propensity;
    OPTIONAL BYTE_ARRAY features (STRING);
    OPTIONAL BYTE_ARRAY model (STRING);
    OPTIONAL BYTE_ARRAY rung (STRING);
    OPTIONAL BYTE_ARRAY arms (STRING);
    OPTIONAL BYTE_ARRAY context (STRING);
    OPTIONAL BYTE_ARRAY field_types (STRING);
    OPTIONAL BYTE_ARRAY view_offsets (STRING);
    OPTIONAL BYTE_ARRAY settings (STRING);
    OPTIONAL BYTE_ARRAY seed (STRING);
    OPTIONAL BYTE_ARRAY stages (STRING);
    OPTIONAL BYTE_ARRAY feature_schema (STRING);
    OPTIONAL INT64 feature_time (TIMESTAMP(MICROS, true));
    OPTIONAL FLOAT feature_share;
}";
/// Where `user` and `session` stand in [`SCHEMA`].
pub(super) const ACTOR: usize = 6;

/// How many rows the record becomes.
pub(super) fn rows(event: &Event) -> usize {
    match &event.fact {
        Fact::Decision(decision) => {
            let vectors = decision.features.as_ref().map_or(0, |features| features.rows.len());
            decision.items.len().max(vectors).max(1)
        }
        _ => 1,
    }
}

/// What each row of a decision repeats, as text.
struct Texts<'a> {
    decision: &'a Decision,
    context: Option<String>,
    field_types: Option<String>,
    arms: Option<String>,
    view_offsets: String,
    settings: String,
    seed: String,
    stages: String,
    feature_schema: Option<String>,
}

impl<'a> Texts<'a> {
    fn new(event: &'a Event) -> Option<Self> {
        let Fact::Decision(decision) = &event.fact else {
            return None;
        };
        let (context, field_types) = optional_fields(&decision.context);
        let stages: Vec<StageText> = decision.stages.iter().map(StageText::from).collect();
        Some(Self {
            decision,
            context,
            field_types,
            arms: (!decision.arms.is_empty()).then(|| text::json(&decision.arms)),
            view_offsets: text::json(&decision.position),
            settings: format!("{:016x}", decision.settings),
            seed: format!("{:016x}", decision.seed),
            stages: text::json(&stages),
            feature_schema: decision.features.as_ref().map(|features| format!("{:016x}", features.schema)),
        })
    }
}

#[derive(Serialize, Deserialize)]
struct StageText {
    name: CompactString,
    entered: u32,
    left: u32,
    #[serde(default, skip_serializing_if = "CompactString::is_empty")]
    skipped: CompactString,
}

impl From<&Stage> for StageText {
    fn from(stage: &Stage) -> Self {
        let Stage { name, entered, left, skipped } = stage.clone();
        Self { name, entered, left, skipped }
    }
}

/// A row: a record, and which of its items.
struct Line<'a> {
    offset: Offset,
    event: &'a Event,
    texts: Option<&'a Texts<'a>>,
    index: usize,
}

impl<'a> Line<'a> {
    fn decision(&self) -> Option<&'a Decision> {
        self.texts.map(|texts| texts.decision)
    }

    fn shown(&self) -> Option<&'a Shown> {
        self.decision()?.items.get(self.index)
    }

    fn features(&self) -> Option<&'a LoggedFeatures> {
        self.decision()?.features.as_deref()
    }

    fn rank(&self) -> Option<i32> {
        self.shown().and_then(|_| i32::try_from(self.index + 1).ok())
    }
}

/// Writes the records as one row group.
pub(super) fn put(out: &mut Writing<'_>, records: &[(Offset, Event)]) -> Result<(), ParquetError> {
    let texts: Vec<Option<Texts<'_>>> = records.iter().map(|(_, event)| Texts::new(event)).collect();
    let lines: Vec<Line<'_>> = records
        .iter()
        .zip(&texts)
        .flat_map(|((offset, event), texts)| {
            (0..rows(event)).map(move |index| Line { offset: *offset, event, texts: texts.as_ref(), index })
        })
        .collect();
    let decision = || lines.iter().map(Line::decision);
    let repeated = || lines.iter().map(|line| line.texts);
    out.longs(lines.iter().map(|line| line.offset.cast_signed()))?;
    out.longs(lines.iter().map(|line| line.event.received.as_micros()))?;
    out.longs(lines.iter().map(|line| line.event.time.as_micros()))?;
    out.texts(lines.iter().map(|line| Some(&line.event.id)))?;
    out.texts(lines.iter().map(|line| Some(if line.texts.is_some() { DECISION } else { ERASED })))?;
    out.texts(decision().map(|decision| Some(&decision?.request_id)))?;
    out.texts(decision().map(|decision| decision?.actor.user.as_ref()))?;
    out.texts(decision().map(|decision| decision?.actor.session.as_ref()))?;
    out.texts(decision().map(|decision| Some(&decision?.surface)))?;
    out.texts(decision().map(|decision| decision?.item.as_ref()))?;
    out.optional::<Int32Type>(lines.iter().map(Line::rank))?;
    out.texts(lines.iter().map(|line| Some(&line.shown()?.item)))?;
    out.optional::<FloatType>(lines.iter().map(|line| Some(line.shown()?.score)))?;
    out.texts(lines.iter().map(|line| Some(&line.shown()?.source)))?;
    out.optional::<FloatType>(lines.iter().map(|line| Some(line.shown()?.propensity)))?;
    out.texts(lines.iter().map(|line| Some(text::put_features(line.features()?.rows.get(line.index)?))))?;
    out.texts(decision().map(|decision| Some(&decision?.model)))?;
    out.texts(decision().map(|decision| Some(decision?.rung.as_str())))?;
    out.texts(repeated().map(|texts| texts?.arms.as_ref()))?;
    out.texts(repeated().map(|texts| texts?.context.as_ref()))?;
    out.texts(repeated().map(|texts| texts?.field_types.as_ref()))?;
    out.texts(repeated().map(|texts| Some(&texts?.view_offsets)))?;
    out.texts(repeated().map(|texts| Some(&texts?.settings)))?;
    out.texts(repeated().map(|texts| Some(&texts?.seed)))?;
    out.texts(repeated().map(|texts| Some(&texts?.stages)))?;
    out.texts(repeated().map(|texts| texts?.feature_schema.as_ref()))?;
    out.optional::<Int64Type>(lines.iter().map(|line| Some(line.features()?.time.as_micros())))?;
    out.optional::<FloatType>(lines.iter().map(|line| Some(line.features()?.share)))
}

/// The texts of a row, in the order of the schema.
struct Read {
    fact: Option<CompactString>,
    request_id: Option<CompactString>,
    user: Option<CompactString>,
    session: Option<CompactString>,
    surface: Option<CompactString>,
    about: Option<CompactString>,
    model: Option<CompactString>,
    rung: Option<CompactString>,
    arms: Option<CompactString>,
    context: Option<CompactString>,
    field_types: Option<CompactString>,
    view_offsets: Option<CompactString>,
    settings: Option<CompactString>,
    seed: Option<CompactString>,
    stages: Option<CompactString>,
    feature_schema: Option<CompactString>,
    feature_time: Option<i64>,
    feature_share: Option<f32>,
}

impl Read {
    fn fact(self) -> Result<Fact, Reason> {
        let fact = self.fact.unwrap_or_default();
        match fact.as_str() {
            ERASED => return Ok(Fact::Erased),
            DECISION => {}
            other => return Err(format!("`{other}` is no fact of this stream")),
        }
        let rung = need(self.rung, "rung")?;
        let rung = RUNGS.into_iter().find(|known| known.as_str() == rung);
        let stages: Vec<StageText> = text::take_json(&need(self.stages, "stages")?)?;
        let features = self.feature_schema.as_deref().map(|schema| {
            Ok::<_, Reason>(Box::new(LoggedFeatures {
                schema: hash(schema)?,
                time: Timestamp::from_micros(need(self.feature_time, "feature_time")?),
                share: need(self.feature_share, "feature_share")?,
                rows: Vec::new(),
            }))
        });
        Ok(Fact::Decision(Box::new(Decision {
            request_id: RequestId::trusted(need(self.request_id, "request_id")?),
            surface: need(self.surface, "surface")?,
            actor: Actor {
                user: self.user.map(UserId::trusted),
                session: self.session.map(SessionId::trusted),
            },
            item: self.about.map(ItemId::trusted),
            context: fields(self.context.as_deref(), self.field_types.as_deref())?,
            position: text::take_json(&need(self.view_offsets, "view_offsets")?)?,
            model: need(self.model, "model")?,
            settings: hash(&need(self.settings, "settings")?)?,
            arms: self.arms.map_or(Ok(Vec::new()), |arms| text::take_json(&arms))?,
            seed: hash(&need(self.seed, "seed")?)?,
            rung: need(rung, "rung that is known")?,
            items: Vec::new(),
            stages: stages
                .into_iter()
                .map(|StageText { name, entered, left, skipped }| Stage { name, entered, left, skipped })
                .collect(),
            features: features.transpose()?,
        })))
    }
}

fn hash(text: &str) -> Result<u64, Reason> {
    u64::from_str_radix(text, 16).map_err(|_| format!("`{text}` is no hash"))
}

/// Reads what [`put`] wrote.
pub(super) fn take(input: &mut Reading<'_>) -> Result<Vec<(Offset, Event)>, ParquetError> {
    let (offsets, received, times) = (input.longs()?, input.longs()?, input.longs()?);
    let mut texts = Vec::with_capacity(17);
    for _ in 0..7 {
        texts.push(input.texts()?);
    }
    let ranks = input.numbers()?;
    let mut items = input.texts()?;
    let scores = input.floats()?;
    let mut sources = input.texts()?;
    let propensities = input.floats()?;
    let features = input.texts()?;
    for _ in 0..10 {
        texts.push(input.texts()?);
    }
    let (feature_times, feature_shares) = (input.optional_longs()?, input.floats()?);

    let mut records: Vec<(Offset, Event)> = Vec::new();
    for index in 0..input.rows() {
        let offset = offsets[index].cast_unsigned();
        if records.last().is_none_or(|(last, _)| *last != offset) {
            let mut text = |column: usize| texts[column][index].take();
            let id = EventId::trusted(text(0).unwrap_or_default());
            let read = Read {
                fact: text(1),
                request_id: text(2),
                user: text(3),
                session: text(4),
                surface: text(5),
                about: text(6),
                model: text(7),
                rung: text(8),
                arms: text(9),
                context: text(10),
                field_types: text(11),
                view_offsets: text(12),
                settings: text(13),
                seed: text(14),
                stages: text(15),
                feature_schema: text(16),
                feature_time: feature_times[index],
                feature_share: feature_shares[index],
            };
            let event = Event {
                id,
                time: Timestamp::from_micros(times[index]),
                received: Timestamp::from_micros(received[index]),
                fact: read.fact().map_err(ParquetError::General)?,
            };
            records.push((offset, event));
        }
        let Some((_, Event { fact: Fact::Decision(decision), .. })) = records.last_mut() else {
            continue;
        };
        if ranks[index].is_some() {
            let mut shown = || {
                Ok::<_, Reason>(Shown {
                    item: ItemId::trusted(need(items[index].take(), "item")?),
                    score: need(scores[index], "score")?,
                    source: need(sources[index].take(), "source")?,
                    propensity: need(propensities[index], "propensity")?,
                })
            };
            decision.items.push(shown().map_err(ParquetError::General)?);
        }
        if let (Some(logged), Some(vector)) = (&mut decision.features, &features[index]) {
            let vector: Vec<FeatureValue> = text::take_features(vector).map_err(ParquetError::General)?;
            logged.rows.push(vector);
        }
    }
    Ok(records)
}
