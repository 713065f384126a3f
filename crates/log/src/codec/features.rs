//! The feature vectors of a decision, column by column.
//!
//! ```text
//! schema u64 | time zigzag | share f32 | layout u8 | the rows in that layout
//! columns: rows | columns | for each column its kind u8 and its values
//! rows:    rows | for each row its length, and for each value its kind u8 and the value
//! ```
//!
//! The rows of one decision are alike: what is the user's or the moment's is the same in all of them, and counts are
//! small. So a column that never changes is written once, and a number is its XOR with the one in the row before, its
//! bits reversed so that the zeros a mantissa ends in lead and the varint drops them: a repeat takes one byte, a change
//! between counts below 64 at most two. Where that saves nothing, the column is written as it is. A word is written
//! where it is new and is a number afterwards.
//!
//! Such a record says more than it holds, so what it may unfold to is limited by [`ROOM`]; beyond that, and where rows
//! differ in length, the second layout is written, in which everything takes bytes of its own.

use std::collections::HashMap;
use std::sync::Arc;

use compact_str::CompactString;
use headwater_base::{FeatureValue, LoggedFeatures, Timestamp};

use super::CodecError;
use super::wire::{Input, put_signed, put_text, put_unsigned};

const COLUMNS: u8 = 0;
const ROWS: u8 = 1;

/// Kinds of a value, and of a column in which all values are this one.
const MISSING: u8 = 0;
const NUMBER: u8 = 1;
const WORD: u8 = 2;
const WORDS: u8 = 3;
/// Kinds of a column that changes: numbers as differences, numbers or missing as differences, numbers as they are, words
/// or missing, and values of any kind.
const CHANGES: u8 = 4;
const SPARSE_CHANGES: u8 = 5;
const NUMBERS: u8 = 6;
const REFERENCES: u8 = 7;
const ANY: u8 = 8;

/// Bytes that a record of columns may unfold to in memory.
const ROOM: usize = 4 << 20;

const VALUE_BYTES: usize = 32;
const WORD_BYTES: usize = 24;
const _: () = assert!(size_of::<FeatureValue>() <= VALUE_BYTES && size_of::<CompactString>() <= WORD_BYTES);

/// Appends `features`.
pub(super) fn put(out: &mut Vec<u8>, features: &LoggedFeatures) {
    out.extend_from_slice(&features.schema.to_le_bytes());
    put_signed(out, features.time.as_micros());
    out.extend_from_slice(&features.share.to_le_bytes());
    let rows = &features.rows;
    let width = rows.first().map_or(0, Vec::len);
    if rows.iter().any(|row| row.len() != width) || !fits(rows, width) {
        out.push(ROWS);
        put_rows(out, rows);
        return;
    }
    out.push(COLUMNS);
    put_unsigned(out, rows.len() as u64);
    put_unsigned(out, width as u64);
    let mut dictionary = HashMap::new();
    let mut column = Vec::with_capacity(rows.len());
    for at in 0..width {
        column.clear();
        column.extend(rows.iter().map(|row| &row[at]));
        put_column(out, &column, &mut dictionary);
    }
}

/// Reads what [`put`] wrote.
pub(super) fn take(input: &mut Input<'_>) -> Result<LoggedFeatures, CodecError> {
    let schema = input.fixed()?;
    let time = Timestamp::from_micros(input.signed()?);
    let share = input.float()?;
    let rows = match input.byte()? {
        COLUMNS => take_columns(input)?,
        ROWS => take_rows(input)?,
        _ => return Err(input.malformed("an unknown layout of features")),
    };
    Ok(LoggedFeatures { schema, time, share, rows })
}

/// Whether rows of this width unfold to no more than [`ROOM`].
fn fits(rows: &[Vec<FeatureValue>], width: usize) -> bool {
    let Some(left) = cells(rows.len(), width).and_then(|cells| ROOM.checked_sub(cells)) else {
        return false;
    };
    let mut left = left;
    rows.iter().flatten().all(|value| match left.checked_sub(text_bytes(value)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    })
}

fn cells(rows: usize, width: usize) -> Option<usize> {
    rows.checked_mul(width.checked_add(1)?)?.checked_mul(VALUE_BYTES)
}

/// What a value takes in memory besides its cell.
fn text_bytes(value: &FeatureValue) -> usize {
    match value {
        FeatureValue::Missing | FeatureValue::Number(_) => 0,
        FeatureValue::Word(word) => word.len(),
        FeatureValue::Words(words) => words.iter().map(|word| WORD_BYTES + word.len()).sum(),
    }
}

type Dictionary<'a> = HashMap<&'a str, u64>;

fn put_column<'a>(out: &mut Vec<u8>, column: &[&'a FeatureValue], dictionary: &mut Dictionary<'a>) {
    let Some((first, rest)) = column.split_first() else {
        return;
    };
    if rest.iter().all(|value| value.same(first)) {
        out.push(kind(first));
        put_value(out, first, &mut 0, dictionary);
        return;
    }
    let has = |wanted: u8| column.iter().any(|value| kind(value) == wanted);
    match (has(MISSING), has(NUMBER), has(WORD), has(WORDS)) {
        (missing, true, false, false) => put_numbers(out, column, missing),
        (_, false, true, false) => {
            out.push(REFERENCES);
            for value in column {
                match value {
                    FeatureValue::Word(word) => put_word(out, word, 1, dictionary),
                    _ => put_unsigned(out, 1),
                }
            }
        }
        _ => {
            out.push(ANY);
            let mut last = 0;
            for value in column {
                out.push(kind(value));
                put_value(out, value, &mut last, dictionary);
            }
        }
    }
}

/// A column of numbers, some of them missing where `sparse`.
fn put_numbers(out: &mut Vec<u8>, column: &[&FeatureValue], sparse: bool) {
    let start = out.len();
    out.push(if sparse { SPARSE_CHANGES } else { CHANGES });
    let mut last = 0;
    for value in column {
        match value {
            FeatureValue::Number(number) if sparse => {
                put_unsigned(out, u64::from(change(&mut last, *number)) << 1);
            }
            FeatureValue::Number(number) => put_unsigned(out, u64::from(change(&mut last, *number))),
            _ => put_unsigned(out, 1),
        }
    }
    if !sparse && out.len() - start > 1 + 4 * column.len() {
        out.truncate(start);
        out.push(NUMBERS);
        for value in column {
            if let FeatureValue::Number(number) = value {
                out.extend_from_slice(&number.to_le_bytes());
            }
        }
    }
}

/// The difference of `number` to the one before, whose bits are `last`.
fn change(last: &mut u32, number: f32) -> u32 {
    let change = (number.to_bits() ^ *last).reverse_bits();
    *last = number.to_bits();
    change
}

fn kind(value: &FeatureValue) -> u8 {
    match value {
        FeatureValue::Missing => MISSING,
        FeatureValue::Number(_) => NUMBER,
        FeatureValue::Word(_) => WORD,
        FeatureValue::Words(_) => WORDS,
    }
}

fn put_value<'a>(
    out: &mut Vec<u8>,
    value: &'a FeatureValue,
    last: &mut u32,
    dictionary: &mut Dictionary<'a>,
) {
    match value {
        FeatureValue::Missing => {}
        FeatureValue::Number(number) => put_unsigned(out, u64::from(change(last, *number))),
        FeatureValue::Word(word) => put_word(out, word, 0, dictionary),
        FeatureValue::Words(words) => {
            put_unsigned(out, words.len() as u64);
            for word in words.iter() {
                put_word(out, word, 0, dictionary);
            }
        }
    }
}

/// A word is 0 and its text where it is new, else its number among those seen so far, from 1; `skipped` numbers between
/// mean something else.
fn put_word<'a>(out: &mut Vec<u8>, word: &'a str, skipped: u64, dictionary: &mut Dictionary<'a>) {
    let next = dictionary.len() as u64 + 1;
    match dictionary.get(word) {
        Some(number) => put_unsigned(out, number + skipped),
        None => {
            put_unsigned(out, 0);
            put_text(out, word);
            dictionary.insert(word, next);
        }
    }
}

fn put_rows(out: &mut Vec<u8>, rows: &[Vec<FeatureValue>]) {
    put_unsigned(out, rows.len() as u64);
    for row in rows {
        put_unsigned(out, row.len() as u64);
        for value in row {
            out.push(kind(value));
            match value {
                FeatureValue::Missing => {}
                FeatureValue::Number(number) => out.extend_from_slice(&number.to_le_bytes()),
                FeatureValue::Word(word) => put_text(out, word),
                FeatureValue::Words(words) => super::fields::put_names(out, words),
            }
        }
    }
}

fn take_rows(input: &mut Input<'_>) -> Result<Vec<Vec<FeatureValue>>, CodecError> {
    let rows = input.count(1)?;
    (0..rows)
        .map(|_| {
            let width = input.count(1)?;
            (0..width).map(|_| take_plain(input)).collect()
        })
        .collect()
}

fn take_plain(input: &mut Input<'_>) -> Result<FeatureValue, CodecError> {
    Ok(match input.byte()? {
        MISSING => FeatureValue::Missing,
        NUMBER => FeatureValue::Number(input.float()?),
        WORD => FeatureValue::Word(input.compact()?),
        WORDS => FeatureValue::Words(super::fields::take_names(input)?.into()),
        _ => return Err(input.malformed("an unknown kind of feature value")),
    })
}

fn take_columns(input: &mut Input<'_>) -> Result<Vec<Vec<FeatureValue>>, CodecError> {
    let (rows, width) = (input.unsigned()?, input.unsigned()?);
    let sizes = usize::try_from(rows).ok().zip(usize::try_from(width).ok());
    let left = sizes.and_then(|(rows, width)| ROOM.checked_sub(cells(rows, width)?));
    let (Some((rows, width)), Some(left)) = (sizes, left) else {
        return Err(input.malformed("more features than a record may unfold to"));
    };
    let mut unfolding = Unfolding { known: Vec::new(), left };
    let mut table: Vec<Vec<FeatureValue>> = (0..rows).map(|_| Vec::with_capacity(width)).collect();
    for _ in 0..if rows == 0 { 0 } else { width } {
        unfolding.column(input, &mut table)?;
    }
    Ok(table)
}

/// What is known while columns are read.
struct Unfolding<'a> {
    /// The words seen so far.
    known: Vec<&'a str>,
    /// Bytes of [`ROOM`] not taken yet.
    left: usize,
}

impl<'a> Unfolding<'a> {
    fn column(&mut self, input: &mut Input<'a>, table: &mut [Vec<FeatureValue>]) -> Result<(), CodecError> {
        let column = input.byte()?;
        let mut last = 0;
        match column {
            MISSING..=WORDS => {
                let value = self.value(input, column, &mut last)?;
                let repeated = text_bytes(&value).saturating_mul(table.len().saturating_sub(1));
                self.spend(input, repeated)?;
                table.iter_mut().for_each(|row| row.push(value.clone()));
            }
            CHANGES => {
                for row in table {
                    row.push(self.value(input, NUMBER, &mut last)?);
                }
            }
            SPARSE_CHANGES => {
                for row in table {
                    row.push(match input.unsigned()? {
                        1 => FeatureValue::Missing,
                        shifted if shifted & 1 == 0 => changed(input, &mut last, shifted >> 1)?,
                        _ => return Err(input.malformed("an unknown change of a number")),
                    });
                }
            }
            NUMBERS => {
                for row in table {
                    row.push(FeatureValue::Number(input.float()?));
                }
            }
            REFERENCES => {
                for row in table {
                    row.push(match input.count_back(self.known.len() + 1)? {
                        0 => FeatureValue::Word(self.new_word(input)?),
                        1 => FeatureValue::Missing,
                        number => FeatureValue::Word(self.known_word(input, number - 1)?),
                    });
                }
            }
            ANY => {
                for row in table {
                    let kind = input.byte()?;
                    row.push(self.value(input, kind, &mut last)?);
                }
            }
            _ => return Err(input.malformed("an unknown kind of feature column")),
        }
        Ok(())
    }

    fn value(&mut self, input: &mut Input<'a>, kind: u8, last: &mut u32) -> Result<FeatureValue, CodecError> {
        Ok(match kind {
            MISSING => FeatureValue::Missing,
            NUMBER => {
                let change = input.unsigned()?;
                changed(input, last, change)?
            }
            WORD => FeatureValue::Word(self.word(input)?),
            WORDS => {
                let count = input.count(1)?;
                self.spend(input, count.saturating_mul(WORD_BYTES))?;
                let words = (0..count).map(|_| self.word(input)).collect::<Result<Arc<[_]>, _>>()?;
                FeatureValue::Words(words)
            }
            _ => return Err(input.malformed("an unknown kind of feature value")),
        })
    }

    fn word(&mut self, input: &mut Input<'a>) -> Result<CompactString, CodecError> {
        match input.count_back(self.known.len())? {
            0 => self.new_word(input),
            number => self.known_word(input, number),
        }
    }

    fn new_word(&mut self, input: &mut Input<'a>) -> Result<CompactString, CodecError> {
        let word = input.text()?;
        self.known.push(word);
        self.known_word(input, self.known.len())
    }

    /// The word of a number from 1 to how many are known.
    fn known_word(&mut self, input: &Input<'a>, number: usize) -> Result<CompactString, CodecError> {
        let word = self.known[number - 1];
        self.spend(input, word.len())?;
        Ok(CompactString::from(word))
    }

    fn spend(&mut self, input: &Input<'a>, bytes: usize) -> Result<(), CodecError> {
        let left = self.left.checked_sub(bytes);
        self.left = left.ok_or_else(|| input.malformed("more features than a record may unfold to"))?;
        Ok(())
    }
}

/// The number whose difference to the one before is `change`.
fn changed(input: &Input<'_>, last: &mut u32, change: u64) -> Result<FeatureValue, CodecError> {
    let change = u32::try_from(change).map_err(|_| input.malformed("a number longer than 32 bits"))?;
    *last ^= change.reverse_bits();
    Ok(FeatureValue::Number(f32::from_bits(*last)))
}
