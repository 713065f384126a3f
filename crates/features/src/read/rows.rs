//! The values of the features of one request, and in which order they are read.

use std::ops::Range;

use headwater_base::FeatureValue;

use crate::declared::Plan;
use crate::declared::plan::{ReadOp, Source, TilesRead, position};
use crate::tiles::fixed::TilesShape;
use crate::tiles::large::Union;

/// The values of features for the items of one request.
///
/// What does not depend on the item is kept once. Rows that serve again allocate nothing: values are written over those
/// of the request before.
#[derive(Clone, Debug, Default)]
pub struct FeatureRows {
    /// What was asked for, of which plan: what follows of it is kept as long as the same is asked.
    asked: Vec<usize>,
    plan: u64,
    pub(super) shared_reads: Reads,
    pub(super) item_reads: Reads,
    /// For each column, where its value is: in `shared`, or in each row.
    columns: Vec<ColumnPlace>,
    pub(super) shared: Vec<FeatureValue>,
    pub(super) rows: Vec<FeatureValue>,
    items: usize,
    pub(super) scratch: Scratch,
}

/// What serves to read one value after another.
#[derive(Clone, Debug, Default)]
pub(super) struct Scratch {
    /// Words on their way into a value.
    pub(super) words: Vec<u32>,
    pub(super) known: Union,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum ColumnPlace {
    Shared(usize),
    Row(usize),
}

/// What is read into the values of one row; what lies together is read together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reads {
    /// How many values there are.
    pub(crate) width: usize,
    /// The places of the plan that are read.
    pub(crate) places: Vec<usize>,
    /// Windows of fixed tiles, those of one place side by side, with which of `reads` are of them.
    windows: Vec<(WindowOf, Range<usize>)>,
    reads: Vec<WindowRead>,
    /// What is read in other ways.
    pub(crate) others: Vec<OtherRead>,
}

/// A window of the fixed tiles of a place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct WindowOf {
    /// Index into [`Reads::places`].
    pub(crate) place: usize,
    /// Index into the plan's tails.
    pub(crate) tail: usize,
    pub(crate) shape: TilesShape,
}

/// What is made of a window, and which value it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowRead {
    pub(crate) read: ReadOp,
    pub(crate) value: usize,
}

/// A value that is no window of fixed tiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OtherRead {
    pub(crate) source: OtherSource,
    pub(crate) value: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum OtherSource {
    Large(LargeOf),
    /// No aggregate; the column of the plan.
    Moment(usize),
}

/// A window of large tiles, and what is made of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LargeOf {
    /// Index into [`Reads::places`].
    pub(crate) place: usize,
    pub(crate) group: usize,
    /// Index into the plan's tails.
    pub(crate) tail: usize,
    pub(crate) read: ReadOp,
}

impl Reads {
    /// Of these columns of the plan, each into the value of this number.
    pub(crate) fn new(plan: &Plan, columns: impl Iterator<Item = (usize, usize)>) -> Self {
        let mut reads = Self::default();
        let mut of_windows: Vec<(WindowOf, Vec<WindowRead>)> = Vec::new();
        for (value, column) in columns {
            reads.width += 1;
            let Source::Tiles(tiles) = &plan.features[column].source else {
                reads.others.push(OtherRead { source: OtherSource::Moment(column), value });
                continue;
            };
            let TilesRead { place: plan_place, group, tail, shape, read } = *tiles;
            let place = position(&mut reads.places, |place| *place == plan_place, || plan_place);
            match shape {
                Some(shape) => {
                    let of = WindowOf { place, tail, shape };
                    let at = position(&mut of_windows, |(known, _)| *known == of, || (of, Vec::new()));
                    of_windows[at].1.push(WindowRead { read, value });
                }
                None => {
                    let large = LargeOf { place, group, tail, read };
                    reads.others.push(OtherRead { source: OtherSource::Large(large), value });
                }
            }
        }
        of_windows.sort_by_key(|(window, _)| window.place);
        for (window, of_one) in of_windows {
            let first = reads.reads.len();
            reads.reads.extend(of_one);
            reads.windows.push((window, first..reads.reads.len()));
        }
        reads
    }

    /// The windows, and what is read of each.
    #[inline]
    pub(crate) fn windows(&self) -> impl Iterator<Item = (&WindowOf, &[WindowRead])> {
        self.windows.iter().map(|(window, range)| (window, &self.reads[range.clone()]))
    }
}

impl FeatureRows {
    /// Makes room for the values of `columns` for so many items; those there were are still in it.
    pub(super) fn begin(&mut self, plan: &Plan, columns: &[usize], items: usize) {
        if self.asked != columns || self.plan != plan.fingerprint() {
            self.ask(plan, columns);
        }
        self.items = items;
        self.shared.resize(self.shared_reads.width, FeatureValue::Missing);
        self.rows.resize(self.item_reads.width * items, FeatureValue::Missing);
    }

    fn ask(&mut self, plan: &Plan, columns: &[usize]) {
        self.asked.clear();
        self.asked.extend_from_slice(columns);
        self.plan = plan.fingerprint();
        let of_item = |column: &usize| plan.features[*column].of_item;
        self.shared_reads =
            Reads::new(plan, columns.iter().copied().filter(|column| !of_item(column)).enumerate());
        self.item_reads = Reads::new(plan, columns.iter().copied().filter(of_item).enumerate());
        let (mut shared, mut row) = (0.., 0..);
        let place = |column| {
            if of_item(column) {
                row.next().map(ColumnPlace::Row)
            } else {
                shared.next().map(ColumnPlace::Shared)
            }
        };
        self.columns = columns.iter().filter_map(place).collect();
    }

    /// How many items have a row.
    pub fn len(&self) -> usize {
        self.items
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items == 0
    }

    /// The values of an item, in the order of the columns.
    pub fn row(&self, item: usize) -> impl ExactSizeIterator<Item = &FeatureValue> {
        self.columns.iter().map(move |column| self.at(item, *column))
    }

    /// One value.
    pub fn value(&self, item: usize, column: usize) -> &FeatureValue {
        self.at(item, self.columns[column])
    }

    fn at(&self, item: usize, column: ColumnPlace) -> &FeatureValue {
        match column {
            ColumnPlace::Shared(index) => &self.shared[index],
            ColumnPlace::Row(index) => &self.rows[item * self.item_reads.width + index],
        }
    }
}

/// The same values for the same columns.
impl PartialEq for FeatureRows {
    fn eq(&self, other: &Self) -> bool {
        (self.plan, &self.asked, self.items) == (other.plan, &other.asked, other.items)
            && (&self.shared, &self.rows) == (&other.shared, &other.rows)
    }
}
