//! Reads the records of a segment file in order, and tells a torn tail from damage.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::format::{MARK, MARK_BYTES, MAX_RECORD_BYTES, Mark, RECORD_HEADER_BYTES, record_checksum, word};
use crate::disk::failed;
use crate::{LogError, Offset};

const CHUNK_BYTES: usize = 64 * 1024;

/// What stands next in a file.
pub(crate) enum Step<'a> {
    /// A record.
    Record {
        /// Its offset.
        offset: Offset,
        /// Where it starts.
        byte: u64,
        /// The encoded event.
        payload: &'a [u8],
    },
    /// The last record ended where the file does.
    End,
    /// No record stands here, though the file goes on.
    Bad(&'static str),
}

/// A reader of one file, from one record on.
pub(crate) struct Scan<'a> {
    file: &'a File,
    path: &'a Path,
    salt: u64,
    limit: u64,
    offset: Offset,
    buffer: Vec<u8>,
    buffered_at: u64,
    at: usize,
}

impl<'a> Scan<'a> {
    /// Reads `file` from `byte`, where the record `offset` or a mark before it starts, up to `limit`.
    pub(crate) fn new(
        file: &'a File,
        path: &'a Path,
        salt: u64,
        byte: u64,
        offset: Offset,
        limit: u64,
    ) -> Self {
        Self { file, path, salt, limit, offset, buffer: Vec::new(), buffered_at: byte, at: 0 }
    }

    /// Where the next record starts.
    pub(crate) fn byte(&self) -> u64 {
        self.buffered_at + self.at as u64
    }

    /// The offset of the next record.
    pub(crate) fn offset(&self) -> Offset {
        self.offset
    }

    /// The next record. After [`Step::Bad`] the reader stays where it is.
    pub(crate) fn next(&mut self) -> Result<Step<'_>, LogError> {
        loop {
            let rest = self.limit.saturating_sub(self.byte());
            if rest == 0 {
                return Ok(Step::End);
            }
            if rest < RECORD_HEADER_BYTES as u64 {
                return Ok(Step::Bad("the file ends within a record's length"));
            }
            self.fill(RECORD_HEADER_BYTES)?;
            let length = word(&self.buffer[self.at..], 0);
            if length == MARK {
                if rest < MARK_BYTES as u64 {
                    return Ok(Step::Bad("the file ends within a mark"));
                }
                self.fill(MARK_BYTES)?;
                match Mark::take(self.salt, &self.buffer[self.at..]) {
                    Some(mark) if mark.first == self.offset => self.at += MARK_BYTES,
                    Some(_) => return Ok(Step::Bad("the mark names another offset")),
                    None => return Ok(Step::Bad("the mark's checksum does not match")),
                }
                continue;
            }
            return self.record(length as usize, rest);
        }
    }

    fn record(&mut self, length: usize, rest: u64) -> Result<Step<'_>, LogError> {
        if length == 0 || length > MAX_RECORD_BYTES {
            return Ok(Step::Bad("the record's length is impossible"));
        }
        let whole = RECORD_HEADER_BYTES + length;
        if rest < whole as u64 {
            return Ok(Step::Bad("the file ends within a record"));
        }
        self.fill(whole)?;
        let (offset, byte) = (self.offset, self.byte());
        let checksum = word(&self.buffer[self.at..], 4);
        let payload = &self.buffer[self.at + RECORD_HEADER_BYTES..self.at + whole];
        if record_checksum(self.salt, offset, payload) != checksum {
            return Ok(Step::Bad("the record's checksum does not match"));
        }
        self.at += whole;
        self.offset += 1;
        Ok(Step::Record { offset, byte, payload })
    }

    /// Makes `need` bytes from the present place available.
    fn fill(&mut self, need: usize) -> Result<(), LogError> {
        if self.buffer.len() - self.at >= need {
            return Ok(());
        }
        self.buffer.drain(..self.at);
        self.buffered_at += self.at as u64;
        self.at = 0;
        let had = self.buffer.len();
        let from = self.buffered_at + had as u64;
        let wanted = (need.max(CHUNK_BYTES) as u64).min(self.limit - self.buffered_at) as usize;
        self.buffer.resize(wanted, 0);
        self.file.read_exact_at(&mut self.buffer[had..], from).map_err(failed("read", self.path))
    }

    /// Whether a mark after the present place says that the record here was durable once.
    pub(crate) fn vouched(&self) -> Result<bool, LogError> {
        let needle = MARK.to_le_bytes();
        let mut chunk = vec![0; 1 << 20];
        let mut from = self.byte();
        while from + (MARK_BYTES as u64) <= self.limit {
            let length = (chunk.len() as u64).min(self.limit - from) as usize;
            let window = &mut chunk[..length];
            self.file.read_exact_at(window, from).map_err(failed("read", self.path))?;
            let found = (0..=length - MARK_BYTES)
                .filter(|at| window[*at] == needle[0] && window[*at..*at + 4] == needle)
                .filter_map(|at| Mark::take(self.salt, &window[at..]))
                .any(|mark| mark.durable > self.offset);
            if found {
                return Ok(true);
            }
            from += (length - MARK_BYTES + 1) as u64;
        }
        Ok(false)
    }

    /// The refusal of the record at the present place.
    pub(crate) fn damaged(&self, reason: &str) -> LogError {
        LogError::Damaged {
            path: self.path.to_owned(),
            offset: self.offset,
            byte: self.byte(),
            reason: reason.to_owned(),
        }
    }
}
