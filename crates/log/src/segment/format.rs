//! The layout of a segment file.
//!
//! ```text
//! header  "HWEVLOG" | version u8 | first offset u64 | salt u64 | zero u32 | crc32c u32
//! mark    MARK u32 | crc32c u32 | first offset after it u64 | durable offset u64
//! record  length u32 | crc32c u32 | payload
//! ```

use std::path::{Path, PathBuf};

use crate::{LogError, Offset};

/// The version this code writes, and the newest it reads.
pub(crate) const VERSION: u8 = 1;
/// Size of a segment's header.
pub(crate) const HEADER_BYTES: usize = 32;
/// Size of a mark.
pub(crate) const MARK_BYTES: usize = 24;
/// Size of what precedes a payload.
pub(crate) const RECORD_HEADER_BYTES: usize = 8;
/// Largest payload. Far below [`MARK`], so that a length is never taken for a mark.
pub(crate) const MAX_RECORD_BYTES: usize = 16 << 20;
/// The first four bytes of a mark, little endian.
pub(crate) const MARK: u32 = 0xd1_4c_a7_f5;

const MAGIC: &[u8; 7] = b"HWEVLOG";

/// The head of a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// Offset of the first record.
    pub(crate) first: Offset,
    /// Differs from segment to segment; part of every checksum.
    pub(crate) salt: u64,
}

impl Header {
    pub(crate) fn encode(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..7].copy_from_slice(MAGIC);
        bytes[7] = VERSION;
        bytes[8..16].copy_from_slice(&self.first.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.salt.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of the segment `path`, whose name says it starts at `first`.
    pub(crate) fn decode(bytes: &[u8; HEADER_BYTES], path: &Path, first: Offset) -> Result<Self, LogError> {
        let damaged = |reason: &str| LogError::Damaged {
            path: path.to_owned(),
            offset: first,
            byte: 0,
            reason: reason.to_owned(),
        };
        if &bytes[..7] != MAGIC {
            return Err(damaged("not a segment of the log"));
        }
        if bytes[7] > VERSION {
            return Err(LogError::NewerFormat { path: path.to_owned(), found: bytes[7], supported: VERSION });
        }
        if crc32c::crc32c(&bytes[..28]) != word(bytes, 28) {
            return Err(damaged("the header's checksum does not match"));
        }
        let header = Self { first: long(bytes, 8), salt: long(bytes, 16) };
        if header.first != first {
            return Err(damaged("the header names another offset than the file"));
        }
        Ok(header)
    }
}

/// Says that every offset below `durable` was on disk when the record `first` was written after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) first: Offset,
    pub(crate) durable: Offset,
}

impl Mark {
    pub(crate) fn put(self, salt: u64, out: &mut Vec<u8>) {
        out.extend_from_slice(&MARK.to_le_bytes());
        out.extend_from_slice(&self.checksum(salt).to_le_bytes());
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.durable.to_le_bytes());
    }

    /// The mark at the start of `bytes`, if one stands there whole.
    pub(crate) fn take(salt: u64, bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..MARK_BYTES)?;
        let mark = Self { first: long(bytes, 8), durable: long(bytes, 16) };
        (word(bytes, 0) == MARK && word(bytes, 4) == mark.checksum(salt) && mark.durable <= mark.first)
            .then_some(mark)
    }

    fn checksum(self, salt: u64) -> u32 {
        let mut covered = [0; 24];
        covered[..8].copy_from_slice(&salt.to_le_bytes());
        covered[8..16].copy_from_slice(&self.first.to_le_bytes());
        covered[16..].copy_from_slice(&self.durable.to_le_bytes());
        crc32c::crc32c(&covered)
    }
}

/// Appends the record of `payload` at `offset`.
pub(crate) fn put_record(salt: u64, offset: Offset, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(payload.len() as u32).to_le_bytes());
    out.extend_from_slice(&record_checksum(salt, offset, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

/// A CRC started from another value ends in another value, so the same payload at another offset does not pass.
pub(crate) fn record_checksum(salt: u64, offset: Offset, payload: &[u8]) -> u32 {
    crc32c::crc32c_append((salt as u32) ^ (offset as u32), payload)
}

/// The little-endian `u32` at `at`.
pub(crate) fn word(bytes: &[u8], at: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[at..at + 4]);
    u32::from_le_bytes(word)
}

/// The little-endian `u64` at `at`.
pub(crate) fn long(bytes: &[u8], at: usize) -> u64 {
    let mut long = [0; 8];
    long.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(long)
}

/// The file of the segment that starts at `first`.
pub(crate) fn segment_path(folder: &Path, first: Offset) -> PathBuf {
    folder.join(format!("{first:020}.log"))
}

/// The first offset a segment's file name names; `None` for other files.
pub(crate) fn first_of(path: &Path) -> Option<Offset> {
    let stem = path.file_stem()?.to_str()?;
    let named =
        path.extension()? == "log" && stem.len() == 20 && stem.bytes().all(|byte| byte.is_ascii_digit());
    if named { stem.parse().ok() } else { None }
}
