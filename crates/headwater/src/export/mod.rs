//! Taking data out: events of the log as JSON lines or as a Parquet table.

pub mod parquet;
