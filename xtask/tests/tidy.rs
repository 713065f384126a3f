//! The repository itself obeys the rules of `cargo xtask tidy`, at every `cargo test`.

use xtask::tidy::{self, Tree};

#[test]
fn the_repository_is_tidy() {
    let tree = Tree::read(xtask::root()).expect("the repository can be read");
    assert!(tree.paths().contains("Cargo.toml"), "read from the wrong place");
    let findings: Vec<String> = tidy::check(&tree).iter().map(ToString::to_string).collect();
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}
