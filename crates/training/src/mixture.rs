//! What a blend is made of.

use std::fmt;
use std::str::FromStr;

use headwater_base::Invalid;

use crate::fit::ModelKind;

/// The kinds that may be in a blend, in the order in which they are in it.
pub const MEMBERS: [ModelKind; 3] = [ModelKind::Ials, ModelKind::Filter, ModelKind::Peers];

/// What a member counts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Share {
    Absent,
    /// Chosen on a slice of the training data.
    Tuned,
    Given(f32),
}

/// The members of a blend: `ials, filter, peers`, with weights that training chooses, or `ials:0.5, peers:0.2` with given ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixture([Share; MEMBERS.len()]);

/// What [`Mixture`] reads.
const EXPECTED: &str = "members among ials, filter and peers, all or none of them with a weight, as in `ials, peers` or \
                        `ials:0.6, peers:0.4`";

impl Default for Mixture {
    fn default() -> Self {
        Self([Share::Tuned; MEMBERS.len()])
    }
}

impl Mixture {
    /// The kinds of its members, in order.
    pub fn kinds(&self) -> Vec<ModelKind> {
        let present = MEMBERS.into_iter().zip(self.0).filter(|(_, share)| *share != Share::Absent);
        present.map(|(kind, _)| kind).collect()
    }

    /// The weights of [`Mixture::kinds`]; `None` where training chooses them.
    pub fn weights(&self) -> Option<Vec<f32>> {
        let present = self.0.iter().filter(|share| **share != Share::Absent);
        present.map(|share| if let Share::Given(weight) = share { Some(*weight) } else { None }).collect()
    }

    /// The same members with these weights, in the order of [`Mixture::kinds`].
    #[must_use]
    pub fn with_weights(&self, weights: &[f32]) -> Self {
        let mut weights = weights.iter();
        Self(self.0.map(|share| match share {
            Share::Absent => Share::Absent,
            _ => weights.next().map_or(Share::Tuned, |weight| Share::Given(*weight)),
        }))
    }
}

impl fmt::Display for Mixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (kind, share) in MEMBERS.iter().zip(self.0) {
            match share {
                Share::Absent => continue,
                Share::Tuned => write!(f, "{between}{kind}")?,
                Share::Given(weight) => write!(f, "{between}{kind}:{weight}")?,
            }
            between = ", ";
        }
        Ok(())
    }
}

impl FromStr for Mixture {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("invalid_option", "members", text, EXPECTED);
        let mut shares = [Share::Absent; MEMBERS.len()];
        for word in text.split(',').map(str::trim) {
            let (name, share) = match word.split_once(':') {
                None => (word, Share::Tuned),
                Some((name, weight)) => {
                    let weight: f32 = weight.trim().parse().map_err(|_| invalid())?;
                    if !(weight.is_finite() && weight >= 0.0) {
                        return Err(invalid());
                    }
                    (name.trim(), Share::Given(weight))
                }
            };
            let place = MEMBERS.iter().position(|kind| kind.name() == name).ok_or_else(invalid)?;
            if shares[place] != Share::Absent {
                return Err(invalid());
            }
            shares[place] = share;
        }
        let given: f32 =
            shares.iter().map(|s| if let Share::Given(weight) = s { *weight } else { 0.0 }).sum();
        let tuned = shares.contains(&Share::Tuned);
        let weighed = shares.iter().any(|share| matches!(share, Share::Given(_)));
        if tuned == weighed || (weighed && !(given > 0.0 && given.is_finite())) {
            return Err(invalid());
        }
        Ok(Self(shares))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_and_written() {
        let mixture: Mixture = " peers , ials".parse().unwrap();
        assert_eq!(mixture.kinds(), [ModelKind::Ials, ModelKind::Peers]);
        assert_eq!((mixture.weights(), mixture.to_string().as_str()), (None, "ials, peers"));
        let weighed = mixture.with_weights(&[0.25, 0.75]);
        assert_eq!(weighed.to_string(), "ials:0.25, peers:0.75");
        assert_eq!(weighed.to_string().parse(), Ok(weighed));
        assert_eq!(weighed.weights(), Some(vec![0.25, 0.75]));
        assert_eq!(Mixture::default().to_string().parse(), Ok(Mixture::default()));
    }

    #[test]
    fn what_is_no_mixture_is_refused() {
        let wrong =
            ["", "dcn", "ials, ials", "ials:x", "ials:-1, peers:2", "ials:0", "ials:nan", "ials:1, peers"];
        for text in wrong {
            let invalid = text.parse::<Mixture>().unwrap_err();
            assert_eq!((invalid.code, invalid.field.as_str()), ("invalid_option", "members"), "{text}");
        }
    }
}
