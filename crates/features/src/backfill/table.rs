//! The values of many moments, column by column.

use headwater_base::{FeatureType, FeatureValue};

use super::reads::RowReads;
use super::taken::{AllTaken, Order};
use crate::Replay;
use crate::declared::Plan;
use crate::declared::plan::Source;
use crate::read::TileValue;
use crate::tiles::NO_WORD;

/// What features were at many moments: a row for each, of words their numbers.
///
/// Made by [`Replay::table`] and filled by [`Replay::backfill`], again and again.
#[derive(Debug)]
pub struct FeatureTable {
    /// What was asked for.
    pub(super) columns: Vec<usize>,
    pub(super) values: Values,
    /// By table of the plan.
    pub(super) reads: Vec<RowReads>,
    /// Columns of the plan that are no aggregates, and which of the values they are.
    pub(super) moments: Vec<(usize, usize)>,
    pub(super) taken: AllTaken,
    pub(super) order: Order,
}

/// The columns: a cell for each row.
#[derive(Debug)]
pub(super) struct Values {
    forms: Vec<Form>,
    cells: Vec<Vec<u32>>,
    rows: usize,
    /// The cells of rows that are not in the columns yet, row by row: what one interaction met is written to one place.
    open: Vec<u32>,
    /// Words on their way into a list.
    words: Vec<u32>,
    /// Copies of tiles from which values are read.
    pub(super) copies: Vec<u32>,
    /// Lists of words, each after its length.
    lists: Vec<u32>,
    others: Vec<FeatureValue>,
}

/// What the cells of a column are.
#[derive(Clone, Copy, Debug)]
enum Form {
    /// The bits of a number.
    Number,
    /// A word of this attribute.
    Word(usize),
    /// Where a list of them is.
    Words(usize),
    /// Where a value is that is no aggregate.
    Other,
}

/// What stands for a value that is missing: the bits of no finite number, and no word.
const MISSING: u32 = NO_WORD;

impl FeatureTable {
    pub(super) fn new(plan: &Plan, columns: &[usize]) -> Self {
        let of_table = |table: usize| {
            let columns = columns.iter().enumerate().filter_map(move |(value, column)| {
                match &plan.features[*column].source {
                    Source::Tiles(read) if plan.places[read.place].table == table => Some((value, read)),
                    _ => None,
                }
            });
            RowReads::new(plan, &plan.tables[table].layout, columns)
        };
        let others = columns.iter().copied().enumerate().filter(|(_, column)| {
            matches!(plan.features[*column].source, Source::Field(_) | Source::Time(_))
        });
        Self {
            columns: columns.to_vec(),
            values: Values::new(columns.iter().map(|column| Form::of(plan, *column)).collect()),
            reads: (0..plan.tables.len()).map(of_table).collect(),
            moments: others.map(|(value, column)| (column, value)).collect(),
            taken: AllTaken::default(),
            order: Order::default(),
        }
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.values.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.rows == 0
    }

    /// The numbers of a column by row, not a number where one is missing; `None` for a column of words.
    pub fn numbers(&self, column: usize) -> Option<impl ExactSizeIterator<Item = f32>> {
        let cells = self.values.cells[column].iter();
        matches!(self.values.forms[column], Form::Number).then(|| cells.map(|cell| f32::from_bits(*cell)))
    }

    /// One value; `replay` is the one that filled the table, and knows its words.
    pub fn value(&self, replay: &Replay, row: usize, column: usize) -> FeatureValue {
        let Values { forms, cells, lists, others, .. } = &self.values;
        let text = |attribute: usize, word: u32| {
            replay.state.tables.text(attribute, word, replay.state.catalogue.current())
        };
        let cell = cells[column][row];
        if cell == MISSING {
            return FeatureValue::Missing;
        }
        match forms[column] {
            Form::Number => FeatureValue::number(f32::from_bits(cell)),
            Form::Word(attribute) => text(attribute, cell).map_or(FeatureValue::Missing, FeatureValue::Word),
            Form::Words(attribute) => {
                let (length, words) = lists[cell as usize..].split_first().unwrap_or((&0, &[]));
                let words = words[..*length as usize].iter();
                FeatureValue::Words(words.filter_map(|word| text(attribute, *word)).collect())
            }
            Form::Other => others[cell as usize].clone(),
        }
    }
}

/// How many rows are put into the columns at once: few enough to stay near from one column to the next.
const ROWS: usize = 32;

impl Values {
    fn new(forms: Vec<Form>) -> Self {
        let cells = forms.iter().map(|_| Vec::new()).collect();
        let [open, words, copies, lists] = [const { Vec::new() }; 4];
        Self { forms, cells, rows: 0, open, words, copies, lists, others: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.cells.iter_mut().for_each(Vec::clear);
        self.lists.clear();
        self.others.clear();
    }

    /// Opens a row, in which everything is missing.
    pub(super) fn open(&mut self) {
        let width = self.forms.len();
        self.open.resize(self.open.len() + width, MISSING);
    }

    /// Puts the open rows into the columns.
    pub(super) fn close(&mut self) {
        let width = self.forms.len();
        let Some(rows) = self.open.len().checked_div(width) else { return };
        self.cells.iter_mut().for_each(|cells| cells.resize(self.rows + rows, MISSING));
        for rows in self.open.chunks(ROWS * width) {
            for (column, cells) in self.cells.iter_mut().enumerate() {
                let new = cells[self.rows..].iter_mut().zip(rows[column..].iter().step_by(width));
                new.for_each(|(cell, value)| *cell = *value);
            }
            self.rows += rows.len() / width;
        }
        self.open.clear();
    }

    /// Writes a value of fixed tiles into an open row.
    #[inline]
    pub(super) fn set(&mut self, row: usize, column: usize, value: TileValue) {
        self.open[row * self.forms.len() + column] = cell_of(value).unwrap_or(MISSING);
    }

    /// Writes a value that `read` reads, several words to where it is told.
    pub(super) fn set_large(
        &mut self,
        row: usize,
        column: usize,
        read: impl FnOnce(&mut Vec<u32>) -> TileValue,
    ) {
        let mut words = std::mem::take(&mut self.words);
        let value = read(&mut words);
        let cell = cell_of(value).unwrap_or_else(|| self.list(words.iter().copied()));
        self.open[row * self.forms.len() + column] = cell;
        self.words = words;
    }

    /// The open rows, how wide they are, and the copies.
    #[inline]
    pub(super) fn open_and_copies(&mut self) -> (&mut [u32], usize, &[u32]) {
        (&mut self.open, self.forms.len(), &self.copies)
    }

    /// Writes a value that is none of tiles into the row that was opened last.
    pub(super) fn set_other(&mut self, column: usize, value: FeatureValue) {
        let at = self.open.len() - self.forms.len() + column;
        self.open[at] = self.others.len() as u32;
        self.others.push(value);
    }

    /// Adds a row of values whose words have these numbers.
    pub(super) fn push_row<'v>(
        &mut self,
        values: impl Iterator<Item = &'v FeatureValue>,
        number: impl Fn(usize, &str) -> Option<u32>,
    ) {
        self.open();
        let start = self.open.len() - self.forms.len();
        for (column, value) in values.enumerate() {
            let cell = match (self.forms[column], value) {
                (Form::Number, FeatureValue::Number(number)) => number.to_bits(),
                (Form::Word(attribute), FeatureValue::Word(word)) => {
                    number(attribute, word).unwrap_or(MISSING)
                }
                (Form::Words(attribute), FeatureValue::Words(words)) => {
                    self.list(words.iter().filter_map(|word| number(attribute, word)))
                }
                (Form::Other, value) => {
                    self.others.push(value.clone());
                    self.others.len() as u32 - 1
                }
                _ => MISSING,
            };
            self.open[start + column] = cell;
        }
        self.close();
    }

    fn list(&mut self, words: impl Iterator<Item = u32>) -> u32 {
        let start = self.lists.len();
        self.lists.push(0);
        self.lists.extend(words);
        self.lists[start] = (self.lists.len() - start - 1) as u32;
        start as u32
    }
}

/// What is written for a value; `None` for several words.
#[inline]
pub(super) fn cell_of(value: TileValue) -> Option<u32> {
    match value {
        TileValue::Missing => Some(MISSING),
        TileValue::Number(number) => Some(number.to_bits()),
        TileValue::Word(word) => Some(word),
        TileValue::Words => None,
    }
}

impl Form {
    fn of(plan: &Plan, column: usize) -> Self {
        let feature = &plan.features[column];
        let Source::Tiles(read) = &feature.source else { return Self::Other };
        match (feature.feature_type, read.read.attribute()) {
            (FeatureType::Word, Some(attribute)) => Self::Word(attribute),
            (FeatureType::Words, Some(attribute)) => Self::Words(attribute),
            _ => Self::Number,
        }
    }
}
