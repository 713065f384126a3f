//! Profiles that are not in memory.
//!
//! Users and sessions grow with the population; everything else the views hold grows with the catalogue. With a limit,
//! the users and sessions of whom nothing was received for longest are kept in a scratch database on the disk (`Cold`)
//! and come back with their next event. Who only reads gets a copy.
//!
//! An entity is in memory or on the disk, never in both but while it moves, and then memory comes first. Which of the
//! two shows nowhere: reads are equal, and so are the bytes of a checkpoint. The database is never synced and starts
//! empty: what is durable are checkpoints and the log.

mod cold;
mod evict;
mod store;
mod thaw;
mod views;

use std::io::{Read, Write};
use std::path::PathBuf;

use crate::FeaturesError;
use crate::bytes::{Reader, Writer};
use crate::profiles::Idle;
pub(crate) use cold::{Cold, Found, OnDisk};
pub(crate) use evict::{Hand, all_bytes, bytes_of, make_room};
pub(crate) use thaw::Touched;

/// Kinds of entities that spill: users, sessions and the rows of sessions.
const KINDS: usize = 3;

/// When profiles go to the disk, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpillOptions {
    /// Bytes of memory for users and sessions, about. What is beyond goes to the disk.
    pub limit: usize,
    /// The folder for it. Each view has a folder of its own within, which it removes when it is dropped; what a crash
    /// left there is the caller's to remove.
    pub folder: PathBuf,
}

/// How much is where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpillFigures {
    /// Bytes of users and sessions in memory, about.
    pub memory_bytes: usize,
    /// Users, sessions and rows of sessions on the disk, about: those that went idle are counted until the next
    /// checkpoint.
    pub on_disk: u64,
    /// How many came back from the disk since the start.
    pub thawed: u64,
    /// Reads of requests that the disk refused.
    pub failed_reads: u64,
}

/// What can be put on the disk.
pub(crate) trait Spilled: Sized {
    /// Tells keys apart; below [`KINDS`].
    const KIND: u8;

    /// When its latest event was received; microseconds.
    fn stamp(&self) -> i64;
    /// Bytes it holds beyond itself, about.
    fn heap_bytes(&self) -> usize;
    /// After how long it is idle.
    fn idle(idle: Idle) -> i64;
    /// What is left of it once it is.
    fn forgotten(self) -> Option<Self>;
    fn encode<W: Write>(&self, writer: &mut Writer<W>) -> Result<(), FeaturesError>;
    fn decode<R: Read>(cold: &Cold, reader: &mut Reader<R>) -> Result<Self, FeaturesError>;
}
