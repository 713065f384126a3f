//! A surface assembled from its spec.

use std::time::Duration;

use compact_str::CompactString;
use headwater_base::schema::one_of;
use headwater_base::value::FieldType;
use headwater_base::{Invalid, Schema};

use crate::candidate::MAX_CAPS;
use crate::filters::{
    AvailableFilter, Cap, CapHydrator, CategoryFilter, ExcludeFilter, IncludeFilter, Mode,
    RequestCategoryFilter, SeenFilter,
};
use crate::select::TopKSelector;
use crate::sources::{
    ModelScorer, ModelSource, NeighboursSource, PopularSource, SessionsSource, TrendingSource,
};
use crate::spec::{FilterSpec, ScorerSpec, SelectorSpec, SourceSpec, SurfaceSpec};
use crate::stage::{Filter, Hydrator, Scorer, Selector, Source};
use crate::vectors::SurfaceFeatures;

/// A place that asks for recommendations, with its stages.
pub struct Surface {
    pub(crate) name: CompactString,
    pub(crate) sources: Vec<Box<dyn Source>>,
    pub(crate) hydrators: Vec<Box<dyn Hydrator>>,
    pub(crate) filters: Vec<Box<dyn Filter>>,
    pub(crate) scorer: Option<Box<dyn Scorer>>,
    pub(crate) selector: Box<dyn Selector>,
    pub(crate) caps: Vec<Cap>,
    pub(crate) deadline: Duration,
    pub(crate) limit: usize,
    pub(crate) max_limit: usize,
    pub(crate) features: SurfaceFeatures,
}

impl Surface {
    /// Assembles the stages a spec names.
    ///
    /// # Errors
    /// A field that is not declared or not categorical, more than four caps, no sources, limits that contradict.
    pub fn assemble(spec: &SurfaceSpec, schema: &Schema) -> Result<Self, Invalid> {
        if spec.sources.is_empty() {
            return Err(Invalid::missing("sources", "at least one source, such as popular"));
        }
        if spec.limit == 0 || spec.limit > spec.max_limit {
            let expected = format!("a number from 1 to {}", spec.max_limit);
            return Err(Invalid::new("out_of_range", "limit", spec.limit, expected));
        }
        let mut filters: Vec<Box<dyn Filter>> = vec![
            Box::new(AvailableFilter),
            Box::new(ExcludeFilter),
            Box::new(IncludeFilter),
            Box::new(RequestCategoryFilter),
        ];
        let mut caps = Vec::new();
        for filter in &spec.filters {
            match filter {
                FilterSpec::Seen if !schema.repeats => filters.push(Box::new(SeenFilter)),
                FilterSpec::Seen | FilterSpec::Available => {}
                FilterSpec::MaxPer { field, limit } => {
                    declared(schema, field, &[FieldType::Categorical])?;
                    caps.push(Cap::new(field.clone(), *limit));
                }
                FilterSpec::Only { field, values } | FilterSpec::Except { field, values } => {
                    declared(schema, field, &[FieldType::Categorical, FieldType::Tags])?;
                    let only = matches!(filter, FilterSpec::Only { .. });
                    let mode = if only { Mode::Only } else { Mode::Except };
                    filters.push(Box::new(CategoryFilter::new(field.clone(), values.clone(), mode)));
                }
            }
        }
        if caps.len() > MAX_CAPS {
            let expected = format!("at most {MAX_CAPS} max_per_FIELD filters");
            return Err(Invalid::new("too_many_fields", "filters", caps.len(), expected));
        }
        let SelectorSpec::TopK = spec.selector;
        let mut hydrators: Vec<Box<dyn Hydrator>> = Vec::new();
        if !caps.is_empty() {
            hydrators.push(Box::new(CapHydrator(caps.clone())));
        }
        Ok(Self {
            name: spec.name.clone(),
            sources: with_floor(&spec.sources).iter().map(source).collect(),
            hydrators,
            filters,
            scorer: match &spec.scorer {
                ScorerSpec::Source => None,
                ScorerSpec::Model(model) => Some(Box::new(ModelScorer::new(model.clone()))),
            },
            selector: Box::new(TopKSelector::new(caps.clone())),
            caps,
            deadline: spec.deadline,
            limit: spec.limit,
            max_limit: spec.max_limit,
            features: SurfaceFeatures::default(),
        })
    }

    /// Its name.
    pub fn name(&self) -> &CompactString {
        &self.name
    }

    /// The same surface with another source after its own; for extensions and tests.
    #[must_use]
    pub fn with_source(mut self, source: Box<dyn Source>) -> Self {
        self.sources.push(source);
        self
    }

    /// The same surface, reading these features.
    #[must_use]
    pub fn with_features(mut self, features: SurfaceFeatures) -> Self {
        self.features = features;
        self
    }

    /// How many items to answer.
    ///
    /// # Errors
    /// 0, or more than the surface allows.
    pub fn limit(&self, asked: Option<usize>) -> Result<usize, Invalid> {
        let limit = asked.unwrap_or(self.limit);
        if limit == 0 || limit > self.max_limit {
            let expected = format!("a whole number from 1 to {}", self.max_limit);
            return Err(Invalid::new("out_of_range", "limit", limit, expected));
        }
        Ok(limit)
    }

    /// The name of a source by its number.
    pub(crate) fn source_name(&self, source: u16) -> &str {
        self.sources.get(usize::from(source)).map_or("", |source| source.name())
    }
}

/// Popular items are the floor under every surface, so that an answer is empty only where nothing may be shown.
fn with_floor(sources: &[SourceSpec]) -> Vec<SourceSpec> {
    let mut sources = sources.to_vec();
    if !sources.contains(&SourceSpec::Popular) {
        sources.push(SourceSpec::Popular);
    }
    sources
}

fn source(spec: &SourceSpec) -> Box<dyn Source> {
    match spec {
        SourceSpec::Model(name) => Box::new(ModelSource::new(name.clone())),
        SourceSpec::Neighbours => Box::new(NeighboursSource),
        SourceSpec::Sessions => Box::new(SessionsSource),
        SourceSpec::Trending => Box::new(TrendingSource),
        SourceSpec::Popular => Box::new(PopularSource),
    }
}

fn declared(schema: &Schema, field: &str, types: &[FieldType]) -> Result<(), Invalid> {
    if schema.items.get(field).is_some_and(|declared| types.contains(declared)) {
        return Ok(());
    }
    let fitting = schema.items.iter().filter(|(_, declared)| types.contains(declared));
    let names: Vec<&str> = fitting.map(|(name, _)| name.as_str()).collect();
    Err(Invalid::new("unknown_field", "filters", field, one_of(&names, field)))
}
