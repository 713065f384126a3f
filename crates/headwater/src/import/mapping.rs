//! Which column of a table means what.

use compact_str::CompactString;
use headwater_base::schema::one_of;
use headwater_base::value::FieldType;
use headwater_base::{
    Actor, Event, EventId, Fact, Fields, Interaction, Invalid, ItemId, RequestId, Schema, SessionId,
    Timestamp, UserId,
};

use super::ImportError;
use super::cell::Cell;
use super::times::TimeFormat;

/// What the rows of a table are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Rows {
    /// Somebody did something to an item.
    #[default]
    Interactions,
    /// Items with their fields.
    Items,
    /// Users with their fields.
    Users,
}

/// How a table is to be read, as asked for.
#[derive(Clone, Debug, Default)]
pub struct TableOptions {
    /// What its rows are.
    pub rows: Rows,
    /// What an event needs, and the column that has it: `("user", "customer_id")`.
    pub columns: Vec<(String, String)>,
    /// The interaction type where no column says it.
    pub interaction: Option<String>,
    /// How its times are written.
    pub times: TimeFormat,
}

/// A table's columns bound to what they mean.
#[derive(Debug)]
pub struct Binding {
    rows: Rows,
    interaction: Option<CompactString>,
    times: TimeFormat,
    id: Option<usize>,
    time: Option<usize>,
    user: Option<usize>,
    session: Option<usize>,
    item: Option<usize>,
    kind: Option<usize>,
    value: Option<usize>,
    request_id: Option<usize>,
    available: Option<usize>,
    fields: Vec<(CompactString, FieldType, usize)>,
    unused: Vec<String>,
}

const INTERACTION_NAMES: [&str; 8] = ["id", "type", "user", "session", "item", "time", "value", "request_id"];
const ITEM_NAMES: [&str; 4] = ["id", "item", "time", "available"];
const USER_NAMES: [&str; 3] = ["id", "user", "time"];
const CONTEXT: &str = "context.";

impl Binding {
    /// Binds the columns of `header`: first as `options` say, then by equal names.
    ///
    /// # Errors
    /// A meaning or a column that does not exist, or a needed one that nothing maps to.
    pub fn new(header: &[&str], options: &TableOptions, schema: &Schema) -> Result<Self, ImportError> {
        let (fixed, prefix, declared) = match options.rows {
            Rows::Interactions => (&INTERACTION_NAMES[..], CONTEXT, &schema.context),
            Rows::Items => (&ITEM_NAMES[..], "", &schema.items),
            Rows::Users => (&USER_NAMES[..], "", &schema.users),
        };
        let mut names: Vec<String> = fixed.iter().map(|name| (*name).to_owned()).collect();
        names.extend(declared.keys().map(|name| format!("{prefix}{name}")));
        for (meaning, column) in &options.columns {
            let known: Vec<&str> = names.iter().map(String::as_str).collect();
            if !known.contains(&meaning.as_str()) {
                let expected = one_of(&known, meaning);
                return Err(ImportError::Columns(format!(
                    "--map {meaning}={column}: `{meaning}` is not {expected}"
                )));
            }
            if !header.contains(&column.as_str()) {
                let expected = one_of(header, column);
                return Err(ImportError::Columns(format!(
                    "--map {meaning}={column}: the file has no column `{column}`, it has {expected}"
                )));
            }
        }
        let mut used = vec![false; header.len()];
        let mut find = |meaning: &str| {
            let mapped = options.columns.iter().find(|(name, _)| name == meaning);
            let column = mapped.map_or(meaning, |(_, column)| column.as_str());
            let index = header.iter().position(|name| *name == column)?;
            used[index] = true;
            Some(index)
        };
        let mut binding = Self {
            rows: options.rows,
            interaction: options.interaction.as_deref().map(CompactString::from),
            times: options.times.clone(),
            id: find("id"),
            time: find("time"),
            user: None,
            session: None,
            item: None,
            kind: None,
            value: None,
            request_id: None,
            available: None,
            fields: declared
                .iter()
                .filter_map(|(name, kind)| Some((name.clone(), *kind, find(&format!("{prefix}{name}"))?)))
                .collect(),
            unused: Vec::new(),
        };
        match options.rows {
            Rows::Interactions => {
                binding.user = find("user");
                binding.session = find("session");
                binding.item = find("item");
                binding.kind = find("type");
                binding.value = find("value");
                binding.request_id = find("request_id");
            }
            Rows::Items => {
                binding.item = find("item");
                binding.available = find("available");
            }
            Rows::Users => binding.user = find("user"),
        }
        binding.unused = header
            .iter()
            .zip(&used)
            .filter(|(_, used)| !**used)
            .map(|(name, _)| (*name).to_owned())
            .collect();
        binding.complete(header, schema)?;
        Ok(binding)
    }

    /// Columns that mean nothing here.
    pub fn unused(&self) -> &[String] {
        &self.unused
    }

    fn complete(&self, header: &[&str], schema: &Schema) -> Result<(), ImportError> {
        let missing = |what: &str| {
            Err(ImportError::Columns(format!(
                "no column is named `{what}`: say which one it is, as in `--map {what}={}`; the file has {}",
                header.first().unwrap_or(&"COLUMN"),
                header.join(", ")
            )))
        };
        match self.rows {
            Rows::Interactions if self.item.is_none() => missing("item"),
            Rows::Interactions if self.user.is_none() && self.session.is_none() => missing("user"),
            Rows::Interactions if self.kind.is_none() => match &self.interaction {
                None => Err(ImportError::Columns(
                    "no column is named `type`: give one with `--map type=COLUMN`, or say what all rows are with `--type click`"
                        .to_owned(),
                )),
                Some(kind) if !schema.interactions.contains_key(kind) => {
                    let invalid = schema.unknown_type(kind);
                    Err(ImportError::Columns(format!(
                        "--type {kind}: the settings declare {}; add `[interactions.{kind}]` to use it",
                        invalid.expected
                    )))
                }
                Some(_) => Ok(()),
            },
            Rows::Items if self.item.is_none() => missing("item"),
            Rows::Users if self.user.is_none() => missing("user"),
            _ => Ok(()),
        }
    }

    /// The event of one row. `cell` gives the value of a column; `row` is an id for a row that brings none, the same
    /// whenever the same file is read.
    pub fn event<'a>(
        &self,
        cell: &dyn Fn(usize) -> Cell<'a>,
        row: impl FnOnce() -> CompactString,
        received: Timestamp,
    ) -> Result<Event, Invalid> {
        let at = |column: Option<usize>| column.map(cell).unwrap_or_default();
        let id = match at(self.id) {
            Cell::Missing => EventId::trusted(row()),
            given => EventId::parse(&given.word())?,
        };
        let time = match at(self.time) {
            Cell::Missing => received,
            given => self.times.read("time", &given)?,
        };
        let fact = match self.rows {
            Rows::Interactions => self.interaction(&at, cell)?,
            Rows::Items => Fact::ItemUpsert {
                item: ItemId::parse(&at(self.item).word())?,
                fields: self.fields("fields.", cell)?,
                removed: Vec::new(),
                available: match at(self.available) {
                    Cell::Missing => None,
                    given => Some(given.truth("available")?),
                },
                patch: false,
            },
            Rows::Users => Fact::UserUpsert {
                user: UserId::parse(&at(self.user).word())?,
                fields: self.fields("fields.", cell)?,
                removed: Vec::new(),
                patch: false,
            },
        };
        Ok(Event { id, time, received, fact })
    }

    fn interaction<'a>(
        &self,
        at: &dyn Fn(Option<usize>) -> Cell<'a>,
        cell: &dyn Fn(usize) -> Cell<'a>,
    ) -> Result<Fact, Invalid> {
        let user = match at(self.user) {
            Cell::Missing => None,
            given => Some(UserId::parse(&given.word())?),
        };
        let session = match at(self.session) {
            Cell::Missing => None,
            given => Some(SessionId::parse(&given.word())?),
        };
        if user.is_none() && session.is_none() {
            return Err(Invalid::missing("user", "a user or a session"));
        }
        let kind = match (at(self.kind), &self.interaction) {
            (Cell::Missing, Some(default)) => default.clone(),
            (Cell::Missing, None) => return Err(Invalid::missing("type", "an interaction type")),
            (given, _) => given.word(),
        };
        Ok(Fact::Interaction(Interaction {
            kind,
            actor: Actor { user, session },
            item: ItemId::parse(&at(self.item).word())?,
            value: match at(self.value) {
                Cell::Missing => None,
                given => Some(given.number("value")? as f32),
            },
            request_id: match at(self.request_id) {
                Cell::Missing => None,
                given => Some(RequestId::parse(&given.word())?),
            },
            context: self.fields(CONTEXT, cell)?,
        }))
    }

    fn fields<'a>(&self, prefix: &str, cell: &dyn Fn(usize) -> Cell<'a>) -> Result<Fields, Invalid> {
        let mut fields = Fields::default();
        for (name, declared, column) in &self.fields {
            let given = cell(*column);
            if given.is_present() {
                let value = given.value(name, *declared, &self.times);
                fields.set(
                    name.clone(),
                    value.map_err(|invalid| invalid.within(prefix.trim_end_matches('.')))?,
                );
            }
        }
        Ok(fields)
    }
}
