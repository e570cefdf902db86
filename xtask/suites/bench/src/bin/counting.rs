//! The same program, counting allocations: all of a process's, whatever thread makes them. It costs time, so
//! what is timed runs in the other one.

use std::alloc::System;

use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static COUNTED: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

fn main() -> std::process::ExitCode {
    xtask_bench::main_counting(|| {
        let stats = COUNTED.stats();
        ((stats.allocations + stats.reallocations) as f64, stats.bytes_allocated as f64)
    })
}
