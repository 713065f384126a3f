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
    /// The cells of rows that are not in the columns yet, row by row: what one interaction met is written to one place. How many
    /// there are, and room for some more.
    open: (usize, Vec<u32>),
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
        Self { forms, cells, rows: 0, open: (0, open), words, copies, lists, others: Vec::new() }
    }

    pub(super) fn clear(&mut self) {
        self.rows = 0;
        self.cells.iter_mut().for_each(Vec::clear);
        self.lists.clear();
        self.others.clear();
    }

    /// Opens a row, in which everything is missing.
    #[inline]
    pub(super) fn open(&mut self) {
        let (width, (rows, cells)) = (self.forms.len(), &mut self.open);
        *rows += 1;
        if cells.len() < *rows * width {
            cells.resize(cells.len() + ROWS * width, MISSING);
        }
    }

    /// Puts the open rows into the columns.
    pub(super) fn close(&mut self) {
        let (width, (rows, open)) = (self.forms.len(), &mut self.open);
        let (start, end) = (self.rows, self.rows + *rows);
        self.cells.iter_mut().for_each(|cells| cells.resize(end, MISSING));
        for (number, rows) in open[..*rows * width].chunks(ROWS * width.max(1)).enumerate() {
            for (column, cells) in self.cells.iter_mut().enumerate() {
                let cells = cells[start + ROWS * number..].iter_mut();
                let new = cells.zip(rows[column..].iter().step_by(width));
                new.for_each(|(cell, value)| *cell = *value);
            }
        }
        self.rows = end;
        *rows = 0;
        open.clear();
    }

    /// The cells of an open row.
    #[inline]
    pub(super) fn row(&mut self, row: usize) -> &mut [u32] {
        let width = self.forms.len();
        &mut self.open.1[row * width..(row + 1) * width]
    }

    /// The cells of the open rows, how many a row has, and the copies.
    #[inline]
    pub(super) fn rows_and_copies(&mut self) -> (&mut [u32], usize, &[u32]) {
        (&mut self.open.1, self.forms.len(), &self.copies)
    }

    /// The cell of a value that `read` reads, several words to where it is told.
    pub(super) fn cell(&mut self, read: impl FnOnce(&mut Vec<u32>) -> TileValue) -> u32 {
        let value = read(&mut self.words);
        cell_of(value).unwrap_or_else(|| list(&mut self.lists, self.words.iter().copied()))
    }

    /// Writes a value that is none of tiles into the row that was opened last.
    pub(super) fn set_other(&mut self, column: usize, value: FeatureValue) {
        self.row(self.open.0 - 1)[column] = self.others.len() as u32;
        self.others.push(value);
    }

    /// Adds a row of values whose words have these numbers.
    pub(super) fn push_row<'v>(
        &mut self,
        values: impl Iterator<Item = &'v FeatureValue>,
        number: impl Fn(usize, &str) -> Option<u32>,
    ) {
        self.open();
        let row = self.open.0 - 1;
        for (column, value) in values.enumerate() {
            let cell = match (self.forms[column], value) {
                (Form::Number, FeatureValue::Number(number)) => number.to_bits(),
                (Form::Word(attribute), FeatureValue::Word(word)) => {
                    number(attribute, word).unwrap_or(MISSING)
                }
                (Form::Words(attribute), FeatureValue::Words(words)) => {
                    list(&mut self.lists, words.iter().filter_map(|word| number(attribute, word)))
                }
                (Form::Other, value) => {
                    self.others.push(value.clone());
                    self.others.len() as u32 - 1
                }
                _ => MISSING,
            };
            self.row(row)[column] = cell;
        }
        self.close();
    }
}

/// Adds a list; returns where it is.
fn list(lists: &mut Vec<u32>, words: impl Iterator<Item = u32>) -> u32 {
    let start = lists.len();
    lists.push(0);
    lists.extend(words);
    lists[start] = (lists.len() - start - 1) as u32;
    start as u32
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
