//! The bytes of a checkpoint: little-endian numbers, counted texts, a running checksum.

use std::io::{self, Read, Write};

use compact_str::CompactString;
use headwater_base::{Fields, Timestamp, Value};

use crate::FeaturesError;

/// Longest text or list that is believed when reading; a damaged length must not become an allocation.
const MAX_LENGTH: u32 = 1 << 28;

/// Writes values and keeps the checksum of what was written.
#[derive(Debug)]
pub struct Writer<W> {
    inner: W,
    checksum: u32,
}

/// Reads what a [`Writer`] wrote.
#[derive(Debug)]
pub struct Reader<R> {
    inner: R,
    checksum: u32,
}

fn unwritable(error: &io::Error) -> FeaturesError {
    FeaturesError::Checkpoint(format!("cannot be written: {error}"))
}

/// A checkpoint whose content does not add up.
pub(crate) fn damaged(what: impl std::fmt::Display) -> FeaturesError {
    FeaturesError::Checkpoint(format!("damaged: {what}"))
}

impl<W: Write> Writer<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, checksum: 0 }
    }

    pub(crate) fn checksum(&self) -> u32 {
        self.checksum
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), FeaturesError> {
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        self.inner.write_all(bytes).map_err(|error| unwritable(&error))
    }

    pub(crate) fn u8(&mut self, value: u8) -> Result<(), FeaturesError> {
        self.raw(&[value])
    }

    pub(crate) fn u16(&mut self, value: u16) -> Result<(), FeaturesError> {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn u32(&mut self, value: u32) -> Result<(), FeaturesError> {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn u64(&mut self, value: u64) -> Result<(), FeaturesError> {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn i64(&mut self, value: i64) -> Result<(), FeaturesError> {
        self.raw(&value.to_le_bytes())
    }

    pub(crate) fn f64(&mut self, value: f64) -> Result<(), FeaturesError> {
        self.u64(value.to_bits())
    }

    pub(crate) fn length(&mut self, length: usize) -> Result<(), FeaturesError> {
        let length = u32::try_from(length).ok().filter(|length| *length <= MAX_LENGTH);
        self.u32(length.ok_or_else(|| FeaturesError::Checkpoint("a list is too long".to_owned()))?)
    }

    pub(crate) fn text(&mut self, text: &str) -> Result<(), FeaturesError> {
        self.length(text.len())?;
        self.raw(text.as_bytes())
    }

    pub(crate) fn block(&mut self, bytes: &[u8]) -> Result<(), FeaturesError> {
        self.length(bytes.len())?;
        self.raw(bytes)
    }

    pub(crate) fn time(&mut self, time: Timestamp) -> Result<(), FeaturesError> {
        self.i64(time.as_micros())
    }

    pub(crate) fn u32s(&mut self, values: impl ExactSizeIterator<Item = u32>) -> Result<(), FeaturesError> {
        self.length(values.len())?;
        let mut block = Vec::with_capacity(4 * values.len());
        values.for_each(|value| block.extend_from_slice(&value.to_le_bytes()));
        self.raw(&block)
    }

    pub(crate) fn fields(&mut self, fields: &Fields) -> Result<(), FeaturesError> {
        self.length(fields.len())?;
        for (name, value) in fields.iter() {
            self.text(name)?;
            self.value(value)?;
        }
        Ok(())
    }

    fn value(&mut self, value: &Value) -> Result<(), FeaturesError> {
        match value {
            Value::Categorical(text) => {
                self.u8(0)?;
                self.text(text)
            }
            Value::Numeric(number) => {
                self.u8(1)?;
                self.f64(*number)
            }
            Value::Tags(tags) => {
                self.u8(2)?;
                self.length(tags.len())?;
                tags.iter().try_for_each(|tag| self.text(tag))
            }
            Value::Text(text) => {
                self.u8(3)?;
                self.text(text)
            }
            Value::Time(time) => {
                self.u8(4)?;
                self.time(*time)
            }
            Value::Vector(vector) => {
                self.u8(5)?;
                self.u32s(vector.iter().map(|component| component.to_bits()))
            }
        }
    }
}

impl<R: Read> Reader<R> {
    pub(crate) fn new(inner: R) -> Self {
        Self { inner, checksum: 0 }
    }

    pub(crate) fn checksum(&self) -> u32 {
        self.checksum
    }

    pub(crate) fn raw(&mut self, bytes: &mut [u8]) -> Result<(), FeaturesError> {
        self.inner.read_exact(bytes).map_err(damaged)?;
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        Ok(())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], FeaturesError> {
        let mut bytes = [0; N];
        self.raw(&mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, FeaturesError> {
        Ok(self.array::<1>()?[0])
    }

    pub(crate) fn u16(&mut self) -> Result<u16, FeaturesError> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, FeaturesError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, FeaturesError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(crate) fn i64(&mut self) -> Result<i64, FeaturesError> {
        Ok(i64::from_le_bytes(self.array()?))
    }

    pub(crate) fn f64(&mut self) -> Result<f64, FeaturesError> {
        Ok(f64::from_bits(self.u64()?))
    }

    pub(crate) fn length(&mut self) -> Result<usize, FeaturesError> {
        let length = self.u32()?;
        if length > MAX_LENGTH {
            return Err(damaged(format_args!("a length of {length}")));
        }
        Ok(length as usize)
    }

    pub(crate) fn text(&mut self) -> Result<String, FeaturesError> {
        let length = self.length()?;
        let mut bytes = Vec::new();
        self.block(length, &mut bytes)?;
        String::from_utf8(bytes).map_err(damaged)
    }

    pub(crate) fn blob(&mut self) -> Result<Vec<u8>, FeaturesError> {
        let length = self.length()?;
        let mut bytes = Vec::new();
        self.block(length, &mut bytes)?;
        Ok(bytes)
    }

    pub(crate) fn time(&mut self) -> Result<Timestamp, FeaturesError> {
        Ok(Timestamp::from_micros(self.i64()?))
    }

    pub(crate) fn u32s(&mut self) -> Result<Vec<u32>, FeaturesError> {
        let length = self.length()?;
        let mut block = Vec::new();
        self.block(4 * length, &mut block)?;
        let (words, _) = block.as_chunks::<4>();
        Ok(words.iter().map(|word| u32::from_le_bytes(*word)).collect())
    }

    /// Reads `length` bytes piece by piece, so that a damaged length ends at the end of the file.
    fn block(&mut self, length: usize, block: &mut Vec<u8>) -> Result<(), FeaturesError> {
        const PIECE: usize = 1 << 16;
        while block.len() < length {
            let start = block.len();
            block.resize(length.min(start + PIECE), 0);
            self.raw(&mut block[start..])?;
        }
        Ok(())
    }

    pub(crate) fn fields(&mut self) -> Result<Fields, FeaturesError> {
        let mut fields = Fields::default();
        for _ in 0..self.length()? {
            let name = CompactString::from(self.text()?);
            fields.set(name, self.value()?);
        }
        Ok(fields)
    }

    fn value(&mut self) -> Result<Value, FeaturesError> {
        Ok(match self.u8()? {
            0 => Value::Categorical(self.text()?.into()),
            1 => Value::Numeric(self.f64()?),
            2 => {
                let length = self.length()?;
                let tags: Result<_, _> = (0..length).map(|_| self.text().map(CompactString::from)).collect();
                Value::Tags(tags?)
            }
            3 => Value::Text(self.text()?),
            4 => Value::Time(self.time()?),
            5 => Value::Vector(self.u32s()?.into_iter().map(f32::from_bits).collect()),
            other => return Err(damaged(format_args!("a value of kind {other}"))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_reads_back() {
        let fields = Fields::new([
            ("a".into(), Value::Categorical("shoes".into())),
            ("b".into(), Value::Numeric(59.9)),
            ("c".into(), Value::Tags(vec!["x".into(), "y".into()])),
            ("d".into(), Value::Text("é".repeat(70_000))),
            ("e".into(), Value::Time(Timestamp::from_seconds(-1))),
            ("f".into(), Value::Vector(vec![1.5, -0.0])),
        ]);
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        writer.fields(&fields).unwrap();
        let checksum = writer.checksum();
        let mut reader = Reader::new(bytes.as_slice());
        assert_eq!(reader.fields().unwrap(), fields);
        assert_eq!(reader.checksum(), checksum);
        assert!(reader.u8().is_err());
    }

    #[test]
    fn an_absurd_length_is_damage_and_not_an_allocation() {
        let mut bytes = vec![0xff; 8];
        assert!(Reader::new(bytes.as_slice()).text().is_err());
        bytes[..4].copy_from_slice(&(1u32 << 27).to_le_bytes());
        assert!(Reader::new(bytes.as_slice()).u32s().is_err());
    }
}
