//! Which crate may use which: the arrows of `ARCHITECTURE.md`, and nothing else.
//!
//! The rule holds for test dependencies too: a test that needs an arrow backwards belongs to the
//! crate above (or to `crates/headwater/tests/it`).

use super::{Finding, Tree};

/// Each crate of the workspace with the crates it may use. `headwater` wires everything.
const ARROWS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("log", &["base"]),
    ("models", &["base"]),
    ("stats", &["base"]),
    ("registry", &["base"]),
    ("features", &["base", "log", "models"]),
    ("training", &["base", "features", "log", "models", "registry", "stats"]),
    ("pipeline", &["base", "features", "log", "models", "stats"]),
    ("server", &["base", "features", "log", "pipeline", "registry", "stats"]),
    (
        "headwater",
        &["base", "features", "log", "models", "pipeline", "registry", "server", "stats", "training"],
    ),
    ("xtask", &[]),
];

/// Reports arrows that are not allowed, and crates that the list above does not know.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages() {
        let short = short_name(&package.name);
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == short) else {
            findings.push(Finding::new(
                &package.manifest_path,
                format!("the crate `{short}` has no arrows yet: decide them in xtask/src/tidy/arrows.rs and ARCHITECTURE.md"),
            ));
            continue;
        };
        for dependency in package.dependencies() {
            let target = short_name(&dependency);
            let is_ours = ARROWS.iter().any(|(name, _)| *name == target) && is_workspace_name(&dependency);
            if is_ours && !allowed.contains(&target) {
                let list = if allowed.is_empty() { "no other crate".to_owned() } else { allowed.join(", ") };
                findings.push(Finding::new(
                    &package.manifest_path,
                    format!("`{short}` must not use `{target}`; it may use {list} (see ARCHITECTURE.md)"),
                ));
            }
        }
    }
    findings
}

fn short_name(package: &str) -> &str {
    package.strip_prefix("headwater-").unwrap_or(package)
}

/// `log` and `base` are also names of other people's crates.
fn is_workspace_name(package: &str) -> bool {
    package == "headwater" || package == "xtask" || package.starts_with("headwater-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, dependencies: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"{name}\"\n{dependencies}");
        check(&Tree::of(&[("crates/x/Cargo.toml", &manifest)])).iter().map(|f| f.message.clone()).collect()
    }

    #[test]
    fn an_arrow_of_the_list_passes() {
        assert!(
            findings("headwater-server", "[dependencies]\nheadwater-pipeline.workspace = true").is_empty()
        );
    }

    #[test]
    fn an_arrow_backwards_is_named() {
        let found = findings("headwater-log", "[dev-dependencies]\nheadwater-features.workspace = true");
        assert_eq!(found.len(), 1);
        assert!(found[0].starts_with("`log` must not use `features`; it may use base"), "{}", found[0]);
    }

    #[test]
    fn a_renamed_or_platform_arrow_is_seen() {
        let renamed = "[dependencies]\nother = { package = \"headwater-training\", path = \"../training\" }";
        assert_eq!(findings("headwater-server", renamed).len(), 1);
        let platform = "[target.'cfg(unix)'.dependencies]\nheadwater-training = { path = \"../training\" }";
        assert_eq!(findings("headwater-server", platform).len(), 1);
    }

    #[test]
    fn the_crate_called_log_on_crates_io_is_not_ours() {
        assert!(findings("headwater-models", "[dependencies]\nlog = \"0.4\"").is_empty());
    }

    #[test]
    fn an_unknown_crate_asks_for_a_decision() {
        assert!(findings("headwater-extras", "")[0].contains("no arrows yet"));
    }
}
