//! The text of an [`EncoderSpec`]: `name`, or `name(argument, ...)`.
//!
//! An argument is a count, which comes first, a flag (`missing`, `embedding`), or `min_count=N`.

use std::fmt;
use std::str::FromStr;

use headwater_base::Invalid;
use headwater_base::schema::closest;

use super::spec::{EncoderSpec, MOST_BUCKETS, MOST_COLUMNS, Output};

const NAMES: &[&str] = &["number", "standardise", "log1p", "quantile_bins", "one_hot", "hashed", "multi_hot"];

impl FromStr for EncoderSpec {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let (name, arguments) = split(text)?;
        let mut arguments = Arguments { text, rest: arguments };
        let spec = match name {
            "number" => Self::Number { missing: arguments.flag("missing") },
            "standardise" => Self::Standardise { missing: arguments.flag("missing") },
            "log1p" => {
                Self::Log1p { standardise: arguments.flag("standardise"), missing: arguments.flag("missing") }
            }
            "quantile_bins" => {
                let output = arguments.output();
                // Bins beyond the columns are no use to an embedding either.
                Self::QuantileBins { bins: arguments.count("bins", 2, MOST_COLUMNS - 2)?, output }
            }
            "one_hot" => {
                let (max, min_count, output) = arguments.words()?;
                Self::OneHot { max, min_count, output }
            }
            "hashed" => Self::Hashed { buckets: arguments.count("buckets", 1, MOST_BUCKETS)? },
            "multi_hot" => {
                let (max, min_count, output) = arguments.words()?;
                Self::MultiHot { max, min_count, output }
            }
            _ => {
                let near =
                    closest(NAMES, name).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                let expected = format!("an encoder: one of {}{near}", NAMES.join(", "));
                return Err(Invalid::new("unknown_encoder", "encoder", text, expected));
            }
        };
        arguments.finish(name)?;
        Ok(spec)
    }
}

/// The name and the arguments between its parentheses.
fn split(text: &str) -> Result<(&str, Vec<&str>), Invalid> {
    let trimmed = text.trim();
    let Some((name, rest)) = trimmed.split_once('(') else { return Ok((trimmed, Vec::new())) };
    let Some(inside) = rest.strip_suffix(')') else {
        return Err(Invalid::new("invalid_encoder", "encoder", text, "closed by `)`"));
    };
    Ok((name.trim_end(), inside.split(',').map(str::trim).collect()))
}

/// Arguments not yet read.
struct Arguments<'a> {
    text: &'a str,
    rest: Vec<&'a str>,
}

impl Arguments<'_> {
    fn flag(&mut self, name: &str) -> bool {
        let place = self.rest.iter().position(|argument| *argument == name);
        place.map(|place| self.rest.remove(place)).is_some()
    }

    fn output(&mut self) -> Output {
        if self.flag("embedding") { Output::Embedding } else { Output::Columns }
    }

    /// The number that comes first.
    fn count(&mut self, what: &str, least: u32, most: u32) -> Result<u32, Invalid> {
        let first = if self.rest.is_empty() { "" } else { self.rest.remove(0) };
        self.number(first, what, least, most)
    }

    fn number(&self, digits: &str, what: &str, least: u32, most: u32) -> Result<u32, Invalid> {
        let number = digits.parse().ok().filter(|number| (least..=most).contains(number));
        number.ok_or_else(|| {
            let expected = format!("an encoder with a number of {what} from {least} to {most}");
            Invalid::new("invalid_encoder", "encoder", self.text, expected)
        })
    }

    /// `max`, `min_count` and where they go.
    fn words(&mut self) -> Result<(u32, u32, Output), Invalid> {
        let output = self.output();
        let most = match output {
            Output::Columns => MOST_COLUMNS - 2,
            Output::Embedding => MOST_BUCKETS - 2,
        };
        let place = self.rest.iter().position(|argument| argument.starts_with("min_count"));
        let min_count = match place.map(|place| self.rest.remove(place)) {
            None => 1,
            Some(argument) => {
                let digits = argument.split_once('=').map_or("", |(_, digits)| digits.trim());
                self.number(digits, "min_count", 1, 1 << 24)?
            }
        };
        Ok((self.count("words (add `embedding` for more)", 1, most)?, min_count, output))
    }

    fn finish(self, name: &str) -> Result<(), Invalid> {
        let Some(argument) = self.rest.first() else { return Ok(()) };
        let known = match name {
            "number" | "standardise" => "`missing`",
            "log1p" => "`standardise`, `missing`",
            "quantile_bins" => "a number and `embedding`",
            "hashed" => "one number",
            _ => "a number, `min_count=N` and `embedding`",
        };
        let expected = format!("an encoder: of `{argument}` nothing is known, {name} takes {known}");
        Err(Invalid::new("invalid_encoder", "encoder", self.text, expected))
    }
}

impl fmt::Display for EncoderSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut arguments: Vec<String> = Vec::new();
        let mut flag = |set: bool, name: &str| {
            if set {
                arguments.push(name.to_owned());
            }
        };
        match *self {
            Self::Number { missing } | Self::Standardise { missing } => flag(missing, "missing"),
            Self::Log1p { standardise, missing } => {
                flag(standardise, "standardise");
                flag(missing, "missing");
            }
            Self::QuantileBins { bins, output } => {
                flag(true, &bins.to_string());
                flag(output == Output::Embedding, "embedding");
            }
            Self::OneHot { max, min_count, output } | Self::MultiHot { max, min_count, output } => {
                flag(true, &max.to_string());
                flag(min_count != 1, &format!("min_count={min_count}"));
                flag(output == Output::Embedding, "embedding");
            }
            Self::Hashed { buckets } => flag(true, &buckets.to_string()),
        }
        f.write_str(self.name())?;
        if arguments.is_empty() { Ok(()) } else { write!(f, "({})", arguments.join(", ")) }
    }
}

impl TryFrom<String> for EncoderSpec {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<EncoderSpec> for String {
    fn from(spec: EncoderSpec) -> Self {
        spec.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_read_back_as_they_were() {
        for text in [
            "number",
            "number(missing)",
            "standardise",
            "standardise(missing)",
            "log1p",
            "log1p(standardise, missing)",
            "quantile_bins(16)",
            "quantile_bins(4094, embedding)",
            "one_hot(50)",
            "one_hot(100000, min_count=5, embedding)",
            "hashed(1024)",
            "multi_hot(100)",
            "multi_hot(100, min_count=2)",
        ] {
            let spec: EncoderSpec = text.parse().unwrap();
            assert_eq!(spec.to_string(), text);
            let json = serde_json::to_string(&spec).unwrap();
            assert_eq!(json, format!("{text:?}"));
            assert_eq!(serde_json::from_str::<EncoderSpec>(&json).unwrap(), spec);
        }
    }

    #[test]
    fn arguments_may_come_in_any_order_and_spacing() {
        let spec: EncoderSpec = " one_hot ( embedding,min_count= 5 , 50 ) ".parse().unwrap();
        assert_eq!(spec, EncoderSpec::OneHot { max: 50, min_count: 5, output: Output::Embedding });
    }

    #[test]
    fn what_cannot_be_taken_says_what_would_be() {
        let error = |text: &str| text.parse::<EncoderSpec>().unwrap_err().to_string();
        assert!(error("standardize").contains("did you mean `standardise`?"));
        assert!(error("").contains("one of number, standardise"));
        assert!(error("one_hot").contains("from 1 to 4094"));
        assert!(error("one_hot(5000)").contains("add `embedding` for more"));
        assert!(error("quantile_bins(1)").contains("bins from 2 to 4094"));
        assert!(error("hashed(0)").contains("from 1 to 134217728"));
        assert!(error("hashed(-1)").contains("from 1"));
        assert!(error("one_hot(5, min_count)").contains("min_count from 1"));
        assert!(error("standardise(16)").contains("of `16` nothing is known, standardise takes `missing`"));
        assert!(error("hashed(8, 9)").contains("hashed takes one number"));
        assert!(error("hashed(8").contains("closed by `)`"));
        assert!(error("standardise()").contains("nothing is known"));
    }
}
