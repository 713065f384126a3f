//! Every dependency has its reason in `docs/decisions/dependencies.md`, and every reason its dependency.
//!
//! A dependency's line is a table row that opens with its name in backticks.

use std::collections::BTreeSet;

use super::{Finding, Tree};

const PAGE: &str = "docs/decisions/dependencies.md";
const MANIFEST: &str = "Cargo.toml";

/// Reports dependencies without a line, lines without a dependency, and declared ones nobody uses.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let Some(page) = tree.text(PAGE) else { return vec![Finding::new(PAGE, "the page is missing")] };
    let explained: BTreeSet<&str> = page.lines().filter_map(explained_name).collect();
    let used: BTreeSet<String> =
        tree.packages().iter().flat_map(super::Package::dependencies).filter(|name| !is_ours(name)).collect();

    let mut findings = Vec::new();
    for name in used.iter().filter(|name| !explained.contains(name.as_str())) {
        let message =
            format!("`{name}` is used and has no row: why it, what it costs, what would replace it");
        findings.push(Finding::new(PAGE, message));
    }
    for name in explained.iter().filter(|name| !used.contains(**name)) {
        findings.push(Finding::new(PAGE, format!("`{name}` has a row and nobody uses it")));
    }
    for name in declared(tree).iter().filter(|name| !used.contains(*name) && !is_ours(name)) {
        findings.push(Finding::new(MANIFEST, format!("`{name}` is declared and nobody uses it")));
    }
    findings
}

fn explained_name(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split('`').next()
}

fn declared(tree: &Tree) -> BTreeSet<String> {
    let workspace = tree.workspace();
    let entries = workspace.get("workspace").and_then(|table| table.get("dependencies")?.as_table());
    entries.map(|table| table.keys().cloned().collect()).unwrap_or_default()
}

fn is_ours(name: &str) -> bool {
    name == "headwater" || name.starts_with("headwater-") || name == "xtask"
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: (&str, &str) =
        ("crates/x/Cargo.toml", "[package]\nname = \"headwater-x\"\n[dependencies]\nserde.workspace = true");

    #[test]
    fn a_dependency_needs_a_row() {
        assert!(check(&Tree::of(&[USER, (PAGE, "| `serde` | everyone speaks it |")])).is_empty());
        let found = check(&Tree::of(&[USER, (PAGE, "serde is mentioned, not explained")]));
        assert_eq!(found.len(), 1);
        assert!(found[0].message.starts_with("`serde` is used"));
    }

    #[test]
    fn a_row_or_a_declaration_without_use_is_stale() {
        let declared =
            "[workspace.dependencies]\nserde = \"1\"\nbytes = \"1\"\nheadwater-x = { path = \"crates/x\" }";
        let page = "| `serde` | a |\n| `gone` | b |";
        let found = check(&Tree::of(&[USER, (PAGE, page), (MANIFEST, declared)]));
        let messages: Vec<&str> = found.iter().map(|finding| finding.message.as_str()).collect();
        assert_eq!(
            messages,
            ["`gone` has a row and nobody uses it", "`bytes` is declared and nobody uses it"]
        );
    }
}
