//! `cargo xtask CHORE`: what the repository needs done and no user of Headwater does.
//!
//! One line per chore in [`CHORES`]; the work itself lives in a module of the chore's name.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

/// A chore: its name, one line about it, and what runs it (given the repository's root and the
/// arguments after the name; false when it found something wrong).
type Chore = (&'static str, &'static str, fn(&Path, &[String]) -> Result<bool>);

const CHORES: &[Chore] = &[("tidy", "check the rules that no compiler knows", tidy)];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let chore = arguments.first().and_then(|name| CHORES.iter().find(|chore| chore.0 == name));
    let Some((name, _, run)) = chore else {
        say("usage: cargo xtask CHORE");
        for (name, about, _) in CHORES {
            say(&format!("  {name:<8} {about}"));
        }
        return ExitCode::from(2);
    };
    match run(xtask::root(), &arguments[1..]) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("{name}: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn tidy(root: &Path, _arguments: &[String]) -> Result<bool> {
    let tree = xtask::tidy::Tree::read(root).context("reading the repository")?;
    let mut findings = xtask::tidy::check(&tree);
    findings.extend(xtask::tidy::toolchain::check(&tree, &xtask::tidy::toolchain::running()?));
    for finding in &findings {
        say(&finding.to_string());
    }
    say(&format!("tidy: {} files read, {} findings", tree.paths().len(), findings.len()));
    Ok(findings.is_empty())
}

#[allow(clippy::print_stderr, reason = "a chore's whole output is for a person at a terminal")]
fn say(line: &str) {
    eprintln!("{line}");
}
