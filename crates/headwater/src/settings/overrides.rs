//! `HEADWATER_SECTION__KEY=value` in the environment lays one key over the file.
//!
//! `HEADWATER_SERVER__LISTEN=0.0.0.0:80` sets `server.listen`. Two underscores go one level down; names are lower-cased.
//! The value is read as TOML where it is TOML (`true`, `5`, `["a", "b"]`), else as text.

use headwater_base::schema::closest;
use toml::{Table, Value};

use super::{Settings, shape};

/// Variables that mean something else than a key of the settings.
pub const OTHER_VARIABLES: [&str; 4] =
    ["HEADWATER_DATA", "HEADWATER_DATA_DIR", "HEADWATER_LOG", "HEADWATER_SETTINGS"];

/// One override, and where it came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The variable's name.
    pub variable: String,
    /// The key it sets.
    pub path: String,
    /// The value it gives.
    pub value: Value,
}

/// Picks the overrides out of the environment, in the order of their names. A `HEADWATER_` variable that is no key is
/// an error with a suggestion.
pub fn from_environment(
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Vec<Override>, String> {
    let mut found = Vec::new();
    for (variable, text) in variables {
        let Some(rest) = variable.strip_prefix("HEADWATER_") else { continue };
        if OTHER_VARIABLES.contains(&variable.as_str()) {
            continue;
        }
        let path = rest.split("__").map(str::to_ascii_lowercase).collect::<Vec<_>>().join(".");
        let value = parse_value(&text);
        if let Some(problem) = unknown(&path) {
            return Err(format!("the environment variable {variable} is no setting: {problem}"));
        }
        found.push(Override { variable, path, value });
    }
    found.sort_by(|a, b| a.variable.cmp(&b.variable));
    Ok(found)
}

fn parse_value(text: &str) -> Value {
    let document = format!("value = {text}");
    match document.parse::<Table>() {
        Ok(mut table) if table.len() == 1 => {
            table.remove("value").unwrap_or_else(|| Value::String(text.to_owned()))
        }
        _ => Value::String(text.to_owned()),
    }
}

/// Says what is wrong with a path that leads nowhere in the schema.
fn unknown(path: &str) -> Option<String> {
    let mut schema = Settings::json_schema();
    for name in path.split('.') {
        let properties = schema.get("properties").and_then(|properties| properties.as_object());
        if let Some(below) = properties.and_then(|properties| properties.get(name)) {
            schema = below;
            continue;
        }
        if let Some(below) = schema.get("additionalProperties").filter(|additional| additional.is_object()) {
            schema = below;
            continue;
        }
        let names: Vec<&str> =
            properties.map(|all| all.keys().map(String::as_str).collect()).unwrap_or_default();
        return Some(match closest(&names, name) {
            Some(best) => format!("unknown key `{name}`; did you mean `{best}`?"),
            None => format!("unknown key `{name}` (HEADWATER_SERVER__LISTEN sets `server.listen`)"),
        });
    }
    None
}

/// Sets `path` in `table`, making the tables on the way.
pub fn set(table: &mut Table, path: &str, value: Value) -> Result<(), String> {
    let Some((parents, last)) = path.rsplit_once('.').map(|(head, last)| (head.split('.'), last)) else {
        table.insert(path.to_owned(), value);
        return Ok(());
    };
    let mut current = table;
    for name in parents {
        let below = current.entry(name).or_insert_with(|| Value::Table(Table::new()));
        current =
            below.as_table_mut().ok_or_else(|| format!("`{name}` in `{path}` is a value, not a table"))?;
    }
    current.insert(last.to_owned(), value);
    Ok(())
}

/// The mistakes an override makes against the schema, as text.
pub fn mistakes(override_: &Override) -> Vec<String> {
    let mut table = Table::new();
    if let Err(problem) = set(&mut table, &override_.path, override_.value.clone()) {
        return vec![problem];
    }
    let text = table.to_string();
    match toml::de::DeTable::parse(&text) {
        Ok(parsed) => shape::compare(parsed.get_ref(), Settings::json_schema())
            .into_iter()
            .map(|problem| problem.message)
            .collect(),
        Err(problem) => vec![problem.message().to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, value: &str) -> Result<Vec<Override>, String> {
        from_environment([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn values_are_toml_where_they_can_be_and_text_otherwise() {
        assert_eq!(read("HEADWATER_SERVER__LISTEN", "0.0.0.0:80").unwrap()[0].value, "0.0.0.0:80".into());
        assert_eq!(read("HEADWATER_LIMITS__BATCH", "500").unwrap()[0].value, 500.into());
        let sources = read("HEADWATER_SURFACES__HOME__SOURCES", "[\"popular\"]").unwrap();
        assert_eq!(sources[0].path, "surfaces.home.sources");
        assert_eq!(sources[0].value.as_array().map(Vec::len), Some(1));
        assert_eq!(
            read("HEADWATER_SERVER__LISTEN", "a\nserver = 1").unwrap()[0].value,
            "a\nserver = 1".into()
        );
    }

    #[test]
    fn an_unknown_variable_is_an_error_with_a_suggestion() {
        let problem = read("HEADWATER_SERVER__LISTN", "x").unwrap_err();
        assert!(problem.contains("did you mean `listen`?"), "{problem}");
        assert_eq!(read("HEADWATER_LOG", "debug"), Ok(vec![]));
        assert_eq!(read("PATH", "/bin"), Ok(vec![]));
    }
}
