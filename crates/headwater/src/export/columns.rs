//! Columns of a Parquet table under construction: values and, for each row, whether there is one.

use std::io::Write;
use std::sync::Arc;

use headwater_base::{FeatureType, FeatureValue};
use parquet::basic::{ConvertedType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::writer::{SerializedColumnWriter, SerializedRowGroupWriter};
use parquet::schema::types::{Type, TypePtr};

/// Values that are there, with the level of each row: 1 where it has one, 0 where it is null.
pub(super) struct Cells<T> {
    values: Vec<T>,
    levels: Vec<i16>,
}

impl<T> Default for Cells<T> {
    fn default() -> Self {
        Self { values: Vec::new(), levels: Vec::new() }
    }
}

impl<T> Cells<T> {
    pub(super) fn push(&mut self, value: Option<T>) {
        self.levels.push(i16::from(value.is_some()));
        self.values.extend(value);
    }
}

/// Lists of texts: null is level 0, empty 1, an element 2; all but the first element of a row repeat.
#[derive(Default)]
pub(super) struct Lists {
    values: Vec<ByteArray>,
    levels: Vec<i16>,
    repeats: Vec<i16>,
}

impl Lists {
    pub(super) fn push<'a>(&mut self, list: Option<impl IntoIterator<Item = &'a str>>) {
        let Some(list) = list else {
            self.levels.push(0);
            self.repeats.push(0);
            return;
        };
        let before = self.values.len();
        self.values.extend(list.into_iter().map(ByteArray::from));
        let added = self.values.len() - before;
        self.levels.extend(std::iter::repeat_n(2, added));
        self.repeats.extend((0..added).map(|at| i16::from(at > 0)));
        if added == 0 {
            self.levels.push(1);
            self.repeats.push(0);
        }
    }
}

/// One column.
pub(super) enum Column {
    Texts(Cells<ByteArray>),
    Floats(Cells<f32>),
    Doubles(Cells<f64>),
    Integers(Cells<i32>),
    Times(Cells<i64>),
    Lists(Lists),
}

impl Column {
    /// An empty column for a feature's values.
    pub(super) fn of(form: FeatureType) -> Self {
        match form {
            FeatureType::Number => Self::Floats(Cells::default()),
            FeatureType::Word => Self::Texts(Cells::default()),
            FeatureType::Words => Self::Lists(Lists::default()),
        }
    }

    /// Appends a feature's value; in a column that holds more than one form, a number is its text.
    pub(super) fn feature(&mut self, value: &FeatureValue) {
        let text = |number: &f32| number.to_string();
        match (self, value) {
            (Self::Floats(cells), FeatureValue::Number(number)) => cells.push(Some(*number)),
            (Self::Floats(cells), _) => cells.push(None),
            (Self::Lists(lists), FeatureValue::Words(words)) => {
                lists.push(Some(words.iter().map(AsRef::as_ref)));
            }
            (Self::Lists(lists), FeatureValue::Word(word)) => lists.push(Some([word.as_str()])),
            (Self::Lists(lists), FeatureValue::Number(number)) => lists.push(Some([text(number).as_str()])),
            (Self::Lists(lists), FeatureValue::Missing) => lists.push(None::<[&str; 0]>),
            (column, FeatureValue::Word(word)) => column.text(Some(word)),
            (column, FeatureValue::Number(number)) => column.text(Some(&text(number))),
            (column, _) => column.text(None),
        }
    }

    pub(super) fn text(&mut self, text: Option<&str>) {
        if let Self::Texts(cells) = self {
            cells.push(text.map(ByteArray::from));
        }
    }

    /// What the column is called and of what type it is.
    pub(super) fn declared(&self, name: &str) -> Result<TypePtr, ParquetError> {
        let (physical, converted) = match self {
            Self::Texts(_) => (PhysicalType::BYTE_ARRAY, ConvertedType::UTF8),
            Self::Floats(_) => (PhysicalType::FLOAT, ConvertedType::NONE),
            Self::Doubles(_) => (PhysicalType::DOUBLE, ConvertedType::NONE),
            Self::Integers(_) => (PhysicalType::INT32, ConvertedType::NONE),
            Self::Times(_) => (PhysicalType::INT64, ConvertedType::TIMESTAMP_MICROS),
            Self::Lists(_) => return list(name),
        };
        primitive(name, physical, converted, Repetition::OPTIONAL)
    }

    /// Writes what was taken, and is empty again.
    pub(super) fn write<W: Write + Send>(
        &mut self,
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let more = || ParquetError::General("more values than columns".to_owned());
        let column = group.next_column()?.ok_or_else(more)?;
        match self {
            Self::Texts(cells) => put::<ByteArrayType>(column, &mut cells.values, &mut cells.levels, None),
            Self::Floats(cells) => put::<FloatType>(column, &mut cells.values, &mut cells.levels, None),
            Self::Doubles(cells) => put::<DoubleType>(column, &mut cells.values, &mut cells.levels, None),
            Self::Integers(cells) => put::<Int32Type>(column, &mut cells.values, &mut cells.levels, None),
            Self::Times(cells) => put::<Int64Type>(column, &mut cells.values, &mut cells.levels, None),
            Self::Lists(lists) => {
                put::<ByteArrayType>(column, &mut lists.values, &mut lists.levels, Some(&mut lists.repeats))
            }
        }
    }
}

fn put<T: DataType>(
    mut column: SerializedColumnWriter<'_>,
    values: &mut Vec<T::T>,
    levels: &mut Vec<i16>,
    repeats: Option<&mut Vec<i16>>,
) -> Result<(), ParquetError> {
    column.typed::<T>().write_batch(
        values,
        Some(levels),
        repeats.as_ref().map(|repeats| repeats.as_slice()),
    )?;
    column.close()?;
    values.clear();
    levels.clear();
    if let Some(repeats) = repeats {
        repeats.clear();
    }
    Ok(())
}

fn primitive(
    name: &str,
    physical: PhysicalType,
    converted: ConvertedType,
    repetition: Repetition,
) -> Result<TypePtr, ParquetError> {
    let builder = Type::primitive_type_builder(name, physical).with_repetition(repetition);
    builder.with_converted_type(converted).build().map(Arc::new)
}

/// The three levels that the format prescribes for a list.
fn list(name: &str) -> Result<TypePtr, ParquetError> {
    let element = primitive("element", PhysicalType::BYTE_ARRAY, ConvertedType::UTF8, Repetition::REQUIRED)?;
    let repeated = Type::group_type_builder("list").with_repetition(Repetition::REPEATED);
    let repeated = repeated.with_fields(vec![element]).build()?;
    let list = Type::group_type_builder(name).with_repetition(Repetition::OPTIONAL);
    let list = list.with_converted_type(ConvertedType::LIST).with_fields(vec![Arc::new(repeated)]);
    list.build().map(Arc::new)
}
