//! The whole system from outside: the real binary, real sockets, real files.
#![allow(clippy::unwrap_used, reason = "a helper of a test fails the test by panicking")]

mod archive;
mod bench;
mod champions;
mod commands;
mod crash;
mod demo;
mod erasure;
mod examples;
mod features;
mod features_backfill;
mod features_check;
mod features_values;
mod import;
mod serve;
mod settings;
mod support;
