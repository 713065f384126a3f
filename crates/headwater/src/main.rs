//! The Headwater binary.

fn main() {}
