//! The words of Headwater: events, ids, schema, time and seeded randomness.
//!
//! Every other crate may depend on this one, so it stays small: plain data, its validation, and nothing that
//! does I/O. Wire formats live elsewhere (records in `headwater-log`, JSON in `headwater-server`).

pub mod event;
pub mod feature;
pub mod id;
pub mod invalid;
pub mod kind;
pub mod random;
pub mod schema;
pub mod time;
pub mod value;

pub use event::{Actor, Decision, Event, Fact, Interaction, Rung, Shown, Stage};
pub use feature::{FeatureType, FeatureValue, LoggedFeatures};
pub use id::{EventId, ItemId, RequestId, SessionId, UserId};
pub use invalid::Invalid;
pub use kind::ErrorKind;
pub use schema::Schema;
pub use time::{Clock, Timestamp};
pub use value::{Fields, Value};
