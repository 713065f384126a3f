//! Which interactions count: the conditions of all features, each evaluated once for an interaction.

use compact_str::CompactString;
use headwater_base::{Fields, Interaction, Value};

/// One condition on interactions.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filter {
    /// Interaction types; empty means every type.
    pub(crate) types: Vec<CompactString>,
    /// Whether one without a value is left out.
    pub(crate) with_value: bool,
    pub(crate) min_value: Option<f32>,
    pub(crate) max_value: Option<f32>,
    pub(crate) context: Vec<(CompactString, Vec<CompactString>)>,
}

impl Filter {
    fn passes(&self, interaction: &Interaction) -> bool {
        let typed = self.types.is_empty() || self.types.contains(&interaction.kind);
        let valued = match interaction.value {
            None => !self.with_value && self.min_value.is_none() && self.max_value.is_none(),
            Some(value) => {
                self.min_value.is_none_or(|min| value >= min) && self.max_value.is_none_or(|max| value <= max)
            }
        };
        typed && valued && self.context.iter().all(|(name, words)| has(&interaction.context, name, words))
    }
}

fn has(context: &Fields, name: &str, words: &[CompactString]) -> bool {
    matches!(context.get(name), Some(Value::Categorical(word)) if words.contains(word))
}

/// The bits of the filters that an interaction passes.
pub(crate) fn passed(filters: &[Filter], interaction: &Interaction) -> u64 {
    (0..)
        .zip(filters)
        .filter(|(_, filter)| filter.passes(interaction))
        .fold(0, |bits, (bit, _): (u32, _)| bits | 1 << bit)
}
