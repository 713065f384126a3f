//! `--set KEY=VALUE` of a benchmark: sizes and lengths, each with a default.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use headwater_base::schema::one_of;

use super::BenchError;

/// What was set on the command line; a benchmark takes what it knows and then refuses the rest.
#[derive(Clone, Debug, Default)]
pub struct Knobs {
    set: BTreeMap<String, String>,
    known: Vec<&'static str>,
}

impl Knobs {
    /// Reads `KEY=VALUE` pairs; a repeated key counts as last said.
    pub fn parse(pairs: &[String]) -> Result<Self, BenchError> {
        let set = pairs
            .iter()
            .map(|pair| {
                let (key, value) = pair.split_once('=').ok_or_else(|| {
                    BenchError::Usage(format!("`--set {pair}` is not of the form KEY=VALUE"))
                })?;
                Ok((key.trim().to_owned(), value.trim().to_owned()))
            })
            .collect::<Result<_, BenchError>>()?;
        Ok(Self { set, known: Vec::new() })
    }

    /// The value of `key`, or its default.
    pub fn take<T: FromStr>(&mut self, key: &'static str, default: T) -> Result<T, BenchError>
    where
        T::Err: Display,
    {
        self.known.push(key);
        let Some(text) = self.set.get(key) else { return Ok(default) };
        text.parse().map_err(|error| BenchError::Usage(format!("`{key}={text}` cannot be read: {error}")))
    }

    /// The values of `key`, separated by commas, or the default ones.
    pub fn take_list<T: FromStr + Clone>(
        &mut self,
        key: &'static str,
        default: &[T],
    ) -> Result<Vec<T>, BenchError>
    where
        T::Err: Display,
    {
        self.known.push(key);
        let Some(text) = self.set.get(key) else { return Ok(default.to_vec()) };
        let read = |part: &str| {
            part.trim()
                .parse()
                .map_err(|error| BenchError::Usage(format!("`{key}={text}` cannot be read: {error}")))
        };
        text.split(',').map(read).collect()
    }

    /// Refuses keys that the benchmark did not take.
    pub fn finish(self) -> Result<(), BenchError> {
        match self.set.keys().find(|key| !self.known.contains(&key.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(BenchError::Usage(format!(
                "this benchmark has no `{unknown}`; expected {}",
                one_of(&self.known, unknown)
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knobs(pairs: &[&str]) -> Knobs {
        Knobs::parse(&pairs.iter().map(|pair| (*pair).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn values_replace_defaults_and_unknown_keys_are_refused() {
        let mut set = knobs(&["factors=64, 128", "runs=5"]);
        assert_eq!(set.take_list("factors", &[32_usize]).unwrap(), [64, 128]);
        assert_eq!(set.take("runs", 3_usize).unwrap(), 5);
        assert_eq!(set.take("seconds", 1.5).unwrap(), 1.5);
        set.finish().unwrap();

        let mut wrong = knobs(&["run=5"]);
        wrong.take("runs", 3_usize).unwrap();
        assert!(wrong.finish().unwrap_err().to_string().contains("`run`; expected runs"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let error = knobs(&["runs=many"]).take("runs", 3_usize).unwrap_err();
        assert!(error.to_string().starts_with("`runs=many` cannot be read"), "{error}");
        assert!(Knobs::parse(&["runs".to_owned()]).is_err());
    }
}
