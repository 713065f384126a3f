//! The state that `features values` and `features export` read: of now, or of a moment of the past.

use clap::Args;
use headwater_base::schema::{closest, one_of};
use headwater_base::value::FieldType;
use headwater_base::{Schema, Timestamp};
use headwater_features::declared::{FieldRef, Part};
use headwater_features::entity::Named;
use headwater_features::{Replay, ViewsOptions};
use headwater_log::{LogReader, Offset, Partition};

use super::super::context::Context;
use super::super::failure::{Failure, failed, usage};
use super::super::progress::Fold;
use crate::beside::{self, From};
use crate::platform::Layout;

/// More ids than this are not searched for one that was meant.
const SEARCHED: usize = 200_000;

/// Flags of what reads the state.
#[derive(Debug, Args)]
pub(super) struct PresentArgs {
    /// What else the features may depend on, as in `--with item=i1` or `--with context.device=mobile`; may be repeated.
    #[arg(long = "with", value_name = "ENTITY=ID")]
    with: Vec<String>,
    /// As it was at this RFC 3339 time: what had been received by then, with windows that end there [default: now].
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
}

/// See the module.
pub(super) struct Present {
    pub(super) replay: Replay,
    pub(super) options: ViewsOptions,
    pub(super) schema: Schema,
    /// The moment.
    pub(super) time: Timestamp,
    /// The first offset of which anything is known.
    pub(super) begun: Offset,
}

impl Present {
    /// Restores the newest checkpoint that can be used, and folds what came after it. Beside a running server, too.
    pub(super) fn of(context: &Context, args: &PresentArgs) -> Result<Self, Failure> {
        let settings = context.settings()?.settings;
        let registry = context.existing_registry()?;
        let specs = beside::active(registry.as_ref(), &settings)?;
        if specs.is_empty() {
            return Err(failed(
                "no_features",
                "no feature is declared",
                "declare features in the settings, as in `[features.NAME]`: docs/features.md",
            ));
        }
        let options = beside::options(&settings, &specs)?;
        let schema = settings.schema();
        let time = args.at.unwrap_or_else(|| context.clock.now());
        let log = LogReader::open(&Layout::of(&context.data_dir).events)?;
        let usable = |replay: &Replay| replay.received() <= time;
        let restored = beside::checkpoint(&context.data_dir, &log, &schema, &options, From::Newest, &usable)?;
        let begun = if restored.is_some() { 0 } else { log.start() };
        if begun > 0 {
            context.output.note(format!(
                "The log starts at offset {begun}, and no checkpoint holds what was before: it is not in these values."
            ));
        }
        let mut replay = restored.unwrap_or_else(|| Replay::new(&schema, &options));
        let from = beside::next(&replay).max(begun);
        let bar = Fold::new(context.output, log.end() - from, "events");
        for entry in log.events_from(from).inspect(|_| bar.tick()) {
            let (offset, event) = entry?;
            if event.received > time {
                break;
            }
            replay.fold(Partition(0), offset, &event);
        }
        bar.finish();
        Ok(Self { replay, options, schema, time, begun })
    }

    /// Adds an entity, which has to be known, to what is named.
    pub(super) fn name(&self, named: Named, part: &Part, id: &str) -> Result<Named, Failure> {
        // What is true of a moment need not have been met before.
        if !matches!(part, Part::Field(FieldRef::Context(_))) && !self.replay.knows(part, id) {
            return Err(self.unknown(part, id));
        }
        Ok(named.with(part, id))
    }

    /// Adds what `--with` says.
    pub(super) fn named_with(&self, args: &PresentArgs, mut named: Named) -> Result<Named, Failure> {
        for given in &args.with {
            let (entity, id) = given.split_once('=').ok_or_else(|| {
                usage(format!("--with {given} names no entity"), "write it as in --with item=i1")
            })?;
            named = self.name(named, &self.part(entity)?, id)?;
        }
        Ok(named)
    }

    /// A kind of entity by its name.
    pub(super) fn part(&self, entity: &str) -> Result<Part, Failure> {
        let wrong = || {
            let fields = [
                ("item", &self.schema.items),
                ("user", &self.schema.users),
                ("context", &self.schema.context),
            ];
            let categorical = fields.into_iter().flat_map(|(of, fields)| {
                let of_words = fields.iter().filter(|(_, kind)| **kind == FieldType::Categorical);
                of_words.map(move |(name, _)| format!("{of}.{name}"))
            });
            let all: Vec<String> =
                ["user", "session", "item"].map(str::to_owned).into_iter().chain(categorical).collect();
            let all: Vec<&str> = all.iter().map(String::as_str).collect();
            usage(
                format!("`{entity}` is no kind of entity"),
                &format!("expected {}: see `headwater features values --help`", one_of(&all, entity)),
            )
        };
        let part = Part::parse(entity).ok_or_else(wrong)?;
        match &part {
            Part::Field(field) if field.field_type(&self.schema) != Some(FieldType::Categorical) => {
                Err(wrong())
            }
            _ => Ok(part),
        }
    }

    fn unknown(&self, part: &Part, id: &str) -> Failure {
        let told = match part {
            Part::Field(field) => format!("the log knows no {field} `{id}`"),
            part => format!("the log knows no {part} `{id}`"),
        };
        let ids = self.replay.entities(part);
        let ids: Vec<&str> = ids.iter().map(AsRef::as_ref).collect();
        let meant = if ids.len() <= SEARCHED { closest(&ids, id) } else { None };
        let help = match (meant, ids.len()) {
            (Some(meant), _) => format!("is it `{meant}`?"),
            (None, 0) => format!("it knows no {part} at all, as of {}", self.time),
            (None, known) => format!("it knows {known} others, as of {}", self.time),
        };
        failed("unknown_entity", told, &help)
    }
}
