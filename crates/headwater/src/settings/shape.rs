//! Compares a settings file with the JSON Schema of [`Settings`](super::Settings): unknown keys and wrong types, all at once.
//!
//! Deserialising stops at the first mistake; this walk finds every one, so that a file is mended in one go. It knows
//! the part of JSON Schema that our own types generate: properties, additional properties, items, types (one or several),
//! enumerations.

use headwater_base::schema::{closest, one_of};
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::problem::Problem;

/// Every unknown key and wrong type of `table` under `schema`.
pub fn compare(table: &DeTable<'_>, schema: &Json) -> Vec<Problem> {
    let mut problems = Vec::new();
    compare_table(table, schema, "", &mut problems);
    problems
}

fn compare_table(table: &DeTable<'_>, schema: &Json, path: &str, problems: &mut Vec<Problem>) {
    let properties = schema.get("properties").and_then(Json::as_object);
    for (key, value) in table {
        let name = key.get_ref().as_ref();
        let full = if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        let known = properties.and_then(|properties| properties.get(name));
        let open = schema.get("additionalProperties").filter(|additional| additional.is_object());
        match known.or(open) {
            Some(below) => compare_value(value, below, &full, problems),
            None => {
                let names: Vec<&str> =
                    properties.map(|all| all.keys().map(String::as_str).collect()).unwrap_or_default();
                problems.push(unknown_key(key.span(), path, name, &names));
            }
        }
    }
}

fn unknown_key(span: std::ops::Range<usize>, path: &str, name: &str, names: &[&str]) -> Problem {
    let place = if path.is_empty() { "the settings".to_owned() } else { format!("`{path}`") };
    let message = match closest(names, name) {
        Some(best) => format!("unknown key `{name}`; did you mean `{best}`?"),
        None => format!("unknown key `{name}`"),
    };
    Problem::at(span, message).with_help(format!("{place} may hold {}", one_of(names, name)))
}

fn compare_value(value: &Spanned<DeValue<'_>>, schema: &Json, path: &str, problems: &mut Vec<Problem>) {
    let expected = expected_types(schema);
    let Some(found) = expected.iter().copied().find(|expected| fits(value.get_ref(), expected)) else {
        if !expected.is_empty() {
            let articles: Vec<&str> = expected.iter().map(|expected| article(expected)).collect();
            problems.push(
                Problem::at(
                    value.span(),
                    format!(
                        "`{path}` must be {}, not {}",
                        articles.join(" or "),
                        found_name(value.get_ref())
                    ),
                )
                .with_help(describe(schema, path)),
            );
        }
        return;
    };
    match (value.get_ref(), found) {
        (DeValue::Table(table), _) => compare_table(table, schema, path, problems),
        (DeValue::Array(array), _) => {
            if let Some(items) = schema.get("items") {
                for (index, item) in array.iter().enumerate() {
                    compare_value(item, items, &format!("{path}[{index}]"), problems);
                }
            }
        }
        (DeValue::String(text), _) => {
            let allowed: Vec<&str> = choices(schema);
            if !allowed.is_empty() && !allowed.contains(&text.as_ref()) {
                problems.push(
                    Problem::at(value.span(), format!("`{path}` cannot be \"{text}\""))
                        .with_help(format!("`{path}` is one of {}", one_of(&allowed, text))),
                );
            }
        }
        _ => {}
    }
}

/// The types that a value may have; none where the schema leaves it open.
fn expected_types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(only)) => vec![only],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

fn fits(value: &DeValue<'_>, expected: &str) -> bool {
    matches!(
        (value, expected),
        (DeValue::Table(_), "object")
            | (DeValue::Array(_), "array")
            | (DeValue::String(_), "string")
            | (DeValue::Integer(_), "integer" | "number")
            | (DeValue::Float(_), "number")
            | (DeValue::Boolean(_), "boolean")
    )
}

fn choices(schema: &Json) -> Vec<&str> {
    schema
        .get("enum")
        .and_then(Json::as_array)
        .map_or_else(Vec::new, |all| all.iter().filter_map(Json::as_str).collect())
}

fn article(expected: &str) -> &'static str {
    match expected {
        "object" => "a table",
        "array" => "a list",
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        _ => "true or false",
    }
}

fn found_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn describe(schema: &Json, path: &str) -> String {
    match schema.get("description").and_then(Json::as_str) {
        Some(text) => format!("`{path}`: {}", text.split_whitespace().collect::<Vec<_>>().join(" ")),
        None => format!("see `headwater check --schema` for `{path}`"),
    }
}

/// The bytes of the value at `path` (`surfaces.home.sources`), or of its nearest ancestor that is written out.
pub fn locate(table: &Spanned<DeTable<'_>>, path: &str) -> std::ops::Range<usize> {
    let mut span = table.span();
    let mut current = table.get_ref();
    for name in path.split('.') {
        let Some((key, value)) = current.iter().find(|(key, _)| key.get_ref() == name) else { break };
        match value.get_ref() {
            DeValue::Table(below) => {
                span = key.span();
                current = below;
            }
            _ => return value.span(),
        }
    }
    span
}
