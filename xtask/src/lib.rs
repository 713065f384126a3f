//! The repository's chores as a library, so that tests can run them too.

pub mod tidy;

use std::path::Path;

/// The repository's root, wherever the chore was started from.
pub fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}
