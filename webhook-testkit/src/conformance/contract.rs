//! Names the broken sentence of the contract when a case fails.

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook},
    sync::Once,
};

use crate::forbidden::watch_if_asked;

thread_local! {
    /// The sentence that is broken if this thread panics.
    static BROKEN_SENTENCE: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a case of the suite of `port`, named by a sentence of its contract with `_` for blanks. When
/// it fails, that sentence is printed above the assertion, and stands first in the panic's payload.
pub fn prove(port: &str, case: &str, run: impl FnOnce()) {
    static ONCE: Once = Once::new();
    ONCE.call_once(print_sentence_first);
    watch_if_asked();
    let sentence = case.replace('_', " ");
    BROKEN_SENTENCE.set(Some(format!("the {port} broke its contract: {sentence}")));
    let ended = catch_unwind(AssertUnwindSafe(run));
    let broken = BROKEN_SENTENCE.take();
    match (ended, broken) {
        (Ok(()), _) => {}
        (Err(panic), Some(broken)) => {
            resume_unwind(Box::new(format!("{broken}\n{}", message(&*panic))));
        }
        (Err(panic), None) => resume_unwind(panic),
    }
}

/// What a case needs first. If that fails, no contract is broken.
pub(super) async fn prepare<T>(ready: impl Future<Output = T>) -> T {
    let broken = BROKEN_SENTENCE.take();
    let ready = ready.await;
    BROKEN_SENTENCE.set(broken);
    ready
}

/// Prints the broken sentence before the message of a panic.
fn print_sentence_first() {
    let other = take_hook();
    set_hook(Box::new(move |panic| {
        BROKEN_SENTENCE.with_borrow(|broken| {
            if let Some(broken) = broken {
                eprintln!("\n{broken}");
            }
        });
        other(panic);
    }));
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}
