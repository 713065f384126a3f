//! Training for serving: everything that happened, to an artifact.

use headwater_base::{Event, Schema};
use headwater_models::blend::Member;
use headwater_registry::{Bundle, Lineage};

use crate::artifact::{BlendArtifact, FilterArtifact, IalsArtifact, PeersArtifact};
use crate::content::fit_content;
use crate::dataset::Dataset;
use crate::fit::{FitProgress, Fitted, fit};
use crate::options::TrainingOptions;
use crate::{ModelKind, TrainingError};

/// A trained model, ready for the registry.
#[derive(Clone, Debug)]
pub struct Trained {
    /// Its files and manifest.
    pub bundle: Bundle,
    /// Users it was trained on.
    pub users: usize,
    /// Items it knows.
    pub items: usize,
    /// Interactions it was trained on.
    pub interactions: usize,
}

/// Trains on a run of events: a log from its first to its last event.
///
/// Each interaction counts the weight its type has in `schema`, halved with age where the options say so; repeated
/// interactions of one user with one item add. `lineage` says where the events come from; its seed and code version
/// are filled in here.
///
/// # Errors
/// A kind that is not trained, since it is folded from the log while serving; no interaction to train on; options
/// outside their range; an error of the iterator.
pub fn train<E: Into<TrainingError>>(
    kind: ModelKind,
    schema: &Schema,
    events: impl IntoIterator<Item = Result<Event, E>>,
    options: &TrainingOptions,
    lineage: Lineage,
    progress: &mut dyn FnMut(FitProgress),
) -> Result<Trained, TrainingError> {
    if !kind.is_trained() {
        return Err(TrainingError::NotTrained { kind: kind.name() });
    }
    let dataset = Dataset::from_events(schema, events)?;
    let split = dataset.everything()?;
    let lineage = Lineage { seed: options.ials.seed, code: env!("CARGO_PKG_VERSION").to_owned(), ..lineage };
    let (users, items, interactions) = (split.users, split.items.len(), split.entries.len());
    let bundle = match fit(kind, &split, options, progress)? {
        Fitted::Ials(model) => {
            let content = fit_content(&split, &model, options)?;
            let options = options.clone();
            IalsArtifact { model: *model, items: split.items, content, options }.to_bundle(lineage)?
        }
        Fitted::Filter(model) => {
            FilterArtifact { model: model.0, items: split.items, options: options.clone() }
                .to_bundle(lineage)?
        }
        Fitted::Peers(model) => PeersArtifact { model: *model, items: split.items, options: options.clone() }
            .to_bundle(lineage)?,
        Fitted::Blend(model) => {
            let factors = model.served.members().iter().find_map(|(member, _)| match member {
                Member::Ials(factors) => Some(factors),
                _ => None,
            });
            let content = factors.map(|factors| fit_content(&split, factors, options)).transpose()?.flatten();
            let artifact = BlendArtifact::new(model.served, split.items, options);
            BlendArtifact { content, ..artifact }.to_bundle(lineage)?
        }
        Fitted::Popular(_)
        | Fitted::Trending(_)
        | Fitted::Neighbours(_)
        | Fitted::Sessions(_)
        | Fitted::Exact(_) => {
            return Err(TrainingError::NotTrained { kind: kind.name() });
        }
    };
    Ok(Trained { bundle, users, items, interactions })
}

#[cfg(test)]
pub(crate) mod tests {
    use headwater_base::schema::InteractionType;
    use headwater_base::{Actor, ErrorKind, EventId, Fact, Fields, Interaction, ItemId, Timestamp, UserId};

    use super::*;

    pub(crate) fn schema() -> Schema {
        let weights = [("click", 1.0), ("purchase", 5.0), ("impression", 0.0)];
        let declared = weights.map(|(name, weight)| (name.into(), InteractionType { weight }));
        Schema { interactions: declared.into(), ..Schema::default() }
    }

    pub(crate) fn event(number: usize, seconds: i64, user: &str, kind: &str, item: &str) -> Event {
        let time = Timestamp::from_seconds(seconds);
        let fact = Fact::Interaction(Interaction {
            kind: kind.into(),
            actor: Actor::user(UserId::trusted(user)),
            item: ItemId::trusted(item),
            value: None,
            request_id: None,
            context: Fields::default(),
        });
        Event { id: EventId::trusted(format!("e{number}")), time, received: time, fact }
    }

    /// Sixty users of two tastes, ten clicks each, one a second; even users like items a0.., odd users b0...
    pub(crate) fn two_tastes_events() -> Vec<Event> {
        (0..600usize)
            .map(|number| {
                let (user, step) = (number % 60, number / 60);
                let taste = if user % 2 == 0 { 'a' } else { 'b' };
                let item = format!("{taste}{}", (user * 7 + step * 3) % 20);
                event(number, number as i64, &format!("u{user}"), "click", &item)
            })
            .collect()
    }

    pub(crate) fn ok(events: &[Event]) -> Vec<Result<Event, TrainingError>> {
        events.iter().cloned().map(Ok).collect()
    }

    pub(crate) fn two_tastes() -> Dataset {
        Dataset::from_events(&schema(), ok(&two_tastes_events())).unwrap()
    }

    fn options() -> TrainingOptions {
        let mut options = TrainingOptions::default();
        options.set_all(ModelKind::Ials, &["factors=4", "iterations=3"]).unwrap();
        options
    }

    #[test]
    fn the_same_events_give_the_same_bytes() {
        let once = || {
            let events = ok(&two_tastes_events());
            let mut seen = Vec::new();
            let lineage = Lineage { log_to: vec![600], ..Lineage::default() };
            let trained = train(ModelKind::Ials, &schema(), events, &options(), lineage, &mut |at| {
                seen.push(at.done);
            })
            .unwrap();
            assert_eq!(seen, [1, 2, 3]);
            trained
        };
        let (a, b) = (once(), once());
        assert_eq!(a.bundle, b.bundle);
        assert_eq!((a.users, a.items, a.interactions), (60, 40, 600));
        assert_eq!(a.bundle.manifest.lineage.log_to, [600]);
        assert!(IalsArtifact::from_bundle(&a.bundle).is_ok());
    }

    #[test]
    fn folded_kinds_say_so_and_nothing_cannot_be_trained_on() {
        let events = ok(&two_tastes_events());
        let run = |kind, events| {
            train(kind, &schema(), events, &options(), Lineage::default(), &mut |_| {}).unwrap_err()
        };
        let error = run(ModelKind::Popular, events);
        assert!(error.to_string().contains("`popular` is not trained"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Caller);
        let ignored = vec![Ok(event(1, 1, "u", "impression", "i"))];
        assert!(run(ModelKind::Ials, ignored).to_string().contains("no interaction to train on"));
    }
}
