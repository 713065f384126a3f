//! `headwater bench`: measures, and prints what it measured with the peers beside.

use std::path::PathBuf;

use headwater_base::ErrorKind;

use super::context::Context;
use super::failure::{Failure, failed, usage};
pub use crate::bench::BenchArgs;
use crate::bench::{self, BenchError};

pub(super) fn run(context: &Context, args: &BenchArgs) -> Result<(), Failure> {
    let data_root = std::env::var_os("HEADWATER_DATA").map(PathBuf::from);
    let report = bench::run(args, data_root.as_deref())?;
    Ok(context.output.result(&report, || report.to_string())?)
}

impl From<BenchError> for Failure {
    fn from(error: BenchError) -> Self {
        match error.kind() {
            ErrorKind::Caller => usage(error, "`headwater bench --help` lists what can be measured and set"),
            ErrorKind::Retry => failed("bench_failed", error, "run it again"),
            ErrorKind::Report => {
                failed("bench_failed", error, "run the failing command by hand, and report what it says")
            }
        }
    }
}
