//! The `headwater` binary: everything it does is in the library, so that tests and benchmarks can do it too.

use std::process::ExitCode;

/// Ingest and ranking allocate on many threads at once; the system allocator contends there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    headwater::run(std::env::args_os())
}
