//! A real server on port 0, asked over plain TCP.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod answers;
mod client;
mod entities;
mod events;
mod keys;
mod limits;
mod operation;
mod server;
