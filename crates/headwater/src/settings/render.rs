//! Prints the effective settings as TOML, saying beside each value where it came from.

use std::fmt::Write as _;

use miette::{IntoDiagnostic as _, Result};
use toml::{Table, Value};

use super::load::{Loaded, Origin};

/// The effective settings: one line a key, `# default` or `# from NAME` behind what the file does not say.
pub fn effective(loaded: &Loaded) -> Result<String> {
    let table = Table::try_from(&loaded.settings).into_diagnostic()?;
    let mut out = String::new();
    write_table(&mut out, loaded, &table, "");
    Ok(out)
}

fn write_table(out: &mut String, loaded: &Loaded, table: &Table, path: &str) {
    let values: Vec<_> = table.iter().filter(|(_, value)| !value.is_table()).collect();
    if !values.is_empty() && !path.is_empty() {
        if !out.is_empty() {
            out.push('\n');
        }
        let _ = writeln!(out, "[{path}]");
    }
    for (key, value) in values {
        let note = match loaded.origin(&dotted(path, key)) {
            Origin::File => String::new(),
            Origin::Default => "  # default".to_owned(),
            Origin::Override(name) => format!("  # from {name}"),
        };
        let _ = writeln!(out, "{} = {}{note}", quoted(key), shortest(value));
    }
    for (key, value) in table {
        if let Value::Table(below) = value {
            write_table(out, loaded, below, &dotted(path, key));
        }
    }
}

fn dotted(path: &str, key: &str) -> String {
    let key = quoted(key);
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

fn quoted(key: &str) -> String {
    let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if bare { key.to_owned() } else { Value::String(key.to_owned()).to_string() }
}

/// Numbers that were `f32` print as they were written, not with the digits of their `f64` neighbour.
fn shortest(value: &Value) -> String {
    match value {
        Value::Float(number) if f64::from(*number as f32) == *number => format!("{:?}", *number as f32),
        other => other.to_string(),
    }
}
