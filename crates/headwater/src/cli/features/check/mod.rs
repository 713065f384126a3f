//! `headwater features check`: was what was served what a replay of the log gives?

mod report;
mod survey;

use std::collections::BTreeMap;

use clap::Args;
use headwater_base::ErrorKind;
use headwater_features::agreement::{AgreementCheck, AgreementOptions, InPositionOrder};
use headwater_features::{FeatureSpec, FeaturesError, Replay, ViewsOptions};
use headwater_log::{LogError, LogReader};
use headwater_registry::{Registry, RegistryError};

use self::report::{Report, describe};
use self::survey::{Sample, Survey};
use super::super::context::Context;
use super::super::failure::{Failure, failed, found_wrong, usage};
use super::super::progress::Fold;
use crate::beside::{self, From};
use crate::clock::Stopwatch;
use crate::declared;
use crate::output::thousands;
use crate::platform::{Layout, PlatformError};
use crate::settings::Settings;

/// Decisions held to put them in the order of what they saw: far more than requests are answered at once.
const WINDOW: usize = 1024;

/// Flags of `features check`.
#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Share of the decisions with logged features to check, 0 to 1; the same ones each time.
    #[arg(long, value_name = "SHARE", default_value = "1")]
    sample: f64,
    /// Check at most N decisions, spread evenly over the log; the same ones each time.
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// Show at most N values that differ.
    #[arg(long, value_name = "N", default_value = "10")]
    examples: usize,
}

pub(super) fn run(context: &Context, args: &CheckArgs) -> Result<(), Failure> {
    if !(args.sample > 0.0 && args.sample <= 1.0) {
        return Err(usage(format!("--sample {} is out of range", args.sample), "a share above 0, up to 1"));
    }
    if args.limit == Some(0) {
        return Err(usage("--limit 0 checks nothing", "a number from 1 on, or none to check all"));
    }
    let settings = context.settings()?.settings;
    let layout = Layout::of(&context.data_dir);
    // Decisions first: what they saw is in the log that is opened after them.
    let decisions = LogReader::open(&layout.decisions)?;
    let events = LogReader::open(&layout.events)?;
    let watch = Stopwatch::start();
    let survey = survey(context, args, &decisions).map_err(|error| unreadable(error.into()))?;
    let Some(registry) = context.existing_registry()?.filter(|_| survey.sampled > 0) else {
        return Err(nothing(context, &survey));
    };
    let past = Past::of(context, &settings, &registry, &events, &survey)?;
    let report = compare(context, args, (&events, &decisions), survey, past)?;
    let report = Report { data_dir: &context.data_dir, seconds: watch.seconds(), ..report };
    context.output.result(&report, || describe(&report))?;
    let found = &report.found;
    if found.different > 0 {
        let told = format!("{} of {} values differ", thousands(found.different), thousands(found.compared));
        return Err(found_wrong(
            told,
            "a server and a replay must agree: please report this, with the document that --json prints",
        ));
    }
    if found.compared == 0 {
        return Err(found_wrong(
            "nothing could be compared, so nothing is proved",
            "see above for the reasons",
        ));
    }
    Ok(())
}

fn survey(context: &Context, args: &CheckArgs, decisions: &LogReader) -> Result<Survey, LogError> {
    let bar = Fold::new(context.output, decisions.end() - decisions.start(), "decisions");
    let sample = Sample { share: args.sample, limit: args.limit };
    let survey = Survey::of(decisions.events_from(decisions.start()).inspect(|_| bar.tick()), sample)?;
    bar.finish();
    Ok(survey)
}

/// What is replayed, and from where.
struct Past {
    options: ViewsOptions,
    replay: Replay,
    schemas: BTreeMap<u64, Vec<String>>,
    /// Why features that were logged are not computed, by name and version.
    not_computed: BTreeMap<String, String>,
    erased: bool,
    /// Whether the replay goes on from a checkpoint, since the log's beginning is gone.
    from_checkpoint: bool,
}

impl Past {
    fn of(
        context: &Context,
        settings: &Settings,
        registry: &Registry,
        events: &LogReader,
        survey: &Survey,
    ) -> Result<Self, Failure> {
        let mut schemas = BTreeMap::new();
        for number in &survey.schemas {
            if let Some(labels) = registry.schema(*number)? {
                schemas.insert(*number, labels);
            }
        }
        let erased = beside::erased(&context.data_dir)?;
        let schema = settings.schema();
        if events.start() == 0 {
            let (specs, not_computed) = computable(registry, settings, &schemas)?;
            let options = beside::options(settings, &specs)?;
            let replay = Replay::new(&schema, &options);
            // Erased records are met on the way.
            return Ok(Self {
                options,
                replay,
                schemas,
                not_computed,
                erased: false,
                from_checkpoint: false,
            });
        }
        let options = beside::options(settings, &beside::active(Some(registry), settings)?)?;
        let from = beside::checkpoint(&context.data_dir, events, &schema, &options, From::Oldest, &|_| true)?;
        let Some(replay) = from else {
            return Err(failed(
                "log_cut",
                format!(
                    "the log starts at offset {}, and no checkpoint holds what was before",
                    events.start()
                ),
                "run the check with the settings that the server runs with, before retention (log.retention) cuts the log past its checkpoints",
            ));
        };
        let computed: Vec<&str> = options.plan.columns().map(|(label, _)| label.as_str()).collect();
        let missing = schemas.values().flatten().filter(|label| !computed.contains(&label.as_str()));
        let reason = "the log's beginning is gone, and the checkpoint has no such version".to_owned();
        let not_computed = missing.map(|label| (label.clone(), reason.clone())).collect();
        Ok(Self { options, replay, schemas, not_computed, erased, from_checkpoint: true })
    }
}

/// The logged features that can be computed, old versions among them; and of the others why not.
fn computable(
    registry: &Registry,
    settings: &Settings,
    schemas: &BTreeMap<u64, Vec<String>>,
) -> Result<(Vec<FeatureSpec>, BTreeMap<String, String>), Failure> {
    let schema = settings.schema();
    let (mut specs, mut not_computed) = (BTreeMap::new(), BTreeMap::new());
    for label in schemas.values().flatten() {
        match declared::computable(registry, label, &schema) {
            Ok(spec) => drop(specs.insert(label.clone(), spec)),
            Err(RegistryError::Invalid(invalid)) => {
                not_computed.insert(label.clone(), format!("not with these settings: {invalid}"));
            }
            Err(gone) if gone.kind() == ErrorKind::Caller => {
                not_computed.insert(label.clone(), format!("its definition is gone: {gone}"));
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok((specs.into_values().collect(), not_computed))
}

fn compare<'a>(
    context: &'a Context,
    args: &CheckArgs,
    (events, decisions): (&LogReader, &LogReader),
    survey: Survey,
    past: Past,
) -> Result<Report<'a>, Failure> {
    let from = beside::next(&past.replay);
    let bar = Fold::new(context.output, survey.reaches.saturating_sub(from), "events");
    let folded = events.events_from(from).inspect(|_| bar.tick());
    let options = AgreementOptions { examples: args.examples, erased: past.erased };
    let mut check = AgreementCheck::new(folded, past.replay, &past.options.plan, past.schemas, options);
    let sampled = survey.decisions(decisions.events_from(decisions.start()));
    for decision in InPositionOrder::new(sampled, WINDOW) {
        let checked = decision.map_err(FeaturesError::Log).and_then(|decision| check.check(&decision));
        checked.map_err(unreadable)?;
        bar.note(|| format!("{} values compared", thousands(check.found().compared)));
    }
    let replayed = check.position().saturating_sub(from);
    bar.finish();
    Ok(Report {
        data_dir: &context.data_dir,
        seconds: 0.0,
        replayed,
        log_start: events.start(),
        from_checkpoint: past.from_checkpoint.then_some(from),
        survey,
        reasons: past.not_computed,
        found: check.finish(),
    })
}

/// Why nothing can be checked.
fn nothing(context: &Context, survey: &Survey) -> Failure {
    let (told, help) = match survey {
        Survey { logged: 0, .. } => (
            format!(
                "no decision in {} logged features: {} were read",
                Layout::of(&context.data_dir).decisions.display(),
                thousands(survey.read)
            ),
            "declare features, and set `logged_share` of a surface above 0",
        ),
        Survey { sampled: 0, .. } => {
            ("the sample holds no decision".to_owned(), "choose a larger share with --sample")
        }
        _ => (
            "there is no control database beside the logs, so nobody knows which features were logged"
                .to_owned(),
            "name the folder that the server works on with --data-dir",
        ),
    };
    failed("nothing_to_check", told, help)
}

/// Retention goes on while a log is read.
fn unreadable(error: FeaturesError) -> Failure {
    match error {
        FeaturesError::Log(LogError::Truncated { .. }) => {
            failed("log_cut", "retention cut the log while it was read", "run the command again")
        }
        other => PlatformError::Views(other).into(),
    }
}
