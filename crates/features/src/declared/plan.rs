//! Features compiled: which rows exist, what their tiles hold, how a value is read from them.
//!
//! Features share what they can: those over one entity and one hop lie in the same tiles, and a column is kept once for
//! all features that read it.

use std::time::Duration;

use compact_str::CompactString;
use headwater_base::random::stable_hash;
use headwater_base::{FeatureType, Invalid, Schema};

use super::filter::Filter;
use super::hop::Hop;
use super::{
    Aggregate, AggregateSpec, Attribute, Conditions, Definition, FeatureSpec, FieldRef, Part, TimeFeature,
};
use crate::tiles::column::{Column, Kind};
use crate::tiles::fixed::{TilesLayout, TilesShape};
use crate::tiles::large::{LargeColumn, LargeKind, LargeLayout};
use crate::tiles::pairs::PairsLayout;
use crate::tiles::{GroupLayout, RowLayout};

/// Most different conditions of all features together.
const MAX_FILTERS: usize = 64;

/// All features of a process, compiled.
#[derive(Debug, Default)]
pub struct Plan {
    pub(crate) features: Vec<Compiled>,
    pub(crate) filters: Vec<Filter>,
    /// What [`crate::tiles::Touch::attributes`] holds.
    pub(crate) attributes: Vec<Attribute>,
    /// What [`crate::tiles::Touch::keys`] holds: never a user or a session, which are no words.
    pub(crate) keys: Vec<Part>,
    /// The kinds of entities that have rows.
    pub(crate) tables: Vec<Table>,
    /// Where features read: a table's row, or a pair's below it.
    pub(crate) places: Vec<Place>,
    /// Where the tails of windows are: the hop of the tiles, and how far back, in microseconds.
    pub(crate) tails: Vec<(Hop, Option<i64>)>,
    fingerprint: u64,
}

/// A kind of entity that has rows.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) part: Part,
    /// The key that is the row's word, where the part is a field.
    pub(crate) key: Option<usize>,
    pub(crate) layout: RowLayout,
}

/// Where values are read from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    /// Index into the plan's tables.
    pub(crate) table: usize,
    /// The group of pairs and the key of the second part.
    pub(crate) pair: Option<(usize, usize)>,
    /// Whether it depends on the item.
    pub(crate) of_item: bool,
}

/// A feature as it is read.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) label: CompactString,
    pub(crate) feature_type: FeatureType,
    /// Whether its value depends on the item.
    pub(crate) of_item: bool,
    pub(crate) source: Source,
}

/// Where a value comes from.
#[derive(Debug)]
pub(crate) enum Source {
    Field(FieldRef),
    Time(TimeFeature),
    Tiles(TilesRead),
}

/// A value read from tiles.
#[derive(Debug)]
pub(crate) struct TilesRead {
    /// Index into the plan's places.
    pub(crate) place: usize,
    pub(crate) group: usize,
    /// Index into the plan's tails.
    pub(crate) tail: usize,
    /// Of fixed tiles, how they lie; `None` for large ones.
    pub(crate) shape: Option<TilesShape>,
    pub(crate) read: ReadOp,
}

/// What is made of a window. Numbers are the first words of columns, in large tiles indices of columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum ReadOp {
    Count(usize),
    Sum(usize),
    Mean {
        count: usize,
        sum: usize,
    },
    Rate {
        hits: usize,
        total: usize,
        prior: (f32, f32),
    },
    Decayed {
        column: usize,
        half_life: f64,
    },
    DecayedMean {
        count: usize,
        sum: usize,
        half_life: f64,
    },
    DecayedRate {
        hits: usize,
        total: usize,
        prior: (f32, f32),
        half_life: f64,
    },
    Min(usize),
    Max(usize),
    LastValue(usize),
    /// Column and attribute.
    LastWord(usize, usize),
    SecondsSinceLast(usize),
    SecondsSinceFirst(usize),
    Distinct(usize),
    Quantile(usize, f64),
    /// Column, attribute, how many.
    TopK(usize, usize, usize),
    /// Column, attribute, how many.
    LastN(usize, usize, usize),
}

impl ReadOp {
    /// The attribute of the words that it gives.
    pub(crate) fn attribute(self) -> Option<usize> {
        match self {
            Self::LastWord(_, attribute) | Self::TopK(_, attribute, _) | Self::LastN(_, attribute, _) => {
                Some(attribute)
            }
            _ => None,
        }
    }
}

/// The same definitions in the same order compile to the same plan.
impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }
}

impl Plan {
    /// Compiles features. Their order is that of the columns of a row.
    ///
    /// # Errors
    /// What cannot be computed; fields are named as in the settings.
    pub fn new(specs: &[FeatureSpec], schema: &Schema) -> Result<Self, Invalid> {
        let mut plan = Self::default();
        let mut text = String::new();
        for spec in specs {
            plan.add(spec, schema).map_err(|invalid| invalid.within(&format!("features.{}", spec.name)))?;
            text += &format!("{} {:?}\n", spec.label(), spec.definition);
        }
        plan.finish();
        plan.fingerprint = stable_hash(&text);
        Ok(plan)
    }

    /// A hash of the definitions.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Whether there are no features.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The features by name and version with their types, in the order of the columns.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = (&CompactString, FeatureType)> {
        self.features.iter().map(|feature| (&feature.label, feature.feature_type))
    }

    /// The labels of columns.
    pub fn labels(&self, columns: &[usize]) -> Vec<CompactString> {
        columns.iter().map(|column| self.features[*column].label.clone()).collect()
    }

    /// The column of a feature by its label (`item_ctr_1h@2`) or, of the first version there is, by its name.
    pub fn find(&self, label: &str) -> Option<usize> {
        self.features.iter().position(|feature| {
            let name = feature.label.strip_prefix(label);
            name.is_some_and(|version| version.is_empty() || version.starts_with('@'))
        })
    }

    /// What has to be known to read a feature: the parts of its entity, the item or the user whose field it is. Nothing
    /// for what the moment alone decides.
    pub fn needs(&self, column: usize) -> Vec<Part> {
        match &self.features[column].source {
            Source::Field(field) => vec![Part::Field(field.clone())],
            Source::Time(TimeFeature::ItemAge) => vec![Part::Item],
            Source::Time(_) => Vec::new(),
            Source::Tiles(read) => {
                let place = &self.places[read.place];
                let first = self.tables[place.table].part.clone();
                std::iter::once(first).chain(place.pair.map(|(_, key)| self.keys[key].clone())).collect()
            }
        }
    }

    /// The layout of the rows of a kind of entity; empty where no feature is about it.
    pub(crate) fn layout(&self, part: &Part) -> &RowLayout {
        self.tables.iter().find(|table| table.part == *part).map_or(&NO_ROWS, |table| &table.layout)
    }

    fn add(&mut self, spec: &FeatureSpec, schema: &Schema) -> Result<(), Invalid> {
        let (source, of_item) = match &spec.definition {
            Definition::Field(field) => (Source::Field(field.clone()), matches!(field, FieldRef::Item(_))),
            Definition::Time(time) => self.time(*time)?,
            Definition::Aggregate(aggregate) => {
                let read = self.aggregate(aggregate)?;
                let of_item = self.places[read.place].of_item;
                (Source::Tiles(read), of_item)
            }
        };
        self.features.push(Compiled {
            label: spec.label(),
            feature_type: spec.definition.feature_type(schema),
            of_item,
            source,
        });
        Ok(())
    }

    fn time(&mut self, time: TimeFeature) -> Result<(Source, bool), Invalid> {
        let (TimeFeature::SessionLength | TimeFeature::SessionSeconds) = time else {
            return Ok((Source::Time(time), time == TimeFeature::ItemAge));
        };
        let filter = self.filter(&[], false, &Conditions::default())?;
        let place = self.place(&[Part::Session], &[filter])?;
        let group = self.tiles_group(place, None);
        let read = if time == TimeFeature::SessionLength {
            ReadOp::Count(self.column(place, group, Kind::Count, filter))
        } else {
            ReadOp::SecondsSinceFirst(self.column(place, group, Kind::Earliest, filter))
        };
        let tail = self.tail(None);
        Ok((Source::Tiles(TilesRead { place, group, tail, shape: None, read }), false))
    }

    fn aggregate(&mut self, spec: &AggregateSpec) -> Result<TilesRead, Invalid> {
        let any = self.filter(&spec.types, false, &spec.conditions)?;
        let counted = match &spec.aggregate {
            Aggregate::Mean
            | Aggregate::Min
            | Aggregate::Max
            | Aggregate::Last(Attribute::Value)
            | Aggregate::Quantile(_) => vec![self.filter(&spec.types, true, &spec.conditions)?],
            Aggregate::Rate { total, .. } => vec![any, self.filter(total, false, &spec.conditions)?],
            _ => vec![any],
        };
        let place = self.place(&spec.entity, &counted)?;
        let window = spec.window;
        let large = matches!(
            spec.aggregate,
            Aggregate::Distinct(_)
                | Aggregate::Quantile(_)
                | Aggregate::TopK { .. }
                | Aggregate::LastN { .. }
        );
        let group = if large { self.large_group(place, window) } else { self.tiles_group(place, window) };
        let half_life = spec.decay.map(|decay| decay.as_micros() as f64);
        let count = |plan: &mut Self, filter| {
            let kind = half_life.map_or(Kind::Count, Kind::DecayedCount);
            plan.column(place, group, kind, filter)
        };
        let sum = |plan: &mut Self, filter| {
            let kind = half_life.map_or(Kind::Sum, Kind::DecayedSum);
            plan.column(place, group, kind, filter)
        };
        let read = match &spec.aggregate {
            Aggregate::Count => match (count(self, any), half_life) {
                (column, None) => ReadOp::Count(column),
                (column, Some(half_life)) => ReadOp::Decayed { column, half_life },
            },
            Aggregate::Sum => match (sum(self, any), half_life) {
                (column, None) => ReadOp::Sum(column),
                (column, Some(half_life)) => ReadOp::Decayed { column, half_life },
            },
            Aggregate::Mean => {
                let valued = self.filter(&spec.types, true, &spec.conditions)?;
                let (count, sum) = (count(self, valued), sum(self, valued));
                match half_life {
                    None => ReadOp::Mean { count, sum },
                    Some(half_life) => ReadOp::DecayedMean { count, sum, half_life },
                }
            }
            Aggregate::Rate { total, prior } => {
                let below = self.filter(total, false, &spec.conditions)?;
                let (hits, total, prior) = (count(self, any), count(self, below), *prior);
                match half_life {
                    None => ReadOp::Rate { hits, total, prior },
                    Some(half_life) => ReadOp::DecayedRate { hits, total, prior, half_life },
                }
            }
            Aggregate::Min | Aggregate::Max => {
                let valued = self.filter(&spec.types, true, &spec.conditions)?;
                match spec.aggregate {
                    Aggregate::Min => ReadOp::Min(self.column(place, group, Kind::Min, valued)),
                    _ => ReadOp::Max(self.column(place, group, Kind::Max, valued)),
                }
            }
            Aggregate::Last(Attribute::Value) => {
                let valued = self.filter(&spec.types, true, &spec.conditions)?;
                ReadOp::LastValue(self.column(place, group, Kind::LatestValue, valued))
            }
            Aggregate::Last(of) => {
                let attribute = self.word(of, "last")?;
                ReadOp::LastWord(self.column(place, group, Kind::LatestWord(attribute), any), attribute)
            }
            Aggregate::TimeSince => {
                ReadOp::SecondsSinceLast(self.column(place, group, Kind::LatestValue, any))
            }
            Aggregate::Distinct(of) => {
                let attribute = self.attribute(of);
                ReadOp::Distinct(self.large_column(place, group, LargeKind::Distinct(attribute), any))
            }
            Aggregate::Quantile(at) => {
                let valued = self.filter(&spec.types, true, &spec.conditions)?;
                ReadOp::Quantile(self.large_column(place, group, LargeKind::Quantile, valued), *at)
            }
            Aggregate::TopK { of, k } => {
                let attribute = self.word(of, "top_k")?;
                let column = self.large_column(place, group, LargeKind::Frequent(attribute), any);
                ReadOp::TopK(column, attribute, *k)
            }
            Aggregate::LastN { of, n } => {
                let attribute = self.word(of, "last_n")?;
                let column = self.large_column(place, group, LargeKind::Recent(attribute, *n), any);
                ReadOp::LastN(column, attribute, *n)
            }
        };
        Ok(TilesRead { place, group, tail: self.tail(window), shape: None, read })
    }

    /// An attribute that can be given back as a word.
    fn word(&mut self, of: &Attribute, aggregate: &str) -> Result<usize, Invalid> {
        if matches!(of, Attribute::User | Attribute::Session | Attribute::Value) {
            let expected =
                format!("item or a categorical field: {aggregate} gives words, and shows no user's id");
            return Err(Invalid::new("wrong_argument", "aggregate.of", of, expected));
        }
        Ok(self.attribute(of))
    }

    fn attribute(&mut self, of: &Attribute) -> usize {
        position(&mut self.attributes, |known| known == of, || of.clone())
    }

    fn key(&mut self, part: &Part) -> usize {
        position(&mut self.keys, |known| known == part, || part.clone())
    }

    fn filter(
        &mut self,
        types: &[CompactString],
        with_value: bool,
        conditions: &Conditions,
    ) -> Result<u32, Invalid> {
        let mut types = types.to_vec();
        types.sort_unstable();
        types.dedup();
        let filter = Filter {
            types,
            with_value,
            min_value: conditions.min_value,
            max_value: conditions.max_value,
            context: conditions.context.clone(),
        };
        let bit = position(&mut self.filters, |known| *known == filter, || filter.clone());
        if bit >= MAX_FILTERS {
            let expected = format!("at most {MAX_FILTERS} different sets of types and conditions");
            return Err(Invalid::new("too_many_fields", "where", bit + 1, expected));
        }
        Ok(bit as u32)
    }

    /// The place of an entity, of whose interactions those are `counted` that satisfy one of these filters; the first of a pair
    /// is the part that is nearest to a person.
    fn place(&mut self, entity: &[Part], counted: &[u32]) -> Result<usize, Invalid> {
        let mut parts = entity.to_vec();
        parts.sort_by_key(rank);
        let (first, second) = match parts.as_slice() {
            [first] => (first, None),
            [first, second] if !matches!(second, Part::User | Part::Session) => (first, Some(second)),
            _ => {
                let given: Vec<String> = entity.iter().map(ToString::to_string).collect();
                let expected = "one part, or a pair of which at most one is the user or the session";
                return Err(Invalid::new("wrong_argument", "entity", given.join(" x "), expected));
            }
        };
        let key = matches!(first, Part::Field(_)).then(|| self.key(first));
        let table = position(
            &mut self.tables,
            |table| table.part == *first,
            || Table { part: first.clone(), key, layout: RowLayout::default() },
        );
        let pair = second.map(|second| {
            let key = self.key(second);
            // Items soon are more than a row keeps, and which of them make room must not depend on what other features
            // count. Words of a field are few: all features share their pairs.
            let of_items = *second == Part::Item;
            let counted = if of_items { counted.iter().fold(0, |bits, filter| bits | 1 << filter) } else { 0 };
            let groups = &mut self.tables[table].layout.groups;
            let group = position(
                groups,
                |group| matches!(group, GroupLayout::Pairs(pairs) if (pairs.key, pairs.counted) == (key, counted)),
                || GroupLayout::Pairs(PairsLayout { key, counted, slot: 0, row: RowLayout::default() }),
            );
            (group, key)
        });
        let of_item = parts.iter().any(|part| matches!(part, Part::Item | Part::Field(FieldRef::Item(_))));
        let place = Place { table, pair, of_item };
        Ok(position(&mut self.places, |known| *known == place, || place))
    }

    fn row(&mut self, place: usize) -> &mut RowLayout {
        let Place { table, pair, .. } = self.places[place];
        let layout = &mut self.tables[table].layout;
        match pair {
            None => layout,
            Some((group, _)) => match &mut layout.groups[group] {
                GroupLayout::Pairs(pairs) => &mut pairs.row,
                _ => unreachable!("a place's pair is a group of pairs"),
            },
        }
    }

    fn tail(&mut self, window: Option<Duration>) -> usize {
        let micros = |window: Duration| i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
        let tail = (Hop::of(window), window.map(micros));
        position(&mut self.tails, |known| *known == tail, || tail)
    }

    fn tiles_group(&mut self, place: usize, window: Option<Duration>) -> usize {
        let hop = Hop::of(window);
        let groups = &mut self.row(place).groups;
        let of_hop = |group: &GroupLayout| matches!(group, GroupLayout::Tiles(tiles) if tiles.hop == hop);
        let group = position(groups, of_hop, || GroupLayout::Tiles(TilesLayout::new(hop)));
        if let GroupLayout::Tiles(tiles) = &mut groups[group] {
            tiles.reach = tiles.reach.max(hop.reach(window));
        }
        group
    }

    fn large_group(&mut self, place: usize, window: Option<Duration>) -> usize {
        let hop = Hop::of(window);
        let groups = &mut self.row(place).groups;
        let of_hop = |group: &GroupLayout| matches!(group, GroupLayout::Large(tiles) if tiles.hop == hop);
        let group = position(groups, of_hop, || GroupLayout::Large(LargeLayout::new(hop)));
        if let GroupLayout::Large(tiles) = &mut groups[group] {
            tiles.reach = tiles.reach.max(hop.reach(window));
        }
        group
    }

    /// The first word of a column, which is added where no feature had it yet.
    fn column(&mut self, place: usize, group: usize, kind: Kind, filter: u32) -> usize {
        let GroupLayout::Tiles(tiles) = &mut self.row(place).groups[group] else {
            unreachable!("the group was made of tiles");
        };
        let known = tiles.columns.iter().find(|column| column.kind == kind && column.filter == filter);
        if let Some(column) = known {
            return column.at;
        }
        let at = tiles.width;
        tiles.columns.push(Column { kind, filter, at });
        tiles.width += kind.width();
        at
    }

    fn large_column(&mut self, place: usize, group: usize, kind: LargeKind, filter: u32) -> usize {
        let GroupLayout::Large(tiles) = &mut self.row(place).groups[group] else {
            unreachable!("the group was made of large tiles");
        };
        let column = LargeColumn { kind, filter };
        position(&mut tiles.columns, |known| *known == column, || column.clone())
    }

    fn finish(&mut self) {
        for table in &mut self.tables {
            table.layout.finish();
        }
        for feature in &mut self.features {
            if let Source::Tiles(read) = &mut feature.source {
                let Place { table, pair, .. } = self.places[read.place];
                let layout = layout_of(&self.tables[table].layout, pair);
                if let GroupLayout::Tiles(tiles) = &layout.groups[read.group] {
                    read.shape = Some(tiles.shape());
                }
            }
        }
    }
}

static NO_ROWS: RowLayout = RowLayout { groups: Vec::new(), fixed: 0, filters: 0 };

/// The layout of a table's row, or of the rows of its pairs.
pub(crate) fn layout_of(layout: &RowLayout, pair: Option<(usize, usize)>) -> &RowLayout {
    match pair.map(|(group, _)| &layout.groups[group]) {
        Some(GroupLayout::Pairs(pairs)) => &pairs.row,
        _ => layout,
    }
}

fn rank(part: &Part) -> u8 {
    match part {
        Part::User => 0,
        Part::Session => 1,
        Part::Item => 2,
        Part::Field(FieldRef::User(_)) => 3,
        Part::Field(FieldRef::Item(_)) => 4,
        Part::Field(FieldRef::Context(_)) => 5,
    }
}

/// The position of what `is` finds, or of what `new` makes.
pub(crate) fn position<T>(all: &mut Vec<T>, is: impl Fn(&T) -> bool, new: impl FnOnce() -> T) -> usize {
    all.iter().position(is).unwrap_or_else(|| {
        all.push(new());
        all.len() - 1
    })
}
