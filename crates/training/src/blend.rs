//! Fitting a blend: its members, and the weights at which they rank a slice of the training data best.

use std::sync::Arc;

use headwater_models::blend::{Blend, BlendOptions, Member, Panel, PanelCase};
use headwater_models::{Query, Row};
use rayon::prelude::*;

use crate::TrainingError;
use crate::dataset::{Case, Split};
use crate::fit::{FitProgress, ModelKind, fit_filter, fit_ials, fit_peers};
use crate::options::TrainingOptions;
use crate::tune::CUT;

/// Cases that weights are chosen on at most, evenly spread.
const MOST_CASES: usize = 6_000;

/// A fitted blend.
#[derive(Debug)]
pub struct FittedBlend {
    /// What serves.
    pub served: Blend,
    /// Nothing cut: every item of the catalogue scored by every member whole. `None` where this is what is in `served`.
    pub whole: Option<Blend>,
}

/// Fits a blend. Where no weights are given, members are first trained without a held-out tenth, which weights are chosen on; then
/// all are trained on everything.
///
/// # Errors
/// Options outside their range; a filter whose training needs more memory than there is.
pub fn fit_blend(
    split: &Split,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(FitProgress),
) -> Result<FittedBlend, TrainingError> {
    let weights = match options.mixture.weights() {
        Some(weights) => weights,
        None => choose(split, options, progress)?,
    };
    let (served, whole) = members(split, options, progress)?.into_iter().unzip();
    let blend = |members: Vec<Member>, options: BlendOptions| {
        Blend::new(options, members.into_iter().zip(weights.iter().copied()).collect())
    };
    let everything = BlendOptions { depth: split.items.len().max(1) };
    Ok(FittedBlend { served: blend(served, options.blend)?, whole: Some(blend(whole, everything)?) })
}

/// Each member as it serves, and whole.
fn members(
    split: &Split,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(FitProgress),
) -> Result<Vec<(Member, Member)>, TrainingError> {
    let member = |kind| {
        Ok(match kind {
            ModelKind::Filter => {
                let (served, whole) = fit_filter(split, options, progress)?;
                (Member::Filter(Arc::new(served)), Member::WholeFilter(Arc::new(whole)))
            }
            ModelKind::Peers => {
                let peers = fit_peers(split, options)?;
                let whole = peers.clone().with_nearest(usize::MAX);
                (Member::Peers(Arc::new(peers)), Member::Peers(Arc::new(whole)))
            }
            // The last of the kinds that a mixture can have.
            _ => {
                let member = Member::Ials(Box::new(fit_ials(split, options, progress)?));
                (member.clone(), member)
            }
        })
    };
    options.mixture.kinds().into_iter().map(member).collect()
}

/// The weights that are best on a tenth of the training data.
fn choose(
    split: &Split,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(FitProgress),
) -> Result<Vec<f32>, TrainingError> {
    let count = options.mixture.kinds().len();
    let inner = split.hold_out(options.ials.seed);
    if inner.cases.is_empty() {
        return Ok(vec![1.0 / count as f32; count]);
    }
    let members = members(&inner, options, progress)?.into_iter().map(|(served, _)| (served, 1.0));
    let blend = Blend::new(options.blend, members.collect())?;
    Ok(panel(&blend, &inner).weights(count, CUT))
}

fn panel(blend: &Blend, split: &Split) -> Panel {
    let stride = split.cases.len().div_ceil(MOST_CASES).max(1);
    let cases: Vec<&Case> = split.cases.iter().step_by(stride).collect();
    let judged = |case: &&Case| {
        let mut seen: Vec<Row> = case.history.iter().map(|past| past.row).collect();
        seen.sort_unstable();
        let allow = |row: Row| split.repeats || seen.binary_search(&row).is_err();
        let (rows, scores) = blend.apart(&Query { history: &case.history, item: None }, &allow);
        PanelCase { rows, scores, relevant: case.relevant.clone() }
    };
    Panel { cases: cases.par_iter().map(judged).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::tests::two_tastes;

    fn options(settings: &[&str]) -> TrainingOptions {
        let mut options = TrainingOptions::default();
        options.set_all(ModelKind::Blend, &["ials.factors=4", "filter.components=4"]).unwrap();
        options.set_all(ModelKind::Blend, settings).unwrap();
        options
    }

    fn weights(blend: &Blend) -> Vec<f32> {
        blend.members().iter().map(|(_, weight)| *weight).collect()
    }

    #[test]
    fn weights_are_chosen_where_none_are_given() {
        let split = two_tastes().everything().unwrap();
        let fitted = fit_blend(&split, &options(&[]), &mut |_| {}).unwrap();
        let chosen = weights(&fitted.served);
        assert_eq!(chosen.len(), 3);
        assert!((chosen.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{chosen:?}");
        assert_eq!(chosen, weights(&fitted.whole.unwrap()));
        let again = fit_blend(&split, &options(&[]), &mut |_| {}).unwrap();
        assert_eq!(chosen, weights(&again.served));
        let given = fit_blend(&split, &options(&["members=ials:2, peers:1"]), &mut |_| {}).unwrap();
        assert_eq!(weights(&given.served), [2.0, 1.0]);
    }
}
