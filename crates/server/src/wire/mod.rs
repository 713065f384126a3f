//! JSON as it comes in and goes out. Only this crate knows these shapes.

pub mod event;
pub mod fields;
pub mod reader;
pub mod recommend;
pub mod reply;
pub mod text;
