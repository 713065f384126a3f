//! The compiler in use is the one the workspace was written for.
//!
//! `rust-toolchain.toml` says `stable`, so that a machine with any recent compiler can build;
//! `rust-version` says which one the gate runs with. See `docs/decisions/0005-toolchain.md`.

use std::process::Command;

use anyhow::{Context, Result};

use super::{Finding, Tree};

/// Compares `rust-version` with the output of `rustc --version`, to the minor version.
pub fn check(tree: &Tree, running: &str) -> Vec<Finding> {
    let workspace = tree.workspace();
    let pinned = workspace.get("workspace").and_then(|w| w.get("package")?.get("rust-version")?.as_str());
    let pinned = pinned.and_then(minor_version);
    let actual = running.split_whitespace().nth(1).and_then(minor_version);
    if pinned.is_some() && pinned == actual {
        return Vec::new();
    }
    let wanted = pinned.map_or_else(|| "missing".to_owned(), |(major, minor)| format!("{major}.{minor}"));
    vec![Finding::new(
        "Cargo.toml",
        format!("rust-version is {wanted} and the compiler is `{}`", running.trim()),
    )]
}

/// What `rustc --version` prints here.
pub fn running() -> Result<String> {
    let output = Command::new("rustc").arg("--version").output().context("running rustc --version")?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn minor_version(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minor_version_decides() {
        let tree = Tree::of(&[("Cargo.toml", "[workspace.package]\nrust-version = \"1.95\"")]);
        assert!(check(&tree, "rustc 1.95.3 (abc 2026-05-01)").is_empty());
        assert_eq!(check(&tree, "rustc 1.96.0 (abc 2026-06-01)").len(), 1);
        assert_eq!(check(&Tree::of(&[]), "rustc 1.95.0 (abc)").len(), 1);
    }
}
