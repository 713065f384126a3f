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

/// What the interactions of one type pass, one bit for each filter.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TypeFilters {
    /// Passed by all that have a value.
    valued: u64,
    /// Passed by all that have none.
    unvalued: u64,
    /// What has to be asked of each interaction.
    open: u64,
}

impl TypeFilters {
    pub(crate) fn new(filters: &[Filter], kind: &str) -> Self {
        let mut known = Self::default();
        for (bit, filter) in (0_u32..).zip(filters) {
            let bit = 1 << bit;
            if !filter.types.is_empty() && !filter.types.iter().any(|wanted| wanted == kind) {
                continue;
            }
            if filter.min_value.is_some() || filter.max_value.is_some() || !filter.context.is_empty() {
                known.open |= bit;
                continue;
            }
            known.valued |= bit;
            if !filter.with_value {
                known.unvalued |= bit;
            }
        }
        known
    }

    /// The bits of the filters that an interaction of the type passes.
    pub(crate) fn passed(&self, filters: &[Filter], interaction: &Interaction) -> u64 {
        let mut bits = if interaction.value.is_some() { self.valued } else { self.unvalued };
        let mut open = self.open;
        while open != 0 {
            let bit = open.trailing_zeros();
            open &= open - 1;
            if filters[bit as usize].passes(interaction) {
                bits |= 1 << bit;
            }
        }
        bits
    }
}
