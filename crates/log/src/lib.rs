//! The durable, ordered log of events.
//!
//! [`EventLog`] is what the rest of Headwater knows: partitions, one offset per partition, appends that are durable
//! when they resolve, reads from an offset, subscriptions. The embedded log has one partition; a partitioned broker
//! fits below the same trait.
//!
//! [`EmbeddedLog`] holds the events, [`DecisionLog`] the decisions, each in a folder of segment files of its own;
//! [`LogReader`] reads either while another process writes it. [`archive`] keeps both as Parquet.

pub mod api;
pub mod archive;
pub mod codec;
mod decisions;
mod dedup;
mod disk;
mod embedded;
pub mod erasure;
pub mod error;
mod lock;
mod options;
mod queue;
mod reader;
mod recovery;
pub mod request_id;
mod segment;
mod subscription;
mod tail;
#[cfg(test)]
mod tests;
mod writer;

pub use api::{
    Appended, Appending, Batch, EventLog, Offset, Outcome, Partition, Position, Subscription, Truncated,
};
pub use decisions::DecisionLog;
pub use embedded::EmbeddedLog;
pub use erasure::{Deletion, Erased, Erasure, Tie};
pub use error::LogError;
pub use options::{DecisionOptions, LogOptions};
pub use reader::{Events, LogReader};
pub use recovery::Recovery;
