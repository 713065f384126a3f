//! Fitting a model of any kind to a split.

use std::fmt;
use std::str::FromStr;

use headwater_base::Invalid;
use headwater_base::schema::one_of;
use headwater_features::ViewsOptions;
use headwater_models::filter::{self, Exact, Filter, Stage};
use headwater_models::ials::{self, Ials};
use headwater_models::matrix::Csr;
use headwater_models::peers::Peers;
use headwater_models::popular::Popular;
use headwater_models::streaming::{CoVisitation, DecayedPopularity, Owner, Pairs, SessionNeighbours, Visit};
use headwater_models::{Retrieve, Score};

use crate::TrainingError;
use crate::blend::{FittedBlend, fit_blend};
use crate::dataset::Split;
use crate::options::TrainingOptions;

/// A kind of model that can be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelKind {
    /// Every item by how often it was interacted with.
    Popular,
    /// Every item by how often it was interacted with lately.
    Trending,
    /// What the same people touch close together.
    Neighbours,
    /// What is in the latest sessions like this one.
    Sessions,
    /// Factorisation for implicit feedback.
    Ials,
    /// Graph filter of the user's own history.
    Filter,
    /// What people of like taste touched.
    Peers,
    /// Several of these, fused.
    Blend,
}

impl ModelKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Popular,
        Self::Trending,
        Self::Neighbours,
        Self::Sessions,
        Self::Ials,
        Self::Filter,
        Self::Peers,
        Self::Blend,
    ];

    /// The name used on the command line and in the registry.
    pub fn name(self) -> &'static str {
        match self {
            Self::Popular => "popular",
            Self::Trending => "trending",
            Self::Neighbours => "neighbours",
            Self::Sessions => "sessions",
            Self::Ials => "ials",
            Self::Filter => "filter",
            Self::Peers => "peers",
            Self::Blend => "blend",
        }
    }

    /// Whether it is trained to an artifact; the others are folded from the log as it grows.
    pub fn is_trained(self) -> bool {
        matches!(self, Self::Ials | Self::Filter | Self::Peers | Self::Blend)
    }
}

impl fmt::Display for ModelKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ModelKind {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::ALL.into_iter().find(|kind| kind.name() == text).ok_or_else(|| {
            Invalid::new("unknown_model", "model", text, one_of(&Self::ALL.map(Self::name), text))
        })
    }
}

/// How far a fit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FitProgress {
    /// Iterations done.
    pub done: usize,
    /// Of how many.
    pub of: usize,
}

/// A model fitted to a split; its rows are those of [`Split::items`].
pub enum Fitted {
    /// See [`ModelKind::Popular`].
    Popular(Popular),
    /// See [`ModelKind::Trending`].
    Trending(DecayedPopularity),
    /// See [`ModelKind::Neighbours`].
    Neighbours(CoVisitation),
    /// See [`ModelKind::Sessions`].
    Sessions(Box<SessionNeighbours>),
    /// See [`ModelKind::Ials`].
    Ials(Box<Ials>),
    /// See [`ModelKind::Filter`]: what serves, and the whole that it was cut from.
    Filter(Box<(Filter, Exact)>),
    /// See [`ModelKind::Peers`].
    Peers(Box<Peers>),
    /// See [`ModelKind::Blend`].
    Blend(Box<FittedBlend>),
    /// The whole of a filter: what pruning loses is seen beside it.
    Exact(Box<Exact>),
}

impl Fitted {
    /// Its retrieval: the very code that serves.
    pub fn retrieve(&self) -> &dyn Retrieve {
        match self {
            Self::Popular(model) => model,
            Self::Trending(model) => model,
            Self::Neighbours(model) => model,
            Self::Sessions(model) => model.as_ref(),
            Self::Ials(model) => model.as_ref(),
            Self::Filter(model) => &model.0,
            Self::Peers(model) => model.as_ref(),
            Self::Blend(model) => &model.served,
            Self::Exact(model) => model.as_ref(),
        }
    }

    /// Its scores, where the kind can score a given item.
    pub fn score(&self) -> Option<&dyn Score> {
        match self {
            Self::Popular(model) => Some(model),
            Self::Trending(_) | Self::Neighbours(_) | Self::Sessions(_) => None,
            Self::Ials(model) => Some(model.as_ref()),
            Self::Filter(model) => Some(&model.0),
            Self::Peers(model) => Some(model.as_ref()),
            Self::Blend(model) => Some(&model.served),
            Self::Exact(model) => Some(model.as_ref()),
        }
    }
}

/// Fits a model to the training data of a split.
///
/// An interaction counts its type's weight, halved with age where [`TrainingOptions::half_life_days`] says so;
/// repeated interactions of one user with one item add.
///
/// # Errors
/// Options outside their range.
pub fn fit(
    kind: ModelKind,
    split: &Split,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(FitProgress),
) -> Result<Fitted, TrainingError> {
    match kind {
        ModelKind::Popular => Ok(Fitted::Popular(Popular::from_matrix(&split.matrix(|entry| entry.weight)?))),
        ModelKind::Trending => {
            let mut trending = DecayedPopularity::new(ViewsOptions::default().trending_half_life);
            for entry in &split.entries {
                trending.observe(entry.item, entry.time, entry.weight, []);
            }
            Ok(Fitted::Trending(trending))
        }
        ModelKind::Neighbours => Ok(Fitted::Neighbours(fold_neighbours(split, options))),
        ModelKind::Sessions => Ok(Fitted::Sessions(Box::new(fold_sessions(split, options)))),
        ModelKind::Ials => Ok(Fitted::Ials(Box::new(fit_ials(split, options, progress)?))),
        ModelKind::Filter => Ok(Fitted::Filter(Box::new(fit_filter(split, options, progress)?))),
        ModelKind::Peers => Ok(Fitted::Peers(Box::new(fit_peers(split, options)?))),
        ModelKind::Blend => Ok(Fitted::Blend(Box::new(fit_blend(split, options, progress)?))),
    }
}

/// Folds the training data as the server folds its log.
fn fold_neighbours(split: &Split, options: &TrainingOptions) -> CoVisitation {
    const BATCH: usize = 65_536;
    let options = options.neighbours;
    let threads = rayon::current_num_threads();
    let mut neighbours = CoVisitation::new(&options);
    let mut pairs = Pairs::new(&options);
    let mut histories: Vec<Vec<Visit>> = vec![Vec::new(); split.users];
    for batch in split.entries.chunks(BATCH) {
        for entry in batch {
            let history = &mut histories[entry.user as usize];
            let visit = Visit { row: entry.item, time: entry.time, weight: entry.weight };
            pairs.push(visit, history.iter().rev().copied());
            history.push(visit);
        }
        neighbours.fold(&pairs, threads);
        pairs.clear();
    }
    neighbours
}

/// Folds the training data as the server folds its log; a user's interactions are sessions by their times.
fn fold_sessions(split: &Split, options: &TrainingOptions) -> SessionNeighbours {
    let mut sessions = SessionNeighbours::new(&options.sessions);
    for entry in &split.entries {
        sessions.observe(Owner::from(entry.user), entry.item, entry.time);
    }
    sessions
}

/// Fits the factorisation.
///
/// # Errors
/// Options outside their range.
pub fn fit_ials(
    split: &Split,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(FitProgress),
) -> Result<Ials, TrainingError> {
    let model = ials::train(&decayed(split, options)?, &options.ials, &mut |report| {
        progress(FitProgress { done: report.iteration, of: report.iterations });
    })?;
    Ok(model)
}

/// Fits the graph filter.
///
/// # Errors
/// Options outside their range.
pub fn fit_filter(
    split: &Split,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(FitProgress),
) -> Result<(Filter, Exact), TrainingError> {
    let matrix = decayed(split, options)?;
    let needed = options.filter.memory_bytes(matrix.rows(), matrix.columns(), matrix.entries());
    if let Some(memory) = options.memory.filter(|memory| needed > *memory) {
        return Err(TrainingError::Memory { needed, memory, items: matrix.columns() });
    }
    let trained = filter::train(&matrix, &options.filter, &mut |stage| {
        let (Stage::Spectrum { done, of } | Stage::Inverse { done, of } | Stage::Rows { done, of }) = stage;
        progress(FitProgress { done, of });
    })?;
    Ok(trained)
}

/// Fits peers.
///
/// # Errors
/// Options outside their range.
pub fn fit_peers(split: &Split, options: &TrainingOptions) -> Result<Peers, TrainingError> {
    Ok(Peers::new(decayed(split, options)?, &options.peers)?)
}

/// The training data with weights that halve with age where the options say so.
fn decayed(split: &Split, options: &TrainingOptions) -> Result<Csr, TrainingError> {
    split.matrix(|entry| {
        if split.timed {
            entry.weight * options.decay(split.now.seconds_since(entry.time))
        } else {
            entry.weight
        }
    })
}
