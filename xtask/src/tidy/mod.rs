//! Rules of the repository that neither the compiler nor Clippy knows.
//!
//! Each rule is a module with a `check(&Tree) -> Vec<Finding>`; a rule reads nothing but the
//! [`Tree`], so its tests build one from strings. [`check`] runs all that depend on the repository
//! alone; [`toolchain`] also depends on the machine and is run by `cargo xtask tidy` only, because
//! a newer compiler must not fail anybody's `cargo test`.

pub mod architecture;
pub mod arrows;
pub mod dependencies;
pub mod errors;
pub mod length;
pub mod module_docs;
pub mod names;
pub mod purity;
pub mod toolchain;
mod tree;

use std::fmt;

pub use tree::{Package, Tree};

/// Something that breaks a rule, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file, relative to the root, with `:line` where one is known.
    pub place: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Finding {
    /// A finding about a whole file.
    pub fn new(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self { place: place.into(), message: message.into() }
    }

    /// A finding about one line, counted from 1.
    pub fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), message)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.place, self.message)
    }
}

/// Every rule that depends on the repository alone.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let rules = [
        arrows::check,
        purity::check,
        architecture::check,
        dependencies::check,
        errors::check,
        length::check,
        module_docs::check,
        names::check,
    ];
    rules.iter().flat_map(|rule| rule(tree)).collect()
}
