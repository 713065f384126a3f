//! What a crate must stay free of, beyond the arrows.
//!
//! `models` and `stats` are mathematics: no disk, no network, no async, no clock, no environment.
//! Only `server` (and the binary that starts it) knows HTTP. Only `headwater` reads the environment;
//! tests may, because the real-data suites are given their folder in `HEADWATER_DATA`.

use super::{Finding, Package, Tree};

const MATHEMATICS: &[&str] = &["headwater-models", "headwater-stats"];
const KNOWS_HTTP: &[&str] = &["headwater-server", "headwater"];
const READS_ENVIRONMENT: &[&str] = &["headwater", "xtask"];

const ASYNC_AND_DISK_CRATES: &[&str] = &["tokio", "futures", "rusqlite", "parquet", "tempfile"];
const HTTP_CRATES: &[&str] = &["axum", "hyper", "tower", "tower-http", "utoipa"];
const IMPURE_CODE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::io",
    "std::env",
    "std::process",
    "Instant::now",
    "SystemTime",
    "async fn",
    "env::var(",
];

/// Reports dependencies and code that a crate promised to do without.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in tree.packages() {
        let name = package.name.as_str();
        if MATHEMATICS.contains(&name) {
            refuse_crates(
                &package,
                ASYNC_AND_DISK_CRATES,
                "mathematics does no I/O and no async",
                &mut findings,
            );
            refuse_code(
                tree,
                &package,
                IMPURE_CODE,
                "mathematics does no I/O and reads no clock",
                &mut findings,
            );
        }
        if !KNOWS_HTTP.contains(&name) {
            refuse_crates(&package, HTTP_CRATES, "only `server` knows HTTP", &mut findings);
        }
        if !READS_ENVIRONMENT.contains(&name) {
            let reads = ["env::var(", "env::var_os(", "env::vars("];
            refuse_code(tree, &package, &reads, "only `headwater` reads the environment", &mut findings);
        }
    }
    findings
}

fn refuse_crates(package: &Package, refused: &[&str], why: &str, findings: &mut Vec<Finding>) {
    for dependency in package.dependencies() {
        if refused.contains(&dependency.as_str()) {
            let message = format!("`{}` must not use `{dependency}`: {why}", package.name);
            findings.push(Finding::new(&package.manifest_path, message));
        }
    }
}

fn refuse_code(tree: &Tree, package: &Package, refused: &[&str], why: &str, findings: &mut Vec<Finding>) {
    let sources = format!("{}/src/", package.folder);
    for (path, text) in tree.texts_ending("rs") {
        if !path.starts_with(&sources) || is_test_file(path) {
            continue;
        }
        for (number, line) in product_lines(text) {
            if let Some(word) = refused.iter().find(|word| line.contains(**word)) {
                findings.push(Finding::at(path, number, format!("`{word}` in `{}`: {why}", package.name)));
            }
        }
    }
}

fn is_test_file(path: &str) -> bool {
    path.ends_with("/tests.rs") || path.contains("/tests/") || path.ends_with("_tests.rs")
}

/// Lines before the file's test module, without comments.
fn product_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().take_while(|(_, line)| !line.starts_with("#[cfg(test)]"));
    lines.filter(|(_, line)| !line.trim_start().starts_with("//")).map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(name: &str, dependencies: &str, source: &str) -> Tree {
        let manifest = format!("[package]\nname = \"{name}\"\n[dependencies]\n{dependencies}");
        Tree::of(&[("crates/x/Cargo.toml", &manifest), ("crates/x/src/lib.rs", source)])
    }

    #[test]
    fn mathematics_reads_no_clock() {
        let found = check(&tree("headwater-models", "", "//! M.\nfn f() { std::time::Instant::now(); }\n"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].place, "crates/x/src/lib.rs:2");
    }

    #[test]
    fn comments_and_tests_may_name_what_code_must_not() {
        let source = "// std::fs is not used\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        assert!(check(&tree("headwater-stats", "", source)).is_empty());
    }

    #[test]
    fn http_stays_in_the_server() {
        assert_eq!(check(&tree("headwater-pipeline", "axum.workspace = true", "")).len(), 1);
        assert!(check(&tree("headwater-server", "axum.workspace = true", "")).is_empty());
    }

    #[test]
    fn the_environment_is_read_in_one_place() {
        let source = "fn f() { let _ = std::env::var(\"HOME\"); }";
        assert_eq!(check(&tree("headwater-log", "", source)).len(), 1);
        assert!(check(&tree("headwater", "", source)).is_empty());
    }
}
