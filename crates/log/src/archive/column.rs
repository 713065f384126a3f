//! Whole columns of a row group: values in, values out.

use bytes::Bytes;
use compact_str::CompactString;
use parquet::column::reader::get_typed_column_reader;
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, FloatType, Int32Type, Int64Type};
use parquet::errors::ParquetError;
use parquet::file::reader::RowGroupReader;
use parquet::file::writer::SerializedRowGroupWriter;

/// Writes the columns of a row group, in the order of the schema.
pub(super) struct Writing<'a>(pub(super) SerializedRowGroupWriter<'a, Vec<u8>>);

impl Writing<'_> {
    /// An optional column of texts. They are laid into one buffer, so that a value costs no allocation.
    pub(super) fn texts<T: AsRef<str>>(
        &mut self,
        values: impl Iterator<Item = Option<T>>,
    ) -> Result<(), ParquetError> {
        let (mut buffer, mut ends, mut levels) = (Vec::new(), Vec::new(), Vec::new());
        for value in values {
            levels.push(i16::from(value.is_some()));
            if let Some(value) = value {
                buffer.extend_from_slice(value.as_ref().as_bytes());
                ends.push(buffer.len());
            }
        }
        let buffer = Bytes::from(buffer);
        let mut start = 0;
        let present: Vec<ByteArray> = ends
            .into_iter()
            .map(|end| ByteArray::from(buffer.slice(std::mem::replace(&mut start, end)..end)))
            .collect();
        self.write::<ByteArrayType>(&present, Some(&levels))
    }

    /// A required column of whole numbers: offsets, or microseconds.
    pub(super) fn longs(&mut self, values: impl Iterator<Item = i64>) -> Result<(), ParquetError> {
        self.write::<Int64Type>(&values.collect::<Vec<_>>(), None)
    }

    /// An optional column.
    pub(super) fn optional<T: DataType>(
        &mut self,
        values: impl Iterator<Item = Option<T::T>>,
    ) -> Result<(), ParquetError> {
        let mut present = Vec::new();
        let levels: Vec<i16> = values
            .map(|value| {
                let level = i16::from(value.is_some());
                present.extend(value);
                level
            })
            .collect();
        self.write::<T>(&present, Some(&levels))
    }

    fn write<T: DataType>(&mut self, values: &[T::T], levels: Option<&[i16]>) -> Result<(), ParquetError> {
        let column = self.0.next_column()?;
        let mut column = column.ok_or_else(|| ParquetError::General("more values than columns".into()))?;
        column.typed::<T>().write_batch(values, levels, None)?;
        column.close()
    }
}

/// Reads the columns of a row group, one after the other.
pub(super) struct Reading<'a> {
    group: &'a dyn RowGroupReader,
    rows: usize,
    next: usize,
}

impl<'a> Reading<'a> {
    pub(super) fn new(group: &'a dyn RowGroupReader) -> Self {
        Self { group, rows: usize::try_from(group.metadata().num_rows()).unwrap_or(0), next: 0 }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Goes to the column `index`.
    pub(super) fn at(mut self, index: usize) -> Self {
        self.next = index;
        self
    }

    pub(super) fn texts(&mut self) -> Result<Vec<Option<CompactString>>, ParquetError> {
        let text = |bytes: ByteArray| {
            CompactString::from_utf8(bytes.data()).map_err(|error| ParquetError::General(error.to_string()))
        };
        self.raw()?.into_iter().map(|value| value.map(text).transpose()).collect()
    }

    /// Texts as they lie in the file, not looked at.
    pub(super) fn raw(&mut self) -> Result<Vec<Option<ByteArray>>, ParquetError> {
        self.read::<ByteArrayType>()
    }

    pub(super) fn longs(&mut self) -> Result<Vec<i64>, ParquetError> {
        let values = self.read::<Int64Type>()?.into_iter().map(Option::unwrap_or_default);
        Ok(values.collect())
    }

    pub(super) fn optional_longs(&mut self) -> Result<Vec<Option<i64>>, ParquetError> {
        self.read::<Int64Type>()
    }

    pub(super) fn numbers(&mut self) -> Result<Vec<Option<i32>>, ParquetError> {
        self.read::<Int32Type>()
    }

    pub(super) fn floats(&mut self) -> Result<Vec<Option<f32>>, ParquetError> {
        self.read::<FloatType>()
    }

    pub(super) fn flags(&mut self) -> Result<Vec<Option<bool>>, ParquetError> {
        self.read::<BoolType>()
    }

    fn read<T: DataType>(&mut self) -> Result<Vec<Option<T::T>>, ParquetError> {
        let column = self.group.get_column_reader(self.next)?;
        let required = self.group.metadata().column(self.next).column_descr().max_def_level() == 0;
        self.next += 1;
        let mut reader = get_typed_column_reader::<T>(column);
        let (mut values, mut levels) = (Vec::with_capacity(self.rows), Vec::new());
        let mut read = 0;
        while read < self.rows {
            let wanted = (!required).then_some(&mut levels);
            let (records, _, _) = reader.read_records(self.rows - read, wanted, None, &mut values)?;
            if records == 0 {
                return Err(ParquetError::General(format!(
                    "column {} ends after {read} of {} rows",
                    self.next - 1,
                    self.rows
                )));
            }
            read += records;
        }
        if required {
            return Ok(values.into_iter().map(Some).collect());
        }
        let mut values = values.into_iter();
        Ok(levels.into_iter().map(|level| if level > 0 { values.next() } else { None }).collect())
    }
}
