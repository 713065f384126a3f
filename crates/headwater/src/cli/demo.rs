//! `headwater demo`: the whole platform in one process, shown at work.

use headwater_base::ErrorKind;

use super::context::Context;
use super::failure::{Failure, failed, usage};
pub use crate::demo::DemoArgs;
use crate::demo::{Demo, DemoError};

pub(super) fn run(context: &Context, args: &DemoArgs) -> Result<(), Failure> {
    let output = context.output;
    let live = !output.is_json() && !output.is_quiet();
    let demo = Demo::run(args, context.chosen_data_dir.clone(), &context.clock, live)?;
    output.result(&demo.result, || format!("\n{}\n{}", demo.result.text(), demo.next()))?;
    Ok(demo.finish()?)
}

impl From<DemoError> for Failure {
    fn from(error: DemoError) -> Self {
        match error.kind() {
            ErrorKind::Caller => usage(error, "`headwater demo --help` lists what can be said"),
            ErrorKind::Retry => failed("demo_failed", error, "run it again"),
            ErrorKind::Report => {
                failed("demo_failed", error, "run it again with `--log debug`, and report what it says")
            }
        }
    }
}
