//! The map stays true: every path named in `ARCHITECTURE.md` exists, every crate is on the map, and
//! every relative link in a document leads somewhere.

use super::{Finding, Tree};

const MAP: &str = "ARCHITECTURE.md";

/// Reports paths and links that lead nowhere, and crates missing from the map.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    match tree.text(MAP) {
        None => findings.push(Finding::new(MAP, "the map is missing")),
        Some(map) => {
            for (number, line) in map.lines().enumerate() {
                for path in named_paths(line).filter(|path| !tree.exists(path)) {
                    findings.push(Finding::at(MAP, number + 1, format!("`{path}` does not exist")));
                }
            }
            for package in tree.packages() {
                if !map.contains(&format!("`{}", package.folder)) {
                    findings
                        .push(Finding::new(MAP, format!("the crate `{}` is not on the map", package.folder)));
                }
            }
        }
    }
    for (path, text) in tree.texts_ending("md") {
        for (number, line) in text.lines().enumerate() {
            for target in relative_links(line) {
                let resolved = resolve(path, target);
                if !tree.exists(&resolved) {
                    findings.push(Finding::at(
                        path,
                        number + 1,
                        format!("link to `{resolved}`, which does not exist"),
                    ));
                }
            }
        }
    }
    findings
}

/// Words in backticks that look like a path from the root: with a slash, or a file's ending.
fn named_paths(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted.filter(|word| {
        let starts_like_one = word.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '.');
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
        let is_path = ["crates/", "xtask", "docs/", "clients/", ".ci/", ".cargo/"]
            .iter()
            .any(|top| word.starts_with(top))
            || [".md", ".toml"].iter().any(|end| word.ends_with(end) && !word.contains("headwater.toml"));
        starts_like_one && plain && is_path
    })
}

/// Targets of Markdown links that are neither addresses nor anchors, without their fragment.
fn relative_links(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| {
        let target = rest.split(')').next()?.split('#').next()?;
        let is_relative = !target.is_empty() && !target.contains("://") && !target.starts_with("mailto:");
        is_relative.then_some(target)
    })
}

fn resolve(from: &str, target: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_named_path_must_exist() {
        let map = "See `crates/log/src/api.rs`, `Views::apply` and `crates/gone/src`.";
        let found = check(&Tree::of(&[(MAP, map), ("crates/log/src/api.rs", "//! A.")]));
        assert_eq!(found, [Finding::at(MAP, 1, "`crates/gone/src` does not exist")]);
    }

    #[test]
    fn every_crate_is_on_the_map() {
        let manifest = ("crates/log/Cargo.toml", "[package]\nname = \"headwater-log\"");
        assert_eq!(check(&Tree::of(&[(MAP, "nothing"), manifest])).len(), 1);
        assert!(check(&Tree::of(&[(MAP, "`crates/log`"), manifest])).is_empty());
    }

    #[test]
    fn a_missing_map_is_a_finding() {
        assert_eq!(check(&Tree::of(&[])).len(), 1);
    }

    #[test]
    fn links_are_followed_from_where_they_stand() {
        let page = "[a](../errors.md#x) [b](https://example.org/c) [d](gone.md)";
        let tree = Tree::of(&[(MAP, ""), ("docs/errors.md", ""), ("docs/decisions/0001-log.md", page)]);
        let found = check(&tree);
        assert_eq!(found.len(), 1);
        assert!(found[0].message.contains("docs/decisions/gone.md"));
    }
}
