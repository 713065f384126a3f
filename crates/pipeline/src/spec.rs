//! A surface as plain data, and the words of the settings file parsed into it.

use std::time::Duration;

use compact_str::CompactString;
use headwater_base::Invalid;
use headwater_base::schema::one_of;

/// What a surface is assembled from.
#[derive(Clone, Debug, PartialEq)]
pub struct SurfaceSpec {
    /// The name requests use: `home`.
    pub name: CompactString,
    /// Where candidates come from. Order matters among sources of one rung; rungs order themselves.
    pub sources: Vec<SourceSpec>,
    /// What candidates must satisfy. Unavailable items never pass, whether listed or not.
    pub filters: Vec<FilterSpec>,
    /// What orders the candidates.
    pub scorer: ScorerSpec,
    /// How the ordered candidates become the answer.
    pub selector: SelectorSpec,
    /// Time for the whole request. Sources may start within its first three quarters.
    pub deadline: Duration,
    /// How many items are answered where the request does not say.
    pub limit: usize,
    /// The most a request may ask for.
    pub max_limit: usize,
}

impl SurfaceSpec {
    /// A surface with every stage at its default.
    pub fn named(name: impl Into<CompactString>) -> Self {
        Self {
            name: name.into(),
            sources: vec![
                SourceSpec::Model("ials".into()),
                SourceSpec::Neighbours,
                SourceSpec::Trending,
                SourceSpec::Popular,
            ],
            filters: vec![FilterSpec::Seen, FilterSpec::Available],
            scorer: ScorerSpec::Source,
            selector: SelectorSpec::TopK,
            deadline: Duration::from_millis(50),
            limit: 20,
            max_limit: 200,
        }
    }
}

/// A source of candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceSpec {
    /// The champion of this name in the registry: `ials`, `filter`, `peers`, `blend`, or `model(NAME)` for another name.
    Model(CompactString),
    /// Co-visitation with the item asked about, or with what the actor touched last.
    Neighbours,
    /// The latest sessions like the actor's, or those with the item asked about.
    Sessions,
    /// What moves now.
    Trending,
    /// What always works.
    Popular,
}

const SOURCES: [&str; 9] =
    ["ials", "filter", "peers", "blend", "neighbours", "sessions", "trending", "popular", "model(NAME)"];
/// Models that are named by their kind alone.
const MODELS: [&str; 4] = ["ials", "filter", "peers", "blend"];

impl SourceSpec {
    /// Parses a word of `sources = [...]`.
    pub fn parse(word: &str) -> Result<Self, Invalid> {
        let unknown = || Invalid::new("unknown_source", "sources", word, one_of(&SOURCES, word));
        match call(word) {
            Some((name, None)) if MODELS.contains(&name) => Ok(Self::Model(name.into())),
            Some(("neighbours", None)) => Ok(Self::Neighbours),
            Some(("sessions", None)) => Ok(Self::Sessions),
            Some(("trending", None)) => Ok(Self::Trending),
            Some(("popular", None)) => Ok(Self::Popular),
            Some(("model", Some(name))) if !name.is_empty() => Ok(Self::Model(name.into())),
            _ => Err(unknown()),
        }
    }

    /// The source's name in answers and metrics.
    pub fn name(&self) -> &str {
        match self {
            Self::Model(name) => name,
            Self::Neighbours => "neighbours",
            Self::Sessions => "sessions",
            Self::Trending => "trending",
            Self::Popular => "popular",
        }
    }
}

/// A condition on candidates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FilterSpec {
    /// Not what the actor already interacted with; passes everything where the schema says people repeat.
    Seen,
    /// Not what is unavailable or deleted.
    Available,
    /// At most `limit` shown items with the same word in categorical `field`: `max_per_category(3)`.
    MaxPer {
        /// The item field.
        field: CompactString,
        /// How many of one word.
        limit: usize,
    },
    /// Only items whose `field` has one of the words: `only(category: shoes, boots)`.
    Only {
        /// The item field.
        field: CompactString,
        /// The accepted words.
        values: Vec<CompactString>,
    },
    /// No items whose `field` has one of the words: `except(category: adult)`.
    Except {
        /// The item field.
        field: CompactString,
        /// The refused words.
        values: Vec<CompactString>,
    },
}

const FILTERS: [&str; 5] =
    ["seen", "available", "max_per_FIELD(COUNT)", "only(FIELD: WORD, ...)", "except(FIELD: WORD, ...)"];

impl FilterSpec {
    /// Parses a word of `filters = [...]`.
    pub fn parse(word: &str) -> Result<Self, Invalid> {
        match call(word) {
            Some(("seen", None)) => Ok(Self::Seen),
            Some(("available", None)) => Ok(Self::Available),
            Some(("only", argument)) => {
                let (field, values) = field_and_words(word, argument)?;
                Ok(Self::Only { field, values })
            }
            Some(("except", argument)) => {
                let (field, values) = field_and_words(word, argument)?;
                Ok(Self::Except { field, values })
            }
            Some((name, argument)) if name.starts_with("max_per_") => {
                let field = CompactString::from(&name["max_per_".len()..]);
                let limit = argument.and_then(|count| count.parse().ok()).filter(|count| *count > 0);
                let expected = || format!("max_per_{field}(COUNT) with a whole COUNT of at least 1");
                let limit =
                    limit.ok_or_else(|| Invalid::new("wrong_argument", "filters", word, expected()))?;
                Ok(Self::MaxPer { field, limit })
            }
            _ => Err(Invalid::new("unknown_filter", "filters", word, one_of(&FILTERS, word))),
        }
    }
}

/// What orders candidates.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ScorerSpec {
    /// Each source's own scores; sources follow one another by rung.
    #[default]
    Source,
    /// One model scores the candidates of all sources together; what it does not know follows in rung order.
    Model(CompactString),
}

impl ScorerSpec {
    /// Parses `ranker = "..."`: `source`, `ials`, `filter`, `peers`, `blend` or `model(NAME)`.
    pub fn parse(word: &str) -> Result<Self, Invalid> {
        match call(word) {
            Some(("source", None)) => Ok(Self::Source),
            Some((name, None)) if MODELS.contains(&name) => Ok(Self::Model(name.into())),
            Some(("model", Some(name))) if !name.is_empty() => Ok(Self::Model(name.into())),
            _ => {
                let names = ["source", "ials", "filter", "peers", "blend", "model(NAME)"];
                Err(Invalid::new("unknown_ranker", "ranker", word, one_of(&names, word)))
            }
        }
    }
}

/// How ordered candidates become the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SelectorSpec {
    /// The best ones, deterministically.
    #[default]
    TopK,
}

/// Splits `name(argument)` or `name`; `None` where it is neither.
fn call(word: &str) -> Option<(&str, Option<&str>)> {
    let word = word.trim();
    match word.split_once('(') {
        None => Some((word, None)),
        Some((name, rest)) => rest.strip_suffix(')').map(|argument| (name.trim(), Some(argument.trim()))),
    }
}

fn field_and_words(
    word: &str,
    argument: Option<&str>,
) -> Result<(CompactString, Vec<CompactString>), Invalid> {
    let parsed = argument.and_then(|argument| argument.split_once(':')).map(|(field, words)| {
        let words = words.split(',').map(str::trim).filter(|word| !word.is_empty()).map(CompactString::from);
        (CompactString::from(field.trim()), words.collect::<Vec<_>>())
    });
    parsed.filter(|(field, words)| !field.is_empty() && !words.is_empty()).ok_or_else(|| {
        Invalid::new(
            "wrong_argument",
            "filters",
            word,
            "a field and its words, such as only(category: shoes)",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_parse_to_typed_specs() {
        assert_eq!(FilterSpec::parse("seen"), Ok(FilterSpec::Seen));
        assert_eq!(
            FilterSpec::parse("max_per_category(3)"),
            Ok(FilterSpec::MaxPer { field: "category".into(), limit: 3 })
        );
        assert_eq!(
            FilterSpec::parse("only(category: shoes, boots )"),
            Ok(FilterSpec::Only { field: "category".into(), values: vec!["shoes".into(), "boots".into()] })
        );
    }

    #[test]
    fn a_wrong_word_is_named_with_what_was_expected() {
        let wrong = FilterSpec::parse("sen").unwrap_err();
        assert_eq!((wrong.code, wrong.value.as_str()), ("unknown_filter", "sen"));
        assert!(wrong.expected.starts_with("seen, "), "{}", wrong.expected);
        let wrong = FilterSpec::parse("max_per_category(zero)").unwrap_err();
        assert_eq!(wrong.expected, "max_per_category(COUNT) with a whole COUNT of at least 1");
        assert_eq!(FilterSpec::parse("max_per_category(0)").unwrap_err().code, "wrong_argument");
        assert_eq!(FilterSpec::parse("only(category)").unwrap_err().code, "wrong_argument");
        assert_eq!(FilterSpec::parse("seen(").unwrap_err().code, "unknown_filter");
    }

    #[test]
    fn sources_parse_and_name_the_closest_where_wrong() {
        assert_eq!(SourceSpec::parse("model(news)"), Ok(SourceSpec::Model("news".into())));
        assert_eq!(SourceSpec::parse("sessions"), Ok(SourceSpec::Sessions));
        assert!(SourceSpec::parse("neighbors").unwrap_err().expected.starts_with("neighbours, "));
    }
}
