//! What is said at TRACE, by every crate and on every thread.

use std::{
    future::Future,
    io,
    sync::{
        Mutex, Once,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use tracing_subscriber::{
    Layer as _, filter::dynamic_filter_fn, fmt::MakeWriter, layer::SubscriberExt as _,
};

static LISTENING: AtomicBool = AtomicBool::new(false);
static HEARD: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// What comes of `what`, and all that is logged meanwhile.
pub(crate) async fn during<T>(what: impl Future<Output = T>) -> (T, Vec<u8>) {
    static ONCE: Once = Once::new();
    ONCE.call_once(install);
    HEARD.lock().unwrap().clear();
    LISTENING.store(true, SeqCst);
    let answer = what.await;
    LISTENING.store(false, SeqCst);
    (answer, std::mem::take(&mut *HEARD.lock().unwrap()))
}

/// For the whole process: some of it is said on threads that are not ours.
fn install() {
    let layer = tracing_subscriber::fmt::layer()
        .with_ansi(false)
        .with_writer(LogWriter)
        .with_filter(dynamic_filter_fn(|_, _| LISTENING.load(SeqCst)));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::set_global_default(subscriber).expect("nobody else listens");
}

struct LogWriter;

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        HEARD.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
