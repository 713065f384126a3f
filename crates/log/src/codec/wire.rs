//! Varints, texts and floats: the letters of the encoding.

use compact_str::CompactString;

use super::CodecError;

/// Appends `value` as a LEB128 varint.
pub(super) fn put_unsigned(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Appends `value` zigzag, so that small magnitudes of either sign stay short.
pub(super) fn put_signed(out: &mut Vec<u8>, value: i64) {
    put_unsigned(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Appends the length of `text` and its bytes.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_unsigned(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Bytes being read, and how far.
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The error `reason` at the place read so far.
    pub(super) fn malformed(&self, reason: &'static str) -> CodecError {
        CodecError::Malformed { reason, at: self.at }
    }

    /// Refuses bytes left over.
    pub(super) fn finish(&self) -> Result<(), CodecError> {
        if self.at == self.bytes.len() { Ok(()) } else { Err(self.malformed("bytes left over")) }
    }

    pub(super) fn byte(&mut self) -> Result<u8, CodecError> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.malformed("the record ends early"))?;
        self.at += 1;
        Ok(byte)
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], CodecError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.malformed("the record ends early"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn unsigned(&mut self) -> Result<u64, CodecError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(self.malformed("a number longer than 64 bits"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, CodecError> {
        let value = self.unsigned()?;
        Ok((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    pub(super) fn small(&mut self) -> Result<u32, CodecError> {
        let value = self.unsigned()?;
        u32::try_from(value).map_err(|_| self.malformed("a number longer than 32 bits"))
    }

    /// A count of things that take at least `bytes_each`: what cannot fit in the rest is refused before anything is
    /// allocated for it.
    pub(super) fn count(&mut self, bytes_each: usize) -> Result<usize, CodecError> {
        let count = self.unsigned()?;
        let fits = (self.bytes.len() - self.at) / bytes_each;
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= fits)
            .ok_or_else(|| self.malformed("a count larger than the record"))
    }

    /// A number of something already read: at most `known`.
    pub(super) fn count_back(&mut self, known: usize) -> Result<usize, CodecError> {
        let number = self.unsigned()?;
        usize::try_from(number)
            .ok()
            .filter(|number| *number <= known)
            .ok_or_else(|| self.malformed("a reference to nothing"))
    }

    pub(super) fn text(&mut self) -> Result<&'a str, CodecError> {
        let length = self.count(1)?;
        let bytes = self.take(length)?;
        std::str::from_utf8(bytes).map_err(|_| self.malformed("a text that is not UTF-8"))
    }

    pub(super) fn compact(&mut self) -> Result<CompactString, CodecError> {
        self.text().map(CompactString::from)
    }

    pub(super) fn float(&mut self) -> Result<f32, CodecError> {
        self.array().map(f32::from_le_bytes)
    }

    pub(super) fn double(&mut self) -> Result<f64, CodecError> {
        self.array().map(f64::from_le_bytes)
    }

    pub(super) fn fixed(&mut self) -> Result<u64, CodecError> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn flag(&mut self) -> Result<bool, CodecError> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.malformed("a flag that is neither 0 nor 1")),
        }
    }
}
