//! Parts of a file: what is needed to see whom it names, a few hundredths of its bytes.

use std::ops::Range;

use bytes::buf::Reader as Bytewise;
use bytes::{Buf as _, Bytes};
use parquet::errors::ParquetError;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData};
use parquet::file::reader::{ChunkReader, Length};

use super::erase::Concerned;
use super::file::Reader;
use super::layout::Place;
use super::{Archive, ArchiveError, Footer, refused};

impl Archive {
    /// Whether any row of the file names one of these. Fetches the footer and two columns.
    pub(super) fn names(&self, place: &Place, concerned: &Concerned<'_>) -> Result<bool, ArchiveError> {
        let path = place.path();
        let Footer { length, tail, metadata } = self.footer(&path)?;
        let ranges =
            ranges(&metadata, place.stream.actor(), length).ok_or_else(|| ArchiveError::Damaged {
                path: path.to_string(),
                reason: "its footer names columns beyond its end".to_owned(),
            })?;
        let fetched = self.wait(self.store.get_ranges(&path, &ranges)).map_err(refused("read", &path))?;
        let mut parts: Vec<(u64, Bytes)> = ranges.iter().map(|range| range.start).zip(fetched).collect();
        parts.push((length - tail.len() as u64, tail));
        Reader::new(place.stream, path.as_ref(), Parts { length, parts })?.holds(concerned)
    }
}

/// Where the columns of users and sessions lie, of which the first is the `actor`-th; `None` where that cannot be.
fn ranges(metadata: &ParquetMetaData, actor: usize, length: u64) -> Option<Vec<Range<u64>>> {
    let columns =
        metadata.row_groups().iter().flat_map(|group| [actor, actor + 1].map(|at| group.columns().get(at)));
    columns.map(|column| range(column?, length)).collect()
}

fn range(column: &ColumnChunkMetaData, length: u64) -> Option<Range<u64>> {
    let start = column.dictionary_page_offset().unwrap_or_else(|| column.data_page_offset());
    let start = u64::try_from(start).ok()?;
    let end = start.checked_add(u64::try_from(column.compressed_size()).ok()?)?;
    (end <= length).then_some(start..end)
}

/// Some bytes of a file, by where they begin.
struct Parts {
    length: u64,
    parts: Vec<(u64, Bytes)>,
}

impl Parts {
    /// What there is from `start` on, at least `length` bytes.
    fn from(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        let within = |(first, bytes): &(u64, Bytes)| {
            let skipped = usize::try_from(start.checked_sub(*first)?).ok()?;
            (bytes.len().checked_sub(skipped)? >= length).then(|| bytes.slice(skipped..))
        };
        let found = self.parts.iter().find_map(within);
        found.ok_or_else(|| ParquetError::General(format!("byte {start} is in neither footer nor column")))
    }
}

impl Length for Parts {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Parts {
    type T = Bytewise<Bytes>;

    fn get_read(&self, start: u64) -> Result<Self::T, ParquetError> {
        Ok(self.from(start, 1)?.reader())
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes, ParquetError> {
        Ok(self.from(start, length)?.slice(..length))
    }
}
