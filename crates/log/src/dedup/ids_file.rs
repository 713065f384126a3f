//! The sidecar of a sealed segment's ids.
//!
//! ```text
//! "HWIDSET" | version u8 | first u64 | end u64 | segment bytes u64 | ids u64 | filter bytes u64
//!           | crc32c of the filter u32 | crc32c of the header u32
//! filter
//! pages of 4,096 bytes: 255 hashes of 16 bytes in ascending order | crc32c u32 | zeros
//! ```

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::filter::Filter;
use super::{IdHash, Table};
use crate::disk::{Disk, failed, publish};
use crate::segment::format::{long, segment_path, word};
use crate::segment::index::Summary;
use crate::{LogError, Offset};

const MAGIC: &[u8; 8] = b"HWIDSET\x01";
const HEADER_BYTES: usize = 56;
const PAGE_BYTES: usize = 4096;
const HASH_BYTES: usize = 16;
const PAGE_HASHES: usize = 255;
const PAGE_BODY: usize = PAGE_HASHES * HASH_BYTES;

/// The ids of a sealed segment.
pub(crate) struct SealedIds {
    first: Offset,
    file: File,
    count: usize,
    pages_at: u64,
    filter: Option<Filter>,
}

impl SealedIds {
    /// Opens the sidecar of the segment; `None` where it is missing, damaged or of another segment.
    pub(crate) fn open(folder: &Path, summary: Summary) -> Option<Self> {
        let file = File::open(segment_path(folder, summary.first).with_extension("ids")).ok()?;
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).ok()?;
        let sound = &header[..8] == MAGIC
            && crc32c::crc32c(&header[..HEADER_BYTES - 4]) == word(&header, HEADER_BYTES - 4)
            && [long(&header, 8), long(&header, 16), long(&header, 24)]
                == [summary.first, summary.end, summary.bytes];
        if !sound {
            return None;
        }
        let count = usize::try_from(long(&header, 32)).ok()?;
        let filter_bytes = usize::try_from(long(&header, 40)).ok()?;
        let pages_at = (HEADER_BYTES + filter_bytes) as u64;
        let pages = count.div_ceil(PAGE_HASHES) * PAGE_BYTES;
        if file.metadata().ok()?.len() != pages_at + pages as u64 {
            return None;
        }
        let mut filter = vec![0; filter_bytes];
        file.read_exact_at(&mut filter, HEADER_BYTES as u64).ok()?;
        if crc32c::crc32c(&filter) != word(&header, 48) {
            return None;
        }
        let filter = Some(Filter::decode(&filter)?);
        Some(Self { first: summary.first, file, count, pages_at, filter })
    }

    /// Writes the sidecar of the segment, whole or not at all, and opens it.
    pub(crate) fn write(
        disk: &dyn Disk,
        folder: &Path,
        summary: Summary,
        table: &Table,
    ) -> Result<Self, LogError> {
        let hashes = table.sorted();
        let filter = Filter::of(&hashes);
        let encoded = filter.encode();
        let pages = hashes.len().div_ceil(PAGE_HASHES);
        let mut out = Vec::with_capacity(HEADER_BYTES + encoded.len() + pages * PAGE_BYTES);
        out.extend_from_slice(MAGIC);
        let numbers = [summary.first, summary.end, summary.bytes, hashes.len() as u64, encoded.len() as u64];
        for number in numbers {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&crc32c::crc32c(&encoded).to_le_bytes());
        let checksum = crc32c::crc32c(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out.extend_from_slice(&encoded);
        for page in hashes.chunks(PAGE_HASHES) {
            let start = out.len();
            for hash in page {
                out.extend_from_slice(&hash.to_le_bytes());
            }
            out.resize(start + PAGE_BODY, 0);
            let checksum = crc32c::crc32c(&out[start..]);
            out.extend_from_slice(&checksum.to_le_bytes());
            out.resize(start + PAGE_BYTES, 0);
        }
        let path = segment_path(folder, summary.first).with_extension("ids");
        publish(disk, &path, &out)?;
        let file = File::open(&path).map_err(failed("open", &path))?;
        let pages_at = (HEADER_BYTES + encoded.len()) as u64;
        Ok(Self { first: summary.first, file, count: hashes.len(), pages_at, filter: Some(filter) })
    }

    /// Lets the sidecar that belongs to the segment `old` belong to `new`, which holds the same ids or had them once.
    /// Answers whether there was a sound one.
    pub(crate) fn readdress(
        disk: &dyn Disk,
        folder: &Path,
        old: Summary,
        new: Summary,
    ) -> Result<bool, LogError> {
        if Self::open(folder, old).is_none() {
            return Ok(false);
        }
        let path = segment_path(folder, old.first).with_extension("ids");
        let mut contents = std::fs::read(&path).map_err(failed("read", &path))?;
        contents[24..32].copy_from_slice(&new.bytes.to_le_bytes());
        let checksum = crc32c::crc32c(&contents[..HEADER_BYTES - 4]);
        contents[HEADER_BYTES - 4..HEADER_BYTES].copy_from_slice(&checksum.to_le_bytes());
        publish(disk, &path, &contents)?;
        Ok(true)
    }

    /// First offset of the segment.
    pub(crate) fn first(&self) -> Offset {
        self.first
    }

    /// Memory the filter takes.
    pub(crate) fn filter_bytes(&self) -> usize {
        self.filter.as_ref().map_or(0, Filter::bytes)
    }

    /// Gives the filter's memory back; lookups then always read the disk.
    pub(crate) fn drop_filter(&mut self) {
        self.filter = None;
    }

    /// Whether the segment holds an event with this id; an error where the sidecar is damaged.
    pub(crate) fn contains(&self, hash: IdHash) -> Result<bool, String> {
        if self.count == 0 || self.filter.as_ref().is_some_and(|filter| !filter.may_contain(hash)) {
            return Ok(false);
        }
        self.search(hash)
    }

    /// Hashes are spread evenly, so a page is found by where its hashes should stand; a step that does not halve what
    /// is left falls back to the middle, which bounds the search whatever the file holds.
    fn search(&self, hash: IdHash) -> Result<bool, String> {
        let pages = self.count.div_ceil(PAGE_HASHES);
        let (mut low, mut high) = (0, pages);
        let mut guess = (((hash >> 64) * pages as u128) >> 64) as usize;
        let mut steps = 0;
        while low < high {
            let page = self.page(guess)?;
            let (Some(smallest), Some(largest)) = (page.first(), page.last()) else {
                return Err(format!("page {guess} is empty"));
            };
            if hash < *smallest {
                high = guess;
            } else if hash > *largest {
                low = guess + 1;
            } else {
                return Ok(page.binary_search(&hash).is_ok());
            }
            steps += 1;
            guess = if steps > 4 {
                low + (high - low) / 2
            } else if hash < *smallest {
                guess.saturating_sub(1)
            } else {
                guess + 1
            };
        }
        Ok(false)
    }

    fn page(&self, number: usize) -> Result<Vec<IdHash>, String> {
        let mut page = [0; PAGE_BYTES];
        let at = self.pages_at + (number * PAGE_BYTES) as u64;
        self.file.read_exact_at(&mut page, at).map_err(|error| error.to_string())?;
        if crc32c::crc32c(&page[..PAGE_BODY]) != word(&page, PAGE_BODY) {
            return Err(format!("the checksum of page {number} does not match"));
        }
        let held = (self.count - number * PAGE_HASHES).min(PAGE_HASHES);
        let hash = |bytes: &[u8]| u128::from(long(bytes, 0)) | (u128::from(long(bytes, 8)) << 64);
        Ok(page[..held * HASH_BYTES].chunks_exact(HASH_BYTES).map(hash).collect())
    }
}
