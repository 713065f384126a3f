//! The durable, ordered log of events.
//!
//! [`EventLog`] is what the rest of Headwater knows: partitions, one offset per partition, appends that are durable
//! when they resolve, reads from an offset, subscriptions. The embedded log has one partition; a partitioned broker
//! fits below the same trait.

pub mod api;
pub mod error;

pub use api::{
    Appended, Appending, Batch, EventLog, Offset, Outcome, Partition, Position, Subscription, Truncated,
};
pub use error::LogError;
