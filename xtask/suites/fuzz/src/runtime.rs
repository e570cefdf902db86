//! Running what waits.

use tokio::runtime::{Builder, Runtime};

thread_local! {
    /// Its clock stands still, and jumps to the next timer when nobody has anything to do.
    static VIRTUAL: Runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
}

/// Runs `future` to its end, in virtual time.
pub(crate) fn run<T>(future: impl Future<Output = T>) -> T {
    VIRTUAL.with(|runtime| runtime.block_on(future))
}
