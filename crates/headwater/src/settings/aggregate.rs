//! The `aggregate` of a declared feature: one key says which, the others belong to some of them.

use compact_str::CompactString;
use headwater_base::schema::one_of;
use headwater_base::{Invalid, Schema};
use headwater_features::declared::{Aggregate, Attribute, check};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::features::Words;

/// `aggregate` of `[features.NAME]`: exactly one aggregate, and its parameters.
///
/// Where interaction types are asked for, they are a type, a list of types, or `"*"` for every type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AggregateSettings {
    /// How many interactions of these types; none is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub count: Option<Words>,
    /// Sum of the values of these types; an interaction without a value counts 1. None is 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub sum: Option<Words>,
    /// Mean of the values of these types.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub mean: Option<Words>,
    /// Smallest value of these types.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub min: Option<Words>,
    /// Largest value of these types.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub max: Option<Words>,
    /// What (`of`) the latest interaction of these types had.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub last: Option<Words>,
    /// Seconds since the latest interaction of these types.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub time_since: Option<Words>,
    /// Two kinds of types, `[hits, total]`: of the interactions of the second kind, the share of the first, as
    /// `(hits + prior[0]) / (total + prior[1])`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<Words>")]
    pub rate: Option<Vec<Words>>,
    /// How many different ones (`of`) interactions of these types had.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub distinct: Option<Words>,
    /// The quantile (`at`) of the values of these types.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub quantile: Option<Words>,
    /// The `k` most frequent ones (`of`) among interactions of these types, most frequent first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub top_k: Option<Words>,
    /// The `n` latest ones (`of`) among interactions of these types, newest first, repeats included.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Words")]
    pub last_n: Option<Words>,
    /// With `last`, `distinct`, `top_k` and `last_n`: of what. `item` or a categorical field such as `item.category`; with
    /// `last` also `value`; with `distinct` also `value`, `user` and `session`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub of: Option<String>,
    /// With `quantile`: which one, from 0 to 1; 0.5 is the median.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "f64")]
    pub at: Option<f64>,
    /// With `top_k`: how many, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize")]
    pub k: Option<usize>,
    /// With `last_n`: how many, 1 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "usize")]
    pub n: Option<usize>,
    /// With `rate`: hits and total before anything was seen, `[1, 20]` for a rate of 5 % that 20 interactions
    /// outweigh. `[0, 0]` where it is not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Vec<f32>")]
    pub prior: Option<Vec<f32>>,
}

/// What stands for every interaction type.
const EVERY: &str = "*";

/// Every aggregate with the parameters that belong to it.
const AGGREGATES: [(&str, &[&str]); 12] = [
    ("count", &[]),
    ("sum", &[]),
    ("mean", &[]),
    ("min", &[]),
    ("max", &[]),
    ("last", &["of"]),
    ("time_since", &[]),
    ("rate", &["prior"]),
    ("distinct", &["of"]),
    ("quantile", &["at"]),
    ("top_k", &["of", "k"]),
    ("last_n", &["of", "n"]),
];

impl AggregateSettings {
    /// The interaction types and the aggregate.
    ///
    /// # Errors
    /// No aggregate or several; a parameter that is missing or belongs to another aggregate.
    pub(super) fn read(&self, schema: &Schema) -> Result<(Vec<CompactString>, Aggregate), Invalid> {
        let name = self.name()?;
        self.refuse_strays(name)?;
        let aggregate = match name {
            "count" => Aggregate::Count,
            "sum" => Aggregate::Sum,
            "mean" => Aggregate::Mean,
            "min" => Aggregate::Min,
            "max" => Aggregate::Max,
            "last" => Aggregate::Last(self.attribute(name, schema)?),
            "time_since" => Aggregate::TimeSince,
            "distinct" => Aggregate::Distinct(self.attribute(name, schema)?),
            "quantile" => Aggregate::Quantile(needed(name, "at", "a number from 0 to 1", self.at)?),
            "top_k" => {
                let k = needed(name, "k", "a whole number from 1 to 100", self.k)?;
                Aggregate::TopK { of: self.attribute(name, schema)?, k }
            }
            "last_n" => {
                let n = needed(name, "n", "a whole number from 1 to 100", self.n)?;
                Aggregate::LastN { of: self.attribute(name, schema)?, n }
            }
            _ => return self.read_rate(),
        };
        let types = self.types().into_iter().find_map(|(key, types)| types.filter(|_| key == name));
        Ok((types.map_or(Ok(Vec::new()), |types| read_types(name, types))?, aggregate))
    }

    /// The aggregates that are a kind of interaction types.
    fn types(&self) -> [(&'static str, Option<&Words>); 11] {
        [
            ("count", self.count.as_ref()),
            ("sum", self.sum.as_ref()),
            ("mean", self.mean.as_ref()),
            ("min", self.min.as_ref()),
            ("max", self.max.as_ref()),
            ("last", self.last.as_ref()),
            ("time_since", self.time_since.as_ref()),
            ("distinct", self.distinct.as_ref()),
            ("quantile", self.quantile.as_ref()),
            ("top_k", self.top_k.as_ref()),
            ("last_n", self.last_n.as_ref()),
        ]
    }

    fn name(&self) -> Result<&'static str, Invalid> {
        let mut named: Vec<&str> =
            self.types().into_iter().filter_map(|(name, types)| types.map(|_| name)).collect();
        named.extend(self.rate.as_ref().map(|_| "rate"));
        let known = AGGREGATES.map(|(name, _)| name);
        match named.as_slice() {
            [only] => Ok(only),
            [] => Err(Invalid::missing("aggregate", one_of(&known, ""))),
            several => Err(Invalid::new(
                "ambiguous",
                "aggregate",
                several.join(" and "),
                "exactly one aggregate: a feature for each",
            )),
        }
    }

    /// Refuses a parameter that says nothing to the aggregate `name`.
    fn refuse_strays(&self, name: &str) -> Result<(), Invalid> {
        let given = [
            ("of", self.of.is_some()),
            ("at", self.at.is_some()),
            ("k", self.k.is_some()),
            ("n", self.n.is_some()),
            ("prior", self.prior.is_some()),
        ];
        for (parameter, _) in given.into_iter().filter(|(_, is_there)| *is_there) {
            let takers = AGGREGATES.iter().filter(|(_, parameters)| parameters.contains(&parameter));
            let takers: Vec<&str> = takers.map(|(taker, _)| *taker).collect();
            if !takers.contains(&name) {
                let expected = format!("it with {}, not with {name}", one_of(&takers, ""));
                return Err(Invalid::new("misplaced", format!("aggregate.{parameter}"), parameter, expected));
            }
        }
        Ok(())
    }

    fn attribute(&self, name: &str, schema: &Schema) -> Result<Attribute, Invalid> {
        let known = check::known_attributes(name, schema);
        let words: Vec<&str> = known.iter().map(String::as_str).collect();
        let word = needed(name, "of", &one_of(&words, ""), self.of.as_deref())?;
        Attribute::parse(word).ok_or_else(|| check::unknown("aggregate.of", word, &known))
    }

    fn read_rate(&self) -> Result<(Vec<CompactString>, Aggregate), Invalid> {
        let [hits, total] = self.rate.as_deref().unwrap_or_default() else {
            let expected = "[hits, total], as in [\"click\", \"impression\"]";
            return Err(Invalid::missing("aggregate.rate", expected));
        };
        let prior = match self.prior.as_deref() {
            None => (0.0, 0.0),
            Some([hits, total]) => (*hits, *total),
            Some(_) => return Err(Invalid::missing("aggregate.prior", "[hits, total], two numbers")),
        };
        let total = read_types("rate", total)?;
        Ok((read_types("rate", hits)?, Aggregate::Rate { total, prior }))
    }
}

/// Sorted types; none for `"*"`.
fn read_types(aggregate: &str, words: &Words) -> Result<Vec<CompactString>, Invalid> {
    let types = words.sorted();
    let expected = "interaction types, or \"*\" alone for every type";
    match types.as_slice() {
        [only] if only == EVERY => Ok(Vec::new()),
        [] => Err(Invalid::missing(format!("aggregate.{aggregate}"), expected)),
        several if several.iter().any(|word| word == EVERY) => {
            Err(Invalid::new("ambiguous", format!("aggregate.{aggregate}"), several.join(", "), expected))
        }
        _ => Ok(types),
    }
}

fn needed<T>(aggregate: &str, parameter: &str, expected: &str, given: Option<T>) -> Result<T, Invalid> {
    given.ok_or_else(|| {
        Invalid::missing("aggregate", format!("`{parameter}` beside `{aggregate}`: {expected}"))
    })
}
