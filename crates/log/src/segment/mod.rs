//! Segment files: the bytes of the log.
//!
//! A segment is `<first offset, 20 digits>.log`. It starts with a [header](format::Header); then come records (length,
//! checksum, payload) and marks. A *mark* precedes every group of records written at once, and says up to which offset
//! everything was on disk when it was written. That is what tells a torn tail from damage: a bad record that a later
//! mark calls durable was complete once, so the file was damaged and the log refuses to go on; a bad record that no
//! mark vouches for was never acknowledged, and is cut. Zeros, garbage, a length past the end and pages that reached the
//! disk out of order are all covered by this one rule. Checksums are seeded by the record's offset and the segment's
//! salt, so a record that stands at the wrong place does not pass, and a client cannot plant a mark in a text.
//!
//! Nothing in a segment refers to a byte position, so erasure can rewrite one and rename it into place.

pub(crate) mod format;
pub(crate) mod index;
pub(crate) mod recover;
pub(crate) mod rewrite;
pub(crate) mod scan;
pub(crate) mod segments;
